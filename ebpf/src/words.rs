//! Eight bytes at a time, from and to any address.

use zerocopy::{FromZeros, Immutable, IntoBytes};
use zeroserve_shared::config::Address;

/// Loads eight bytes from any address. The compiler would do so byte by byte, not knowing that
/// the kernel allows it.
///
/// # Safety
///
/// The pointer must be valid for reads of eight bytes.
#[inline(always)]
pub const unsafe fn load(from: *const u8) -> u64 {
    // SAFETY: the caller vouches for the pointer.
    u64::from_le(unsafe { from.cast::<u64>().read_unaligned() })
}

/// Has the cache fetch eight bytes that will be loaded later. There is no instruction for it but to load them,
/// and nobody waits for what nobody uses.
///
/// # Safety
///
/// As for [`load`].
#[inline(always)]
pub unsafe fn expect(from: *const u8) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: as for `load`.
    unsafe {
        core::arch::asm!("{0} = *(u64 *)({1} + 0)", out(reg) _, in(reg) from,
            options(readonly, nostack));
    }
    #[cfg(not(target_arch = "bpf"))]
    let _ = from;
}

/// Stores eight bytes at any address.
///
/// # Safety
///
/// The pointer must be valid for writes of eight bytes.
#[inline(always)]
pub const unsafe fn store(to: *mut u8, word: u64) {
    // SAFETY: the caller vouches for the pointer.
    unsafe { to.cast::<u64>().write_unaligned(word.to_le()) };
}

/// Copies `BYTES` bytes, at least eight.
///
/// # Safety
///
/// The pointers must be valid for so many bytes, which must not overlap.
#[inline(always)]
pub unsafe fn copy<const BYTES: usize>(from: *const u8, to: *mut u8) {
    const { assert!(BYTES >= 8) };
    // SAFETY: the caller vouches for the pointers.
    unsafe { copy_bytes(from, to, BYTES) };
}

/// The same, but the words end where the bytes do: the first may overlap the second. A part of a word that was
/// just written is read at once, one that lies across two is not. So what is read in aligned pieces, and ends
/// at a multiple of eight, is written in this way.
///
/// # Safety
///
/// As for [`copy`].
#[inline(always)]
pub unsafe fn copy_to_end<const BYTES: usize>(from: *const u8, to: *mut u8) {
    const { assert!(BYTES >= 8) };
    let mut at = BYTES % 8;
    // SAFETY: the caller vouches for the pointers, and `at + 8` is at most `BYTES`.
    unsafe {
        if at != 0 {
            store(to, load(from));
        }
        while at < BYTES {
            store(to.add(at), load(from.add(at)));
            at += 8;
        }
    }
}

/// Copies a number of bytes known to the compiler, at least eight, a word at a time; the last word may
/// overlap the one before.
///
/// # Safety
///
/// As for [`copy`].
#[inline(always)]
unsafe fn copy_bytes(from: *const u8, to: *mut u8, bytes: usize) {
    let mut at = 0;
    while at < bytes {
        let here = if at + 8 <= bytes { at } else { bytes - 8 };
        // SAFETY: the caller vouches for the pointers, and `here + 8` is at most `bytes`.
        unsafe { store(to.add(here), load(from.add(here))) };
        at += 8;
    }
}

/// Copies a value, at least a word long. The compiler would call its own `memmove`, which copies byte by
/// byte, where it does not know that the two do not overlap.
#[inline(always)]
pub fn copy_value<T: Copy>(from: &T, to: &mut T) {
    let (from, to) = (core::ptr::from_ref(from).cast(), core::ptr::from_mut(to).cast());
    // SAFETY: both are references, one of them exclusive, to so many bytes.
    unsafe { copy_bytes(from, to, const { size_of::<T>() }) };
}

/// Whether two values have the same bytes, of which there must be whole words. The compiler would call its own
/// `memcmp`, which compares byte by byte.
#[inline(always)]
pub fn are_equal<T: IntoBytes + Immutable>(one: &T, other: &T) -> bool {
    const { assert!(size_of::<T>().is_multiple_of(8)) };
    let (one, other) =
        (core::ptr::from_ref(one).cast::<u8>(), core::ptr::from_ref(other).cast::<u8>());
    let mut different = 0;
    let mut at = 0;
    while at < size_of::<T>() {
        // SAFETY: the word lies in the value.
        different |= unsafe { load(one.add(at)) ^ load(other.add(at)) };
        at += 8;
    }
    different == 0
}

/// Puts an IPv4 address, in network byte order, in the place of an address, as
/// [`mapped`](zeroserve_shared::config::mapped) does. The compiler would call its own `memset` for the zeros.
#[inline(always)]
pub fn store_mapped(address: &mut Address, v4: [u8; 4]) {
    let to = core::ptr::from_mut(address).cast::<u8>();
    let end = u64::from(u32::from_le_bytes(v4)) << 32 | 0xffff_0000;
    // SAFETY: an address has sixteen bytes, of which any are allowed.
    unsafe {
        store(to, 0);
        store(to.add(8), end);
    }
}

/// A word at any address.
#[repr(C, packed)]
struct Word(u64);

/// Makes a value zero, which must be a value of its type. Volatile, or the compiler would call its own
/// `memset`, which writes byte by byte.
#[inline(always)]
pub fn clear<T: FromZeros>(value: &mut T) {
    let bytes = size_of::<T>();
    let to = core::ptr::from_mut(value).cast::<u8>();
    let mut at = 0;
    while at + 8 <= bytes {
        // SAFETY: the word lies in the value, of which any bytes, and so zero, are allowed.
        unsafe { to.add(at).cast::<Word>().write_volatile(Word(0)) };
        at += 8;
    }
    while at < bytes {
        // SAFETY: as above.
        unsafe { to.add(at).write_volatile(0) };
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use zeroserve_shared::config::mapped;

    use super::*;

    #[test]
    fn all_bytes_are_copied_and_no_others_whatever_their_number() {
        fn check<const BYTES: usize>() {
            let from: [u8; 80] = core::array::from_fn(|byte| byte as u8 + 1);
            let (mut one, mut other) = ([0; 80], [0; 80]);
            // SAFETY: all have so many bytes.
            unsafe {
                copy::<BYTES>(from.as_ptr(), one.as_mut_ptr());
                copy_to_end::<BYTES>(from.as_ptr(), other.as_mut_ptr());
            }
            let expected: [u8; 80] =
                core::array::from_fn(|byte| if byte < BYTES { from[byte] } else { 0 });
            assert_eq!((one, other), (expected, expected), "{BYTES}");
        }
        check::<8>();
        check::<9>();
        check::<54>();
        check::<66>();
        check::<71>();
        check::<72>();
    }

    #[test]
    fn an_ipv4_address_is_put_in_place_as_it_is_mapped() {
        let mut address = [0xee; 16];
        store_mapped(&mut address, [198, 18, 0, 1]);
        assert_eq!(address, mapped([198, 18, 0, 1]));
    }
}
