//! The time.

use aya_ebpf::helpers::generated::{
    bpf_jiffies64, bpf_ktime_get_boot_ns, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns,
    bpf_ktime_get_tai_ns,
};
use zeroserve_ebpf::cookie::SLOT_S;

const NS_PER_US: u64 = 1000;
const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// The time as of the last tick of the kernel.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Tick {
    /// Number of the tick.
    number: u64,
    /// Milliseconds of `CLOCK_MONOTONIC`. They wrap.
    pub(super) now_ms: u32,
    /// Seconds since the Unix epoch.
    pub(super) unix_s: u32,
    /// Nanoseconds of `CLOCK_BOOTTIME`, which goes on while the machine sleeps.
    pub(super) boot_ns: u64,
    /// The time in units of [`SLOT_S`].
    pub(super) slot: u32,
    /// Keeps the layout free of padding.
    reserved: u32,
}

impl Tick {
    /// Brings it up to date, and says whether it is another tick than before. Its number is a word in memory,
    /// so the clocks are asked by the first packet after it only.
    #[inline(always)]
    pub(super) fn update(&mut self, tai_minus_utc_s: i64) -> bool {
        // SAFETY: the helper takes no arguments and always succeeds.
        let number = unsafe { bpf_jiffies64() };
        let is_another = self.number != number;
        if is_another {
            self.number = number;
            let now_ns = coarse_ns();
            self.now_ms = (now_ns / NS_PER_MS) as u32;
            self.slot = (now_ns / (SLOT_S as u64 * NS_PER_S)) as u32;
            self.unix_s = unix_s(tai_minus_utc_s);
            self.boot_ns = boot_ns();
        }
        is_another
    }
}

/// Milliseconds of `CLOCK_MONOTONIC`, as of the last tick of the kernel. They wrap.
#[inline(always)]
pub(super) fn now_ms() -> u32 {
    (coarse_ns() / NS_PER_MS) as u32
}

#[inline(always)]
fn coarse_ns() -> u64 {
    // SAFETY: the helper takes no arguments and always succeeds.
    unsafe { bpf_ktime_get_coarse_ns() }
}

#[inline(always)]
fn boot_ns() -> u64 {
    // SAFETY: the helper takes no arguments and always succeeds.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Microseconds of `CLOCK_MONOTONIC`, exactly, which costs more. They wrap.
#[inline(always)]
pub(super) fn now_us() -> u32 {
    // SAFETY: the helper takes no arguments and always succeeds.
    (unsafe { bpf_ktime_get_ns() } / NS_PER_US) as u32
}

/// Seconds since the Unix epoch. `CLOCK_TAI` (Linux 6.1) follows every step of the wall clock;
/// the console knows how far it is from UTC.
#[inline(always)]
fn unix_s(tai_minus_utc_s: i64) -> u32 {
    // SAFETY: the helper takes no arguments and always succeeds.
    let tai_s = unsafe { bpf_ktime_get_tai_ns() } / NS_PER_S;
    tai_s.wrapping_sub(tai_minus_utc_s as u64) as u32
}
