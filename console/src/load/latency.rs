//! Quantiles of the histogram that the program keeps.

use std::time::Duration;

use zeroserve_shared::load::bucket_start_ns;

/// How many latencies fell into each step of [`zeroserve_shared::load::bucket`].
#[derive(Clone, Debug)]
pub struct Latency(Vec<u64>);

impl Latency {
    /// Those of a histogram that were not in an earlier one of the same load.
    pub fn since(earlier: &[u64], later: &[u64]) -> Self {
        Self(later.iter().zip(earlier).map(|(later, earlier)| later - earlier).collect())
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The latency that this part of all does not exceed, such as 0.999: the middle of its step.
    /// None if there are no latencies.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let wanted = ((self.count() as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let step = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        })? as u32;
        Some(Duration::from_nanos((bucket_start_ns(step) + bucket_start_ns(step + 1)) / 2))
    }
}

#[cfg(test)]
mod tests {
    use zeroserve_shared::load::{BUCKETS, bucket};

    use super::*;

    fn latency(all_ns: impl Iterator<Item = u64>) -> Latency {
        let mut counts = vec![0; BUCKETS];
        for ns in all_ns {
            counts[bucket(ns) as usize] += 1;
        }
        Latency::since(&[0; BUCKETS], &counts)
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_latencies_within_a_step() {
        let latency = latency((1..=100_000).map(|rank| rank * 10));
        for part in [0.001, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let exact_ns = 1e6 * part;
            let found_ns = latency.quantile(part).expect("there are some").as_nanos() as f64;
            assert!((found_ns / exact_ns - 1.0).abs() < 0.017, "{part}: {found_ns} {exact_ns}");
        }
    }

    #[test]
    fn of_nothing_there_are_no_quantiles() {
        assert_eq!(latency(std::iter::empty()).quantile(0.5), None);
    }

    #[test]
    fn only_what_came_since_counts() {
        let mut early = vec![0; BUCKETS];
        early[bucket(100) as usize] = 5;
        let mut late = early.clone();
        late[bucket(3000) as usize] += 1;
        let since = Latency::since(&early, &late);
        assert_eq!(since.count(), 1);
        let median_ns = since.quantile(0.5).expect("there is one").as_nanos();
        assert!((2950..3050).contains(&median_ns), "{median_ns}");
    }
}
