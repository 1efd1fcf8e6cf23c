//! Rates, history and sums tell the truth, whatever the samples do.

use std::time::Duration;

use proptest::prelude::*;
use tui_tree_widget::TreeState;
use zeroserve_shared::counters::{Counters, RouteHits};

use crate::{
    content::RoutePath,
    server::{RouteInfo, RouteName, Sample, Server as _},
    simulated::Simulated,
    tui::{
        rates::{Meter, Readings, RouteReading},
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
    let counters = Counters { requests, bytes_out: requests * 100, ..Counters::ZERO };
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
            assert_eq!(points.map(|point| point.requests).sum::<u64>(), counted);
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
            ];
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
            readings.routes.insert(info.index, reading);
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
