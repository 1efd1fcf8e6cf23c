//! The time.

use aya_ebpf::helpers::generated::{
    bpf_ktime_get_coarse_ns, bpf_ktime_get_ns, bpf_ktime_get_tai_ns,
};

const NS_PER_US: u64 = 1000;
const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// Milliseconds of `CLOCK_MONOTONIC`, as of the last tick of the kernel. They wrap.
#[inline(always)]
pub(super) fn now_ms() -> u32 {
    // SAFETY: the helper takes no arguments and always succeeds.
    (unsafe { bpf_ktime_get_coarse_ns() } / NS_PER_MS) as u32
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
pub(super) fn unix_s(tai_minus_utc_s: i64) -> u32 {
    // SAFETY: the helper takes no arguments and always succeeds.
    let tai_s = unsafe { bpf_ktime_get_tai_ns() } / NS_PER_S;
    tai_s.wrapping_sub(tai_minus_utc_s as u64) as u32
}
