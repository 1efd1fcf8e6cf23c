//! The clocks that the kernel side reads too.

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};

const SECOND_NS: i128 = 1_000_000_000;

/// Time since the machine started, on `CLOCK_MONOTONIC`, as `bpf_ktime_get_ns` tells it.
pub(super) fn monotonic() -> Duration {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Seconds since the Unix epoch.
pub(super) fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The time that lies so many seconds after the Unix epoch.
pub(super) fn from_unix_s(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// What to subtract from `CLOCK_TAI` to get UTC, in seconds: leap seconds so far, or zero on a
/// machine where no time daemon has told the kernel.
pub(super) fn tai_minus_utc_s() -> i64 {
    let tai = read(ClockId::CLOCK_TAI).as_nanos() as i128;
    let utc = read(ClockId::CLOCK_REALTIME).as_nanos() as i128;
    // The clocks are read one after the other, so the difference is a little short of whole.
    (tai - utc + SECOND_NS / 2).div_euclid(SECOND_NS) as i64
}

fn read(clock: ClockId) -> Duration {
    // Reading these clocks fails only for a clock the kernel lacks; all have been there since 3.10.
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_between_tai_and_utc_is_a_plausible_number_of_leap_seconds() {
        assert!((0..100).contains(&tai_minus_utc_s()));
    }

    #[test]
    fn the_monotonic_clock_runs() {
        let first = monotonic();
        assert!(first > Duration::ZERO);
        assert!(monotonic() >= first);
    }

    #[test]
    fn whole_seconds_survive_the_way_to_the_kernel_and_back() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(from_unix_s(unix_s(time)), time);
    }
}
