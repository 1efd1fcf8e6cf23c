//! Means over longer times, the peak, and the last seconds as a curve.

use std::time::Duration;

/// The times that means are over, in seconds.
pub(crate) const MEANS_S: [u64; 3] = [10, 100, 1000];

/// Points of the curve beside a route.
pub(crate) const SPARK_POINTS: usize = 30;

/// How a rate has been over longer times.
///
/// Each mean is that of all that was seen, until that is as long as the mean's time. From then on
/// what is older counts less and less, by e for each such time. So a mean never lies outside the
/// rates it is of, and a steady rate is its own mean from the first sample on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Trend {
    means: [f64; MEANS_S.len()],
    seen_s: f64,
    peak: Option<f64>,
}

impl Trend {
    /// Goes on with a rate that held for so long.
    pub(crate) fn push(&mut self, rate: f64, over: Duration) {
        let over_s = over.as_secs_f64();
        for (mean, window_s) in self.means.iter_mut().zip(MEANS_S) {
            let growing_s = (window_s as f64 - self.seen_s).clamp(0.0, over_s);
            if growing_s > 0.0 {
                *mean += (rate - *mean) * growing_s / (self.seen_s + growing_s);
            }
            *mean = rate + (*mean - rate) * (-(over_s - growing_s) / window_s as f64).exp();
        }
        self.seen_s += over_s;
    }

    /// Takes the rate of a whole point of the history, the highest of which is the peak.
    pub(crate) fn push_point(&mut self, rate: f64) {
        self.peak = Some(self.peak.map_or(rate, |peak| peak.max(rate)));
    }

    /// The means, by the times of [`MEANS_S`]; none before anything was seen.
    pub(crate) fn means(&self) -> [Option<f64>; MEANS_S.len()] {
        self.means.map(|mean| (self.seen_s > 0.0).then_some(mean))
    }

    /// The highest rate that held for a second; none before the first has passed.
    pub(crate) fn peak(&self) -> Option<f64> {
        self.peak
    }
}

/// How a route has been asked for, second by second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RouteTrend {
    pub(crate) hits: Trend,
    pub(crate) bytes: Trend,
    /// Hits per second in the last seconds, the newest last.
    pub(crate) spark: [f32; SPARK_POINTS],
}

impl RouteTrend {
    pub(crate) fn new() -> Self {
        let (hits, bytes) = (Trend::default(), Trend::default());
        Self { hits, bytes, spark: [0.0; SPARK_POINTS] }
    }

    /// Goes on with the rates of a point, which is longer than usual while nothing happens.
    pub(crate) fn push_point(&mut self, hits_per_s: f64, bytes_per_s: f64, over: Duration) {
        for (trend, rate) in [(&mut self.hits, hits_per_s), (&mut self.bytes, bytes_per_s)] {
            trend.push(rate, over);
            trend.push_point(rate);
        }
        let points = (over.as_secs_f64().round() as usize).clamp(1, SPARK_POINTS);
        self.spark.rotate_left(points);
        self.spark[SPARK_POINTS - points..].fill(hits_per_s as f32);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_mean_lies_among_its_rates_and_begins_as_that_of_all(
            steps in prop::collection::vec((0.0..1e6f64, 1u64..400_000), 1..60),
        ) {
            let mut trend = Trend::default();
            let (mut sum, mut seen_s) = (0.0, 0.0);
            let (mut low, mut high) = (f64::MAX, 0.0f64);
            for (rate, over_ms) in steps {
                trend.push(rate, Duration::from_millis(over_ms));
                sum += rate * over_ms as f64 / 1e3;
                seen_s += over_ms as f64 / 1e3;
                (low, high) = (low.min(rate), high.max(rate));
                for (mean, window_s) in trend.means().into_iter().flatten().zip(MEANS_S) {
                    prop_assert!(mean >= low - 1e-6 && mean <= high + 1e-6, "{mean} {low} {high}");
                    if seen_s <= window_s as f64 {
                        prop_assert!((mean * seen_s - sum).abs() <= 1e-6 * (1.0 + sum));
                    }
                }
            }
        }

        #[test]
        fn a_long_step_is_as_many_short_ones(rate in 0.0..1e6f64, over_ms in 2u64..3_000_000) {
            let (mut one, mut two) = (Trend::default(), Trend::default());
            for trend in [&mut one, &mut two] {
                trend.push(1_000.0, Duration::from_secs(7));
            }
            one.push(rate, Duration::from_millis(over_ms));
            two.push(rate, Duration::from_millis(over_ms / 3));
            two.push(rate, Duration::from_millis(over_ms - over_ms / 3));
            for (one, two) in one.means().into_iter().flatten().zip(two.means().into_iter().flatten()) {
                prop_assert!((one - two).abs() <= 1e-6 * (1.0 + rate), "{one} {two}");
            }
        }
    }

    #[test]
    fn before_anything_was_seen_there_is_no_mean_and_no_peak() {
        let mut trend = Trend::default();
        assert_eq!((trend.means(), trend.peak()), ([None; 3], None));
        trend.push(5.0, Duration::from_millis(250));
        assert_eq!((trend.means(), trend.peak()), ([Some(5.0); 3], None));
        trend.push_point(5.0);
        assert_eq!(trend.peak(), Some(5.0));
    }
}
