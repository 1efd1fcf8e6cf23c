//! Rates, history and sums tell the truth, whatever the samples do.

use std::time::Duration;

use proptest::prelude::*;
use tui_tree_widget::TreeState;
use zeroserve_shared::{
    counters::{Counters, RouteHits},
    reason::Reason,
};

use crate::{
    content::RoutePath,
    server::{RouteInfo, RouteName, Sample, Server as _},
    simulated::Simulated,
    tui::{
        rates::{Meter, Readings, RouteReading, SPARK_POINTS},
        tree::{NodeKey, Tree},
    },
};

/// What happens between two samples.
#[derive(Clone, Debug)]
struct Step {
    over_ms: u64,
    requests: u64,
    reset: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (1u64..5_000, 0u64..1_000_000, prop::bool::weighted(0.1))
        .prop_map(|(over_ms, requests, reset)| Step { over_ms, requests, reset });
    prop::collection::vec(step, 1..60)
}

fn sample(taken_ms: u64, requests: u64) -> Sample {
    let mut counters = Counters { requests, bytes_out: requests * 100, ..Counters::ZERO };
    counters.reasons[Reason::SequenceGap as usize] = requests / 3;
    counters.packets_in = requests;
    let hits = RouteHits { requests, delivered_bytes: requests * 90 };
    Sample {
        taken: Duration::from_millis(taken_ms),
        cpus: vec![counters],
        hits: vec![(16, hits)],
        routes_revision: 1,
    }
}

/// Plays the steps; `check` sees the readings, and the requests since the first sample or reset.
fn play(steps: &[Step], mut check: impl FnMut(&Meter, &Readings, u64, bool)) {
    let mut meter = Meter::new();
    let (mut taken_ms, mut requests) = (0, 1_000_000_000);
    let mut since = requests;
    meter.read(&sample(taken_ms, requests));
    for step in steps {
        taken_ms += step.over_ms;
        // A reset that is overtaken by new traffic before the next sample cannot be noticed.
        if step.reset && requests > step.requests {
            requests = step.requests;
            since = requests;
            let readings = meter.read(&sample(taken_ms, requests));
            check(&meter, &readings, 0, true);
        } else {
            requests += step.requests;
            let readings = meter.read(&sample(taken_ms, requests));
            check(&meter, &readings, requests - since, false);
        }
    }
}

proptest! {
    #[test]
    fn the_history_adds_up_to_what_was_counted(steps in steps()) {
        play(&steps, |meter, readings, counted, _| {
            let points = readings.history.iter().copied().chain(meter.open());
            let (mut requests, mut bytes, mut drops) = (0, 0, 0);
            for point in points {
                requests += point.requests;
                bytes += point.bytes;
                drops += point.drops;
            }
            assert_eq!((requests, bytes), (counted, counted * 100));
            let total = readings.totals.unwrap().requests;
            assert_eq!(drops, total / 3 - (total - counted) / 3);
        });
    }

    #[test]
    fn shown_totals_are_the_sum_of_shown_changes_also_when_the_screen_was_paused(
        steps in steps(),
        paused in prop::collection::vec(any::<bool>(), 60),
    ) {
        let (mut shown, mut sum) = (None::<u64>, None::<u64>);
        let mut at = 0;
        play(&steps, |_, readings, _, reset| {
            at += 1;
            let total = readings.totals.unwrap().requests;
            if reset {
                (shown, sum) = (Some(total), Some(total));
            } else if !paused[at - 1] {
                let before = shown.unwrap_or(total);
                sum = Some(sum.unwrap_or(total) + total.checked_sub(before).expect("no change is negative"));
                shown = Some(total);
                assert_eq!(sum, Some(total));
            }
        });
    }

    #[test]
    fn a_long_mean_times_its_time_is_what_was_counted(steps in steps()) {
        let (mut since_ms, mut now_ms) = (0, 0);
        let mut times = steps.iter().map(|step| step.over_ms).collect::<Vec<_>>().into_iter();
        play(&steps, |_, readings, counted, reset| {
            now_ms += times.next().unwrap();
            let means = readings.figures[0].means();
            if reset {
                since_ms = now_ms;
                assert_eq!(means, [None; 3], "nothing outlives a reset");
                return;
            }
            let seen_s = (now_ms - since_ms) as f64 / 1000.0;
            let [_, _, long] = means;
            // The steps of a test last less than 1000 s together.
            assert!((long.unwrap() * seen_s - counted as f64).abs() <= 1e-6 * (1.0 + counted as f64));
        });
    }

    #[test]
    fn the_history_covers_time_without_gaps(steps in steps()) {
        play(&steps, |_, readings, _, _| {
            for pair in readings.history.as_slices().0.windows(2) {
                assert_eq!(pair[0].end + pair[1].over, pair[1].end);
            }
        });
    }

    #[test]
    fn no_rate_is_negative_and_none_outlives_a_reset(steps in steps()) {
        play(&steps, |_, readings, _, reset| {
            let route = readings.routes[&16];
            let rates = [
                readings.per_s(|counters| counters.requests),
                readings.per_s(|counters| counters.bytes_out),
                route.hits_per_s,
                route.bytes_per_s,
                readings.cpus[0].packets_per_s,
            ];
            let trends = readings.figures.iter().flat_map(|trend| trend.means());
            let trends = trends.chain(readings.figures.iter().map(|trend| trend.peak()));
            let trends = trends.chain(readings.trends.values().flat_map(|trend| trend.hits.means()));
            for rate in trends.flatten() {
                assert!(rate >= 0.0 && rate.is_finite());
            }
            for rate in rates {
                assert_eq!(rate.is_none(), reset);
                assert!(rate.is_none_or(|rate| rate >= 0.0 && rate.is_finite()));
            }
        });
    }

    #[test]
    fn a_steady_stream_has_its_rate_however_samples_fall(
        intervals_ms in prop::collection::vec(1u64..100_000, 1..40),
        per_ms in 0u64..1_000,
    ) {
        let mut meter = Meter::new();
        meter.read(&sample(0, 0));
        let mut taken_ms = 0;
        for interval_ms in intervals_ms {
            taken_ms += interval_ms;
            let readings = meter.read(&sample(taken_ms, taken_ms * per_ms));
            let rate = readings.per_s(|counters| counters.requests).unwrap();
            let expected = per_ms as f64 * 1000.0;
            prop_assert!((rate - expected).abs() <= expected * 1e-9, "{rate} {expected}");
        }
    }

    #[test]
    fn every_route_has_one_row_and_folders_show_the_sums(
        names in prop::collection::btree_set("(//[cd]\\.e)?((/[ab]{1,2}){1,4}/?|/)", 0..30),
        filter in "[ab/]{0,2}",
    ) {
        let paths: Vec<RoutePath> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let infos: Vec<RouteInfo> = paths.iter().enumerate().map(|(at, path)| info(at, path)).collect();
        let mut readings = Readings::default();
        for info in &infos {
            let hits = u64::from(info.index);
            let reading = RouteReading { hits, hits_per_s: Some(hits as f64), ..Default::default() };
            std::sync::Arc::make_mut(&mut readings.routes).insert(info.index, reading);
        }
        let mut tree = Tree::new(&infos);
        tree.read(&readings);

        let all = rows(&tree, "", true);
        let mut routes: Vec<usize> = all.iter().filter_map(|row| tree.at(*row).route).collect();
        routes.sort_unstable();
        prop_assert_eq!(routes, (0..infos.len()).collect::<Vec<_>>());

        let roots = rows(&tree, "", false);
        let sum: u64 = roots.iter().map(|row| tree.reading(*row).hits).sum();
        prop_assert_eq!(sum, infos.iter().map(|info| u64::from(info.index)).sum::<u64>());
        for row in &all {
            if let NodeKey::Folder(prefix) = &tree.at(*row).key {
                let inside = infos.iter().filter(|info| path(info).starts_with(prefix.as_str()));
                let expected: u64 = inside.map(|info| u64::from(info.index)).sum();
                prop_assert_eq!(tree.reading(*row).hits, expected, "{}", prefix);
            }
        }

        let found: Vec<_> = rows(&tree, &filter, true).into_iter()
            .filter_map(|row| tree.at(row).route).map(|route| path(&infos[route]).to_owned()).collect();
        let mut expected: Vec<_> = infos.iter().map(path).filter(|path| path.contains(&filter)).map(str::to_owned).collect();
        let mut sorted = found.clone();
        sorted.sort();
        expected.sort();
        prop_assert_eq!(sorted, expected);
    }
}

/// The nodes that the widget shows, with all folders open or none.
fn rows(tree: &Tree, filter: &str, open: bool) -> Vec<usize> {
    let mut state = TreeState::default();
    for folder in tree.folders().filter(|_| open) {
        state.open(tree.trail(folder));
    }
    let items = tree.items(filter);
    state.flatten(&items).iter().map(|row| *row.identifier.last().unwrap()).collect()
}

fn info(at: usize, path: &RoutePath) -> RouteInfo {
    let template = Simulated::new(1).routes().unwrap()[0].clone();
    RouteInfo { index: 16 + at as u32, name: RouteName::Path(path.clone()), ..template }
}

fn path(info: &RouteInfo) -> &str {
    match &info.name {
        RouteName::Path(path) => path.as_str(),
        RouteName::Fixed(_) => "",
    }
}

#[test]
fn a_sample_that_is_not_newer_starts_anew() {
    let mut meter = Meter::new();
    meter.read(&sample(1_000, 10));
    assert!(meter.read(&sample(1_000, 20)).increase.is_none());
    assert!(meter.read(&sample(500, 30)).increase.is_none());
    assert_eq!(meter.read(&sample(1_500, 40)).per_s(|counters| counters.requests), Some(10.0));
}

#[test]
fn a_rate_covers_the_last_second_and_not_the_minute_before() {
    let mut meter = Meter::new();
    for quarter in 0..=40 {
        meter.read(&sample(quarter * 250, 0));
    }
    for quarter in 41..=44 {
        meter.read(&sample(quarter * 250, (quarter - 40) * 100));
    }
    let readings = meter.read(&sample(45 * 250, 500));
    assert_eq!(readings.per_s(|counters| counters.requests), Some(400.0));
}

#[test]
fn a_route_that_wakes_up_has_its_rate_at_once() {
    let mut meter = Meter::new();
    for quarter in 0..400 {
        meter.read(&sample(quarter * 250, 10));
    }
    assert_eq!(meter.read(&sample(100_000, 10)).routes[&16].hits_per_s, Some(0.0));
    let readings = meter.read(&sample(100_250, 110));
    assert_eq!(readings.routes[&16].hits_per_s, Some(400.0));
    assert_eq!(readings.trends[&16].spark[SPARK_POINTS - 1], 0.0);
}

#[test]
fn a_route_has_means_a_peak_and_a_curve_of_its_seconds() {
    let mut meter = Meter::new();
    let mut readings = meter.read(&sample(0, 0));
    assert!(readings.trends.is_empty());
    for (second, requests) in [10, 30, 30, 70].into_iter().enumerate() {
        for quarter in 1..=4 {
            readings = meter.read(&sample((second as u64 * 4 + quarter) * 250, requests));
        }
    }
    let trend = readings.trends[&16];
    assert_eq!(trend.spark[SPARK_POINTS - 4..], [10.0, 20.0, 0.0, 40.0]);
    assert_eq!(trend.hits.means(), [Some(17.5); 3]);
    assert_eq!(trend.hits.peak(), Some(40.0));
    assert_eq!(trend.bytes.peak(), Some(3600.0));
    assert_eq!(readings.spark(|counters| counters.requests), trend.spark);
}

#[test]
fn a_route_that_wakes_up_after_any_time_has_the_curve_of_all_its_seconds() {
    for idle_quarters in [9, 20, 42, 51, 200] {
        let mut meter = Meter::new();
        let (mut requests, mut readings) = (0, meter.read(&sample(0, 0)));
        for quarter in 1..=12 + idle_quarters + 12 {
            let is_idle = (13..=12 + idle_quarters).contains(&quarter);
            requests += if is_idle { 0 } else { quarter };
            readings = meter.read(&sample(quarter * 250, requests));
        }
        // Up to the end of the last whole second.
        let trend = readings.trends[&16];
        assert_eq!(trend.spark, readings.spark(|counters| counters.requests), "{idle_quarters}");
        let highest = trend.spark.iter().copied().fold(0.0, f32::max);
        assert_eq!(trend.hits.peak(), Some(f64::from(highest)), "{idle_quarters}");
    }
}

#[test]
fn a_route_that_is_new_under_an_old_index_starts_anew() {
    let mut meter = Meter::new();
    let hits = |requests| vec![(16, RouteHits { requests, delivered_bytes: 0 })];
    let at =
        |quarter: u64, requests| Sample { hits: hits(requests), ..sample(quarter * 250, quarter) };
    meter.read(&at(1, 1_000));
    meter.read(&at(2, 1_000));
    let readings = meter.read(&at(3, 5));
    assert!(readings.increase.is_some(), "the server is the same");
    assert_eq!(readings.routes[&16].hits_per_s, None);
    assert_eq!(meter.read(&at(4, 10)).routes[&16].hits_per_s, Some(20.0));
}

#[test]
fn what_the_console_shows_adds_up_to_what_the_server_counted() {
    let mut server = Simulated::new(3);
    let infos = server.routes().unwrap();
    let mut tree = Tree::new(&infos);
    let mut meter = Meter::new();
    for _ in 0..50 {
        let sample = server.sample().unwrap();
        let readings = meter.read(&sample);
        tree.read(&readings);
        let roots = rows(&tree, "", false);
        let hits: u64 = roots.iter().map(|row| tree.reading(*row).hits).sum();
        assert_eq!(hits, sample.totals().requests);
    }
}
