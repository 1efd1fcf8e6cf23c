//! Whatever a server counts, and whenever the screen is paused: totals on the screen are the sums of
//! the changes on the screen, parts are parts of their wholes, and no rate is negative.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use proptest::prelude::*;
use zerocopy::{FromBytes as _, IntoBytes as _};
use zeroserve_shared::counters::{Counters, RouteHits};

use super::Run;
use crate::{
    observe::{Seen, Wanted},
    server::{Change, ChangeError, Identity, RouteInfo, Sample, Server},
    simulated::Simulated,
    tui::{
        format,
        rates::{FIGURES, Readings, drops},
    },
};

/// CPUs of the server.
const CPUS: usize = 3;

/// What happens until the next sample.
#[derive(Clone, Debug)]
struct Step {
    over_ms: u64,
    /// By how much the counters of each CPU rise: a seed, and how much at most.
    rise: [(u64, u64); CPUS],
    /// Stopped and attached again.
    reset: bool,
    /// Whether the key is pressed that pauses, or goes on.
    key: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let most = prop_oneof![Just(0u64), 1u64..10, 1u64..1_000_000];
    let rise = prop::array::uniform3((any::<u64>(), most));
    let step = (1u64..3_000, rise, prop::bool::weighted(0.08), prop::bool::weighted(0.2));
    let step = step.prop_map(|(over_ms, rise, reset, key)| Step { over_ms, rise, reset, key });
    prop::collection::vec(step, 1..40)
}

/// A server that has counted what it is told, of which the simulated one is the rest.
struct Told {
    samples: VecDeque<Sample>,
    rest: Simulated,
}

impl Server for Told {
    fn identity(&self) -> &Identity {
        self.rest.identity()
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        self.samples.pop_front().ok_or_else(|| anyhow::anyhow!("there was one for each tick"))
    }

    fn routes(&mut self) -> anyhow::Result<Arc<[RouteInfo]>> {
        self.rest.routes()
    }

    fn observe(&mut self, wanted: &Wanted) -> anyhow::Result<Seen> {
        self.rest.observe(wanted)
    }

    fn apply(&mut self, change: Change) -> Result<(), ChangeError> {
        self.rest.apply(change)
    }
}

/// Counters that all rose, each by another number.
fn raised(counters: &Counters, (seed, most): (u64, u64)) -> Counters {
    let mut raised = *counters;
    for (place, bytes) in raised.as_mut_bytes().chunks_exact_mut(8).enumerate() {
        let value = u64::read_from_bytes(bytes).unwrap();
        let rise = seed.rotate_left(place as u32) % (most + 1);
        bytes.copy_from_slice((value + rise).as_bytes());
    }
    raised
}

/// What is sampled in these steps; requests are spread over two routes.
fn samples(steps: &[Step]) -> Vec<Sample> {
    let mut taken = Duration::from_secs(1);
    let mut cpus = vec![Counters::ZERO; CPUS];
    let mut hits = [RouteHits::default(); 2];
    let mut samples = Vec::new();
    for step in steps {
        taken += Duration::from_millis(step.over_ms);
        if step.reset {
            (cpus, hits) = (vec![Counters::ZERO; CPUS], Default::default());
        } else {
            let before: u64 = cpus.iter().map(|cpu| cpu.requests).sum();
            for (cpu, rise) in cpus.iter_mut().zip(step.rise) {
                *cpu = raised(cpu, rise);
            }
            let requests = cpus.iter().map(|cpu| cpu.requests).sum::<u64>() - before;
            for (hits, requests) in hits.iter_mut().zip([requests / 3, requests - requests / 3]) {
                hits.requests += requests;
                hits.delivered_bytes += requests * 500;
            }
        }
        let hits = vec![(16, hits[0]), (17, hits[1])];
        samples.push(Sample { taken, cpus: cpus.clone(), hits, routes_revision: 1 });
    }
    samples
}

fn each(counters: &Counters) -> Vec<u64> {
    counters.as_bytes().chunks_exact(8).map(|bytes| u64::read_from_bytes(bytes).unwrap()).collect()
}

/// Every rate there is.
fn rates(readings: &Readings) -> Vec<f64> {
    let mut rates = Vec::new();
    rates.extend(FIGURES.iter().map(|figure| readings.per_s(figure.pick)));
    for trend in readings.figures.iter() {
        rates.extend(trend.means().into_iter().chain([trend.peak()]));
    }
    rates.extend(readings.cpus.iter().flat_map(|cpu| [cpu.packets_per_s, cpu.requests_per_s]));
    rates.extend(readings.routes.values().flat_map(|one| [one.hits_per_s, one.bytes_per_s]));
    for trend in readings.trends.values() {
        rates.extend([&trend.hits, &trend.bytes].into_iter().flat_map(|trend| trend.means()));
        rates.extend(trend.spark.map(|point| Some(f64::from(point))));
    }
    rates.into_iter().flatten().collect()
}

/// Parts add up to their wholes, and no rate is negative.
fn check_parts(readings: &Readings) {
    let totals = readings.totals.unwrap();
    let packets: u64 = readings.cpus.iter().map(|cpu| cpu.packets).sum();
    assert_eq!(packets, totals.packets_in, "of the CPUs");
    let hits: u64 = readings.routes.values().map(|route| route.hits).sum();
    assert_eq!(hits, totals.requests, "of the routes");
    for rate in rates(readings) {
        assert!(rate >= 0.0 && rate.is_finite(), "a rate of {rate}");
    }
}

/// Every counter rose, over the time that a rate covers, by as much as the rate says.
fn check_increase(readings: &Readings, samples: &[Sample]) {
    let Some(increase) = &readings.increase else { return };
    let start = readings.taken.unwrap() - increase.over;
    let before = samples.iter().find(|sample| sample.taken == start).unwrap().totals();
    let sums: Vec<_> =
        each(&before).iter().zip(each(&increase.by)).map(|(before, by)| before + by).collect();
    assert_eq!(sums, each(&readings.totals.unwrap()));
}

/// What the chart shows, and what is under way to it, adds up to what was counted since `first`.
fn check_chart(run: &Run, first: &Counters) {
    let totals = run.model.shown.totals.unwrap();
    let mut sums = (first.requests, first.bytes_out, drops(first));
    for point in run.model.shown.history.iter().copied().chain(run.model.meter.open()) {
        sums.0 += point.requests;
        sums.1 += point.bytes;
        sums.2 += point.drops;
    }
    assert_eq!(sums, (totals.requests, totals.bytes_out, drops(&totals)));
}

/// The sums on the screen are those of the readings, and nothing on it is below zero.
fn check_screen(run: &mut Run) {
    let screen = run.screen();
    let totals = run.model.shown.totals.unwrap();
    let sums = screen.lines().find(|line| line.contains(" in all ")).unwrap();
    let expected = FIGURES.map(|figure| match (figure.pick)(&totals) {
        sum if figure.is_bytes => format::bytes(sum),
        sum => format::count(sum),
    });
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let shown = words(sums.trim_matches('"').trim_start().strip_prefix("in all").unwrap());
    assert_eq!(shown, words(&expected.join(" ")));
    let below = |three: &[char]| matches!(three, [' ', '-' | '−', '0'..='9']);
    for line in screen.lines().filter(|line| !line.contains("now│")) {
        let characters: Vec<_> = line.chars().collect();
        assert!(!characters.windows(3).any(below), "something below zero in {line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_sampled_shown_totals_are_the_sum_of_shown_changes(steps in steps()) {
        let samples = samples(&steps);
        let rest = Simulated::new(1);
        let server = Told { samples: samples.clone().into(), rest };
        let mut run = Run::on(server, 200, 50);
        let mut first = Counters::ZERO;
        let mut paused: Option<Arc<Readings>> = None;
        for (at, step) in steps.iter().enumerate() {
            run.ticks(1);
            let totals = samples[at].totals();
            // Nobody can tell a reset of counters that were zero; then nothing is lost either.
            let is_new = at == 0 || (step.reset && samples[at - 1].totals() != Counters::ZERO);
            if is_new {
                first = totals;
            }
            if step.key {
                run.press("space");
                paused = match paused {
                    Some(_) => None,
                    None => Some(Arc::clone(&run.model.shown)),
                };
            }
            match &paused {
                Some(still) => assert_eq!(&run.model.shown, still, "while paused"),
                None => {
                    assert_eq!(run.model.shown.taken, Some(samples[at].taken));
                    assert_eq!(run.model.shown.totals, Some(totals));
                    check_chart(&run, &first);
                }
            }
            check_parts(&run.model.shown);
            check_increase(&run.model.shown, &samples);
        }
        check_screen(&mut run);
    }
}
