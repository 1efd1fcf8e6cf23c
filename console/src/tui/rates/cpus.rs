//! What each CPU does, and how evenly packets are spread over them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::series::{Counts, Series};
use crate::server::Sample;

/// The counters of a CPU that are shown.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct CpuCounts {
    packets_in: u64,
    requests: u64,
}

impl Counts for CpuCounts {}

/// What a CPU does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CpuReading {
    pub(crate) packets: u64,
    pub(crate) packets_per_s: Option<f64>,
    pub(crate) requests_per_s: Option<f64>,
}

/// Counts on for each CPU.
#[derive(Debug, Default)]
pub(super) struct CpuMeters(Vec<Series<CpuCounts>>);

impl CpuMeters {
    pub(super) fn read(&mut self, sample: &Sample) -> Vec<CpuReading> {
        self.0.resize_with(sample.cpus.len(), Series::new);
        let both = self.0.iter_mut().zip(&sample.cpus);
        both.map(|(series, cpu)| {
            let counts = CpuCounts { packets_in: cpu.packets_in, requests: cpu.requests };
            series.push(sample.taken, counts);
            let rise = series.increase();
            CpuReading {
                packets: cpu.packets_in,
                packets_per_s: rise.map(|rise| rise.per_s(|counts| counts.packets_in)),
                requests_per_s: rise.map(|rise| rise.per_s(|counts| counts.requests)),
            }
        })
        .collect()
    }
}

/// How evenly packets are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// CPUs that take packets now.
    pub(crate) taking_part: usize,
    /// The one that takes most.
    pub(crate) busiest: usize,
    /// The part of all packets that it takes.
    pub(crate) share: f64,
    /// How many times the even share among those taking part that is.
    pub(crate) skew: f64,
}

impl Spread {
    /// None while no packets come.
    pub(crate) fn of(cpus: &[CpuReading]) -> Option<Self> {
        let rate = |cpu: &CpuReading| cpu.packets_per_s.unwrap_or(0.0);
        let sum: f64 = cpus.iter().map(rate).sum();
        let (busiest, most) = cpus
            .iter()
            .map(rate)
            .enumerate()
            .reduce(|best, other| if other.1 > best.1 { other } else { best })
            .filter(|(_, most)| *most > 0.0)?;
        let taking_part = cpus.iter().filter(|cpu| rate(cpu) > 0.0).count();
        let share = most / sum;
        Some(Self { taking_part, busiest, share, skew: share * taking_part as f64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_names_the_busiest_and_how_much_more_than_its_share_it_takes() {
        let cpu = |rate: f64| CpuReading { packets_per_s: Some(rate), ..CpuReading::default() };
        let spread = Spread::of(&[cpu(10.0), cpu(60.0), cpu(10.0), cpu(0.0)]).unwrap();
        assert_eq!((spread.taking_part, spread.busiest), (3, 1));
        assert_eq!((spread.share, spread.skew), (0.75, 2.25));
        assert_eq!(Spread::of(&[cpu(0.0), CpuReading::default()]), None);
        assert_eq!(Spread::of(&[]), None);
    }
}
