//! From samples to what is shown: totals, rates, and the history behind the chart.
//!
//! Counters only rise, so a counter that has fallen belongs to another server (stopped and
//! attached again) or to another route under an old index: everything about it starts anew.
//! Rates are increases over the time that really passed, as [`Sample::taken`] tells it, so a
//! late sample, or a console that was stopped for an hour, changes nothing about their truth.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use zeroserve_shared::{
    counters::{Counters, RouteHits},
    reason::{Egress, Reason, Verdict},
    refusal::Refusal,
};

use crate::server::Sample;

/// A rate is the mean over this much time, if there are samples that old: long enough to read.
const WINDOW: Duration = Duration::from_secs(1);

/// How much time one point of the history covers, at least.
const POINT: Duration = Duration::from_secs(1);

/// Points of history kept: a quarter of an hour.
const POINTS: usize = 900;

/// A struct made of nothing but `u64` counters.
pub(crate) trait Counts: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {}

impl Counts for Counters {}
impl Counts for RouteHits {}

/// By how much counters rose, and in which time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Increase<T> {
    pub(crate) by: T,
    pub(crate) over: Duration,
}

impl<T> Increase<T> {
    /// One of the counters, per second.
    pub(crate) fn per_s(&self, pick: impl Fn(&T) -> u64) -> f64 {
        pick(&self.by) as f64 / self.over.as_secs_f64()
    }
}

/// What `newer` has more than `older`; nothing if any counter has fallen.
pub(crate) fn difference<T: Counts>(newer: &T, older: &T) -> Option<T> {
    let mut difference = *newer;
    for (bytes, (newer, older)) in difference
        .as_mut_bytes()
        .chunks_exact_mut(8)
        .zip(newer.as_bytes().chunks_exact(8).zip(older.as_bytes().chunks_exact(8)))
    {
        let value = |bytes: &[u8]| u64::read_from_bytes(bytes).unwrap_or_default();
        bytes.copy_from_slice(value(newer).checked_sub(value(older))?.as_bytes());
    }
    Some(difference)
}

/// The latest values of some counters, as far back as a rate looks.
#[derive(Clone, Debug)]
pub(crate) struct Series<T> {
    values: VecDeque<(Duration, T)>,
}

impl<T: Counts> Series<T> {
    pub(crate) fn new() -> Self {
        Self { values: VecDeque::new() }
    }

    /// Takes newer values. Returns what they have more than the latest, if they continue it.
    pub(crate) fn push(&mut self, taken: Duration, values: T) -> Option<Increase<T>> {
        let step = self.values.back().and_then(|(before, older)| {
            let over = taken.checked_sub(*before).filter(|over| !over.is_zero())?;
            Some(Increase { by: difference(&values, older)?, over })
        });
        if step.is_none() {
            self.values.clear();
        }
        self.values.push_back((taken, values));
        while self.values.len() > 2 && taken - self.values[0].0 > WINDOW {
            self.values.pop_front();
        }
        step
    }

    /// The increase over the window, once there are two samples.
    pub(crate) fn increase(&self) -> Option<Increase<T>> {
        let ((start, oldest), (end, newest)) = (self.values.front()?, self.values.back()?);
        let over = end.checked_sub(*start).filter(|over| !over.is_zero())?;
        Some(Increase { by: difference(newest, oldest)?, over })
    }
}

/// Hits and bytes of a route, or of everything in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RouteReading {
    pub(crate) hits: u64,
    pub(crate) bytes: u64,
    pub(crate) hits_per_s: Option<f64>,
    pub(crate) bytes_per_s: Option<f64>,
}

impl RouteReading {
    /// Adds another route's: unknown rates count for nothing unless all are unknown.
    pub(crate) fn add(&mut self, other: &Self) {
        let sum = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.hits += other.hits;
        self.bytes += other.bytes;
        self.hits_per_s = sum(self.hits_per_s, other.hits_per_s);
        self.bytes_per_s = sum(self.bytes_per_s, other.bytes_per_s);
    }
}

/// What happened in one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// When it ended.
    pub(crate) end: Duration,
    /// How long it was.
    pub(crate) over: Duration,
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
}

/// Everything the screens show of the counters, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Readings {
    /// Of the sample it came from; none before the first.
    pub(crate) taken: Option<Duration>,
    /// Since the server was attached.
    pub(crate) totals: Option<Counters>,
    /// Over the last second or so.
    pub(crate) increase: Option<Increase<Counters>>,
    /// By route index.
    pub(crate) routes: HashMap<u32, RouteReading>,
    /// Oldest first.
    pub(crate) history: Arc<VecDeque<Point>>,
}

impl Readings {
    /// One of the counters, since the server was attached.
    pub(crate) fn total(&self, pick: impl Fn(&Counters) -> u64) -> Option<u64> {
        self.totals.as_ref().map(pick)
    }

    /// One of the counters, per second.
    pub(crate) fn per_s(&self, pick: impl Fn(&Counters) -> u64) -> Option<f64> {
        self.increase.as_ref().map(|increase| increase.per_s(pick))
    }

    /// How often a reason was counted, and how often per second.
    pub(crate) fn reason(&self, reason: Reason) -> (u64, Option<f64>) {
        let pick = |counters: &Counters| counters.reasons[reason as usize];
        (self.total(pick).unwrap_or(0), self.per_s(pick))
    }

    /// How often an outcome of the egress program was counted, and how often per second.
    pub(crate) fn egress(&self, outcome: Egress) -> (u64, Option<f64>) {
        let pick = |counters: &Counters| counters.egress[outcome as usize];
        (self.total(pick).unwrap_or(0), self.per_s(pick))
    }

    /// How often requests were refused for that, and how often per second.
    pub(crate) fn refusal(&self, refusal: Refusal) -> (u64, Option<f64>) {
        let pick = |counters: &Counters| counters.refusals[refusal as usize];
        (self.total(pick).unwrap_or(0), self.per_s(pick))
    }

    /// How often a verdict was counted, and how often per second.
    pub(crate) fn verdict(&self, verdict: Verdict) -> (u64, Option<f64>) {
        let pick = |counters: &Counters| counters.verdicts[verdict as usize];
        (self.total(pick).unwrap_or(0), self.per_s(pick))
    }
}

/// Counts on with every sample, whether or not anybody looks.
#[derive(Debug)]
pub(crate) struct Meter {
    totals: Series<Counters>,
    routes: HashMap<u32, Series<RouteHits>>,
    history: VecDeque<Point>,
    /// The point of the history that is not full yet.
    open: Option<Point>,
    shared: Arc<VecDeque<Point>>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            totals: Series::new(),
            routes: HashMap::new(),
            history: VecDeque::new(),
            open: None,
            shared: Arc::default(),
        }
    }

    /// Takes a sample and tells what there is to show now.
    pub(crate) fn read(&mut self, sample: &Sample) -> Readings {
        let totals = sample.totals();
        match self.totals.push(sample.taken, totals) {
            Some(step) => self.remember(sample.taken, &step),
            None => {
                // Another server, or the first sample: its clock and counters have another origin.
                self.history.clear();
                self.open = None;
                self.routes.clear();
                self.shared = Arc::default();
            }
        }
        let mut routes = HashMap::with_capacity(sample.hits.len());
        for (index, hits) in &sample.hits {
            let series = self.routes.entry(*index).or_insert_with(Series::new);
            series.push(sample.taken, *hits);
            let increase = series.increase();
            let reading = RouteReading {
                hits: hits.requests,
                bytes: hits.delivered_bytes,
                hits_per_s: increase.map(|rise| rise.per_s(|hits| hits.requests)),
                bytes_per_s: increase.map(|rise| rise.per_s(|hits| hits.delivered_bytes)),
            };
            routes.insert(*index, reading);
        }
        self.routes.retain(|index, _| routes.contains_key(index));
        Readings {
            taken: Some(sample.taken),
            totals: Some(totals),
            increase: self.totals.increase(),
            routes,
            history: Arc::clone(&self.shared),
        }
    }

    fn remember(&mut self, taken: Duration, step: &Increase<Counters>) {
        let nothing = Point { end: taken, over: Duration::ZERO, requests: 0, bytes: 0 };
        let point = self.open.get_or_insert(nothing);
        point.end = taken;
        point.over += step.over;
        point.requests += step.by.requests;
        point.bytes += step.by.bytes_out;
        if point.over >= POINT {
            self.history.extend(self.open.take());
            if self.history.len() > POINTS {
                self.history.pop_front();
            }
            self.shared = Arc::new(self.history.clone());
        }
    }

    /// The point that is not in the history yet.
    #[cfg(test)]
    pub(crate) fn open(&self) -> Option<Point> {
        self.open
    }
}
