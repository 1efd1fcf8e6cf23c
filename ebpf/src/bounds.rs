//! Bounds that the verifier can see.
//!
//! The optimiser drops a mask that it can prove to be needless, by reasoning that the verifier
//! does not follow. A value that has passed through [`opaque`] is unknown to it, so the mask stays.

/// The same value, of which the optimiser knows nothing. On the host it costs nothing.
#[inline(always)]
pub fn opaque(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut value = value;
        // SAFETY: the assembly copies a register to itself.
        unsafe { core::arch::asm!("{0} = {0}", inout(reg) value, options(nomem, nostack, pure)) };
        value
    }
    #[cfg(not(target_arch = "bpf"))]
    value
}
