//! An hour of a console at work, with routes that come and go, as fast as it can be computed: what
//! it holds stays bounded, and what it shows goes on adding up.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::VecDeque,
    fs,
    sync::Arc,
};

use super::Run;
use crate::{
    content::{Rendered, RoutePath},
    record::{Recorded, Recording, Summary},
    server::Change,
    simulated::Simulated,
};

/// Ticks in a minute.
const MINUTE: u32 = 240;

/// How many routes come and go at a time.
const CHURNING: usize = 40;

/// Bytes of one of the two files of the black box.
const FILE_BYTES: u64 = 256 << 10;

/// What is allocated and not freed, for each thread: other tests run beside this one.
struct Counting;

thread_local! {
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends frees what it has after its own counter is gone.
    let _ = LIVE_BYTES.try_with(|live| live.set(live.get() + bytes));
}

// SAFETY: every call is handed on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the promises that `alloc` asks for, and this passes them on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as for `alloc`; the pointer came from the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Publishes a route and, once there are enough, removes the oldest of them.
fn churn(run: &mut Run, number: u32, published: &mut VecDeque<RoutePath>) -> u64 {
    let path: RoutePath = format!("/release-{number}/index.html").parse().unwrap();
    let rendered = Rendered::ok("text/html".into(), b"for a while", None);
    run.server.apply(Change::Add(path.clone(), Arc::new(rendered))).unwrap();
    published.push_back(path);
    if published.len() <= CHURNING {
        return 0;
    }
    let oldest = published.pop_front().unwrap();
    let index = run.model.route_at(oldest.as_str()).unwrap().index;
    let hits = run.model.latest.routes[&index].hits;
    run.server.apply(Change::Remove(oldest)).unwrap();
    hits
}

#[test]
fn an_hour_with_routes_that_come_and_go_leaves_nothing_behind_and_goes_on_adding_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Recorded::in_folder(Box::new(Simulated::new(1)), folder.path(), FILE_BYTES);
    let server = server.unwrap().with_clock(|sample| std::time::UNIX_EPOCH + sample.taken);
    let mut run = Run::on(server, 160, 48);
    // With the requests on view, which come and go as well.
    run.press("6");
    let (mut published, mut gone, mut totals) = (VecDeque::new(), 0, VecDeque::new());
    let mut live_bytes = Vec::new();
    for minute in 0..60 {
        for tick in 0..MINUTE {
            if tick % 4 == 0 {
                gone += churn(&mut run, minute * MINUTE + tick, &mut published);
            }
            run.ticks(1);
            let shown = Arc::clone(&run.model.shown);
            totals.push_back((shown.taken.unwrap(), shown.totals.unwrap().requests));
        }
        run.screen();
        adds_up(&run, gone, &mut totals);
        live_bytes.push(LIVE_BYTES.get());
    }
    // A quarter of an hour of history is full by then, and every list has its greatest length.
    let (first, last) = (live_bytes[30], live_bytes[59]);
    let most = live_bytes[30..].iter().max().unwrap();
    assert!(last - first < 16 << 10, "{first} bytes after half an hour, {last} after an hour");
    assert!(most - first < 64 << 10, "{first} bytes after half an hour, {most} at most");
    recorded_adds_up(folder.path());
}

/// Whether routes and history say what the totals say.
fn adds_up(run: &Run, gone: u64, totals: &mut VecDeque<(std::time::Duration, u64)>) {
    let readings = &run.model.shown;
    let now = readings.totals.unwrap().requests;
    let hits: u64 = readings.routes.values().map(|route| route.hits).sum();
    assert_eq!(hits + gone, now, "hits of routes, and of those that are gone");
    let history = &readings.history;
    let Some(oldest) = history.front() else { return };
    let since = oldest.end - oldest.over;
    while totals.front().is_some_and(|(taken, _)| *taken < since) {
        totals.pop_front();
    }
    let points = history.iter().copied().chain(run.model.meter.open());
    let risen: u64 = points.map(|point| point.requests).sum();
    assert_eq!(risen, now - totals[0].1, "what the chart shows");
}

fn recorded_adds_up(folder: &std::path::Path) {
    let bytes = |name: &str| fs::metadata(folder.join(name)).unwrap().len();
    assert!(bytes("eth0.zsr") + bytes("eth0.zsr.old") < 5 * FILE_BYTES / 2);
    for name in ["eth0.zsr", "eth0.zsr.old"] {
        let recording = Recording::open(&folder.join(name)).unwrap();
        assert_eq!(recording.damage, None);
        let samples: Vec<_> = recording.events().map(|event| event.outcome.unwrap()).collect();
        assert!(samples.len() > 10, "{} samples in {name}", samples.len());
        let requests = |at: usize| samples[at].totals().requests;
        let risen = requests(samples.len() - 1) - requests(0);
        assert_eq!(Summary::new(&recording).document()["totals"]["requests"], risen);
    }
}
