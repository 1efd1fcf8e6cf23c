//! When requests go out whose rate is given: at random, as those of many clients that know nothing of each
//! other, with gaps that are exponentially distributed (a Poisson process).

use std::time::Duration;

/// How late whoever sends the requests may be. What was due before that is left out: sent all at once, it would
/// be a burst that no client asked for, and the server's latency would be that of this burst.
const LATE: Duration = Duration::from_micros(100);

/// A sequence of times.
pub(super) struct Arrivals {
    per_s: f64,
    next: Duration,
    random: fastrand::Rng,
}

impl Arrivals {
    /// So many in a second on average. It is always the same sequence, so that all servers get the same load.
    pub(super) fn new(per_s: u32) -> Self {
        let random = fastrand::Rng::with_seed(1);
        Self { per_s: f64::from(per_s.max(1)), next: Duration::ZERO, random }
    }

    /// How many have become due by now, `most` at most. Others are due when it is asked next.
    pub(super) fn due(&mut self, now: Duration, most: u64) -> u64 {
        self.next = self.next.max(now.saturating_sub(LATE));
        let mut due = 0;
        while self.next <= now && due < most {
            due += 1;
            // 1 less a number below 1: never zero, of which there is no logarithm.
            let gap_s = -(1.0 - self.random.f64()).ln() / self.per_s;
            self.next += Duration::from_secs_f64(gap_s);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_micros(10);

    #[test]
    fn there_are_as_many_as_were_asked_for_and_they_come_at_random() {
        let mut arrivals = Arrivals::new(50_000);
        let counts: Vec<u64> = (0..100_000).map(|step| arrivals.due(STEP * step, 64)).collect();
        let all: u64 = counts.iter().sum();
        assert!((49_000..51_000).contains(&all), "{all} in a second");
        // Of a Poisson process's counts the variance is the mean: half a request in ten microseconds.
        let mean = all as f64 / counts.len() as f64;
        let squares = counts.iter().map(|count| (*count as f64 - mean).powi(2));
        let variance = squares.sum::<f64>() / counts.len() as f64;
        assert!((0.9..1.1).contains(&(variance / mean)), "{variance} of {mean}");
    }

    #[test]
    fn what_was_due_while_nobody_could_send_is_left_out() {
        let mut arrivals = Arrivals::new(100_000);
        let _ = arrivals.due(Duration::ZERO, 64);
        let burst = arrivals.due(Duration::from_millis(50), 64);
        assert!((2..30).contains(&burst), "{burst}");
    }

    #[test]
    fn no_more_are_due_than_may_be_sent() {
        let mut arrivals = Arrivals::new(1_000_000);
        assert_eq!(arrivals.due(Duration::from_micros(90), 3), 3);
        assert_eq!(arrivals.due(Duration::from_micros(90), 3), 3);
    }
}
