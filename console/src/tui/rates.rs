//! From samples to what is shown: totals, rates, their means, and the history behind the chart.
//!
//! Counters only rise, so a counter that has fallen belongs to another server (stopped and
//! attached again) or to another route under an old index: everything about it starts anew.
//! Rates are increases over the time that really passed, as [`Sample::taken`] tells it, so a
//! late sample, or a console that was stopped for an hour, changes nothing about their truth.
//!
//! | module | what it is for |
//! |---|---|
//! | `around` | what a packet costs, and how fast the kernel's counters rise |
//! | `cpus` | what each CPU does |
//! | `figure` | the figures of the header: which counters they come from |
//! | `series` | the latest values of counters, and by how much they rose |
//! | `trend` | means over longer times, the peak, and the last seconds as a curve |

mod around;
mod cpus;
mod figure;
mod series;
mod trend;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use zeroserve_shared::{
    counters::{Counters, RouteHits},
    reason::{Egress, Reason, Verdict},
    refusal::Refusal,
};

pub(crate) use self::{
    around::Around,
    cpus::{CpuReading, Spread},
    figure::{FIGURES, Figure, drops},
    series::Increase,
    trend::{MEANS_S, RouteTrend, SPARK_POINTS, Trend},
};
use self::{cpus::CpuMeters, series::Series};
use crate::server::Sample;

/// How much time one point of the history covers, at least.
const POINT: Duration = Duration::from_secs(1);

/// How often the trends of routes go on while nobody asks for any of them: with ten thousand routes that
/// is most of what an idle console does, and they only fall.
const IDLE: Duration = Duration::from_secs(5);

/// Points of history kept: half an hour.
const POINTS: usize = 1800;

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
    /// See [`drops`].
    pub(crate) drops: u64,
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
    /// Over longer times, by the order of [`FIGURES`].
    pub(crate) figures: [Trend; FIGURES.len()],
    /// By the number of the CPU.
    pub(crate) cpus: Vec<CpuReading>,
    /// By route index.
    pub(crate) routes: Arc<HashMap<u32, RouteReading>>,
    /// By route index, as of the last point of the history.
    pub(crate) trends: Arc<HashMap<u32, RouteTrend>>,
    /// Oldest first.
    pub(crate) history: Arc<VecDeque<Point>>,
    /// By how much everything rose in the last points, oldest first.
    pub(crate) lately: Arc<VecDeque<Increase<Counters>>>,
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

    /// One of the counters, per second, in the last seconds, the newest last.
    pub(crate) fn spark(&self, pick: impl Fn(&Counters) -> u64) -> [f32; SPARK_POINTS] {
        let mut spark = [0.0; SPARK_POINTS];
        for (place, rise) in spark.iter_mut().rev().zip(self.lately.iter().rev()) {
            *place = rise.per_s(&pick) as f32;
        }
        spark
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
    figures: [Trend; FIGURES.len()],
    /// When the open point began, and what had been counted then.
    begun: (Duration, Counters),
    cpus: CpuMeters,
    routes: HashMap<u32, RouteMeter>,
    /// The hits of the last sample, and when they were others.
    hits: Vec<(u32, RouteHits)>,
    moved: Duration,
    /// Whether the last sample was not counted on by route, and when it was taken.
    is_idle: bool,
    seen: Duration,
    /// When the trends of routes went on last, and when the last point of the history was full.
    closed: Duration,
    full: Duration,
    readings: Arc<HashMap<u32, RouteReading>>,
    history: VecDeque<Point>,
    /// The point of the history that is not full yet.
    open: Option<Point>,
    shared: Arc<VecDeque<Point>>,
    lately: Arc<VecDeque<Increase<Counters>>>,
    trends: Arc<HashMap<u32, RouteTrend>>,
}

/// Counts on for one route.
#[derive(Debug)]
struct RouteMeter {
    series: Series<RouteHits>,
    trend: RouteTrend,
    /// When the open point began, and what had been counted then.
    begun: (Duration, RouteHits),
}

impl RouteMeter {
    fn new(taken: Duration, hits: RouteHits) -> Self {
        Self { series: Series::new(), trend: RouteTrend::new(), begun: (taken, hits) }
    }

    fn push(&mut self, taken: Duration, hits: RouteHits) {
        if self.series.push(taken, hits).is_none() {
            // New, or another route under an old index.
            (self.trend, self.begun) = (RouteTrend::new(), (taken, hits));
        }
    }

    /// A point of the history is full.
    fn close(&mut self, taken: Duration, hits: RouteHits) {
        let (start, before) = self.begun;
        let over = taken.saturating_sub(start);
        if let Some(by) = series::difference(&hits, &before).filter(|_| !over.is_zero()) {
            let rise = Increase { by, over };
            let per_s = |pick: fn(&RouteHits) -> u64| rise.per_s(pick);
            let (hits_per_s, bytes_per_s) =
                (per_s(|hits| hits.requests), per_s(|hits| hits.delivered_bytes));
            self.trend.push_point(hits_per_s, bytes_per_s, over);
        }
        self.begun = (taken, hits);
    }

    fn reading(&self, hits: RouteHits) -> RouteReading {
        let increase = self.series.increase();
        RouteReading {
            hits: hits.requests,
            bytes: hits.delivered_bytes,
            hits_per_s: increase.map(|rise| rise.per_s(|hits| hits.requests)),
            bytes_per_s: increase.map(|rise| rise.per_s(|hits| hits.delivered_bytes)),
        }
    }
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            totals: Series::new(),
            figures: Default::default(),
            begun: (Duration::ZERO, Counters::ZERO),
            cpus: CpuMeters::default(),
            routes: HashMap::new(),
            hits: Vec::new(),
            moved: Duration::ZERO,
            is_idle: false,
            seen: Duration::ZERO,
            closed: Duration::ZERO,
            full: Duration::ZERO,
            readings: Arc::default(),
            history: VecDeque::new(),
            open: None,
            shared: Arc::default(),
            lately: Arc::default(),
            trends: Arc::default(),
        }
    }

    /// Takes a sample and tells what there is to show now.
    pub(crate) fn read(&mut self, sample: &Sample) -> Readings {
        let totals = sample.totals();
        let full = match self.totals.push(sample.taken, totals) {
            Some(step) => self.remember(sample.taken, &totals, &step),
            None => {
                // Another server, or the first sample: its clock and counters have another origin.
                let series = std::mem::replace(&mut self.totals, Series::new());
                *self = Self { totals: series, begun: (sample.taken, totals), ..Self::new() };
                false
            }
        };
        let routes = self.read_routes(sample, full);
        Readings {
            taken: Some(sample.taken),
            totals: Some(totals),
            increase: self.totals.increase(),
            figures: self.figures,
            cpus: self.cpus.read(sample),
            routes,
            trends: Arc::clone(&self.trends),
            history: Arc::clone(&self.shared),
            lately: Arc::clone(&self.lately),
        }
    }

    fn read_routes(&mut self, sample: &Sample, full: bool) -> Arc<HashMap<u32, RouteReading>> {
        if sample.hits != self.hits {
            self.catch_up();
            (self.hits, self.moved) = (sample.hits.clone(), sample.taken);
        }
        // What nobody asks for has its rates at zero once a window has passed: with ten thousand
        // routes, counting on would be nearly all that an idle console does.
        let is_idle = sample.taken.saturating_sub(self.moved) > 2 * POINT;
        if !is_idle {
            let mut routes = HashMap::with_capacity(sample.hits.len());
            for (index, hits) in &sample.hits {
                let new = || RouteMeter::new(sample.taken, *hits);
                let meter = self.routes.entry(*index).or_insert_with(new);
                meter.push(sample.taken, *hits);
                routes.insert(*index, meter.reading(*hits));
            }
            if self.routes.len() > routes.len() {
                self.routes.retain(|index, _| routes.contains_key(index));
            }
            self.readings = Arc::new(routes);
        }
        (self.is_idle, self.seen) = (is_idle, sample.taken);
        if full && (!is_idle || sample.taken.saturating_sub(self.closed) >= IDLE) {
            self.closed = sample.taken;
            for (index, hits) in &sample.hits {
                if let Some(meter) = self.routes.get_mut(index) {
                    meter.close(sample.taken, *hits);
                }
            }
            let trends = self.routes.iter().map(|(index, meter)| (*index, meter.trend));
            self.trends = Arc::new(trends.collect());
        }
        if full {
            self.full = sample.taken;
        }
        Arc::clone(&self.readings)
    }

    /// Tells routes that were not counted on what the last sample said of them: neither a rate nor a
    /// point may be spread over all the time in which nothing happened.
    fn catch_up(&mut self) {
        for (index, hits) in self.hits.iter().filter(|_| self.is_idle) {
            if let Some(meter) = self.routes.get_mut(index) {
                meter.push(self.seen, *hits);
                meter.close(self.full, *hits);
            }
        }
    }

    /// Takes a step into trends and history. Returns whether a point of the history is full now.
    fn remember(&mut self, taken: Duration, totals: &Counters, step: &Increase<Counters>) -> bool {
        for (trend, figure) in self.figures.iter_mut().zip(FIGURES) {
            trend.push(step.per_s(figure.pick), step.over);
        }
        let nothing = Point { end: taken, over: Duration::ZERO, requests: 0, bytes: 0, drops: 0 };
        let point = self.open.get_or_insert(nothing);
        point.end = taken;
        point.over += step.over;
        point.requests += step.by.requests;
        point.bytes += step.by.bytes_out;
        point.drops += drops(&step.by);
        if point.over < POINT {
            return false;
        }
        let (start, before) = std::mem::replace(&mut self.begun, (taken, *totals));
        if let Some(by) = series::difference(totals, &before) {
            let rise = Increase { by, over: taken.saturating_sub(start) };
            for (trend, figure) in self.figures.iter_mut().zip(FIGURES) {
                trend.push_point(rise.per_s(figure.pick));
            }
            let lately = Arc::make_mut(&mut self.lately);
            lately.push_back(rise);
            if lately.len() > SPARK_POINTS {
                lately.pop_front();
            }
        }
        self.history.extend(self.open.take());
        if self.history.len() > POINTS {
            self.history.pop_front();
        }
        self.shared = Arc::new(self.history.clone());
        true
    }

    /// The point that is not in the history yet.
    #[cfg(test)]
    pub(crate) fn open(&self) -> Option<Point> {
        self.open
    }
}
