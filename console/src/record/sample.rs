//! Samples as differences, in few bytes.
//!
//! A sample is told as what has changed since the one before; the first after a start, since
//! nothing. Numbers are LEB128; differences wrap and are folded (zigzag), so that a small step in
//! either direction is one byte and any `u64` can be told. In order:
//!
//! 1. time of day in ns since the Unix epoch, the sample's own clock in ns, revision of the routes;
//! 2. how many CPUs there are, and for each: how many counters changed, and for each of them how
//!    many lie between it and the one before, and the difference;
//! 3. how many routes are not counted any more, and their indices; how many changed, and for each
//!    its index, the difference of its requests, and of its delivered bytes. Indices are told by
//!    what lies between them.
//!
//! Counters have no fixed places: the start names them ([`columns`]), so a reader of another
//! version finds each by its name.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use zeroserve_shared::{
    counters::{Counters, RouteHits},
    reason::{Egress, Reason, Verdict},
    refusal::Refusal,
};

use crate::server::Sample;

/// A machine has no more CPUs than this; a record that says so is damaged.
const MAX_CPUS: u64 = 1 << 16;

/// Shows every counter with its name, in an order that only this version need keep.
fn visit(counters: &mut Counters, mut see: impl FnMut(&dyn Fn() -> String, &mut u64)) {
    // Taken apart, so that a counter that is added is not forgotten here.
    let Counters {
        packets_in,
        bytes_in,
        verdicts,
        reasons,
        egress,
        packets_out,
        bytes_out,
        handshakes,
        flows_created,
        flows_removed,
        flows_narrowed,
        handed_off,
        handoffs_failed,
        requests,
        segments_repaired,
        refusals,
    } = counters;
    let single: [(&str, &mut u64); 12] = [
        ("packets_in", packets_in),
        ("bytes_in", bytes_in),
        ("packets_out", packets_out),
        ("bytes_out", bytes_out),
        ("handshakes", handshakes),
        ("flows_created", flows_created),
        ("flows_removed", flows_removed),
        ("flows_narrowed", flows_narrowed),
        ("handed_off", handed_off),
        ("handoffs_failed", handoffs_failed),
        ("requests", requests),
        ("segments_repaired", segments_repaired),
    ];
    for (name, value) in single {
        see(&|| name.to_owned(), value);
    }
    for (verdict, value) in Verdict::ALL.iter().zip(verdicts) {
        see(&|| format!("verdict.{}", verdict.name()), value);
    }
    for (reason, value) in Reason::ALL.iter().zip(reasons) {
        see(&|| format!("reason.{}", reason.name()), value);
    }
    for (outcome, value) in Egress::ALL.iter().zip(egress) {
        see(&|| format!("egress.{}", outcome.name()), value);
    }
    for (refusal, value) in Refusal::ALL.iter().zip(refusals) {
        see(&|| format!("refusal.{}", refusal.name()), value);
    }
}

/// The names of the counters, in the order in which this version tells them.
pub fn columns() -> Vec<String> {
    let (mut none, mut names) = (Counters::ZERO, Vec::new());
    visit(&mut none, |name, _| names.push(name()));
    names
}

fn values(counters: &Counters) -> Vec<u64> {
    let (mut copy, mut values) = (*counters, Vec::new());
    visit(&mut copy, |_, value| values.push(*value));
    values
}

/// Which of a recording's columns this version's counters are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// How many the recording has.
    count: usize,
    /// For each counter of this version, in order, its column.
    ours: Vec<Option<usize>>,
    /// Columns that this version does not know.
    pub unknown: Vec<String>,
}

impl Columns {
    /// Finds them by their names.
    pub fn new(names: &[String]) -> Self {
        let known = columns();
        let ours = known.iter().map(|name| names.iter().position(|other| other == name)).collect();
        let unknown = names.iter().filter(|name| !known.contains(name)).cloned().collect();
        Self { count: names.len(), ours, unknown }
    }

    fn counters(&self, values: &[u64]) -> Counters {
        let (mut counters, mut ours) = (Counters::ZERO, self.ours.iter());
        visit(&mut counters, |_, value| {
            let column = ours.next().copied().flatten();
            *value = column.and_then(|column| values.get(column).copied()).unwrap_or(0);
        });
        counters
    }
}

/// The values of the sample before, on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    unix_ns: u64,
    taken_ns: u64,
    revision: u64,
    cpus: Vec<Vec<u64>>,
    hits: BTreeMap<u32, RouteHits>,
}

impl State {
    /// When the sample was taken, by the calendar.
    pub fn at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.unix_ns)
    }

    /// When the sample was taken, by its own clock.
    pub fn taken(&self) -> Duration {
        Duration::from_nanos(self.taken_ns)
    }

    /// The sample.
    pub fn sample(&self, columns: &Columns) -> Sample {
        Sample {
            taken: self.taken(),
            cpus: self.cpus.iter().map(|values| columns.counters(values)).collect(),
            hits: self.hits.iter().map(|(index, hits)| (*index, *hits)).collect(),
            routes_revision: self.revision,
        }
    }

    /// Tells a sample, and remembers it.
    pub fn encode(&mut self, at: SystemTime, sample: &Sample) -> Vec<u8> {
        let next = Self {
            unix_ns: unix_ns(at),
            taken_ns: sample.taken.as_nanos() as u64,
            revision: sample.routes_revision,
            cpus: sample.cpus.iter().map(values).collect(),
            hits: sample.hits.iter().copied().collect(),
        };
        let mut out = Vec::new();
        put_step(&mut out, self.unix_ns, next.unix_ns);
        put_step(&mut out, self.taken_ns, next.taken_ns);
        put_step(&mut out, self.revision, next.revision);
        put(&mut out, next.cpus.len() as u64);
        for (cpu, values) in next.cpus.iter().enumerate() {
            put_cpu(&mut out, self.cpus.get(cpu).map_or(&[], Vec::as_slice), values);
        }
        put_hits(&mut out, &self.hits, &next.hits);
        *self = next;
        out
    }

    /// Takes what [`State::encode`] told. None if it is no sample; then this is of no more use.
    pub fn decode(&mut self, columns: &Columns, payload: &[u8]) -> Option<()> {
        let mut input = payload;
        self.unix_ns = take_step(&mut input, self.unix_ns)?;
        self.taken_ns = take_step(&mut input, self.taken_ns)?;
        self.revision = take_step(&mut input, self.revision)?;
        let cpus = take(&mut input).filter(|cpus| *cpus <= MAX_CPUS)?;
        self.cpus.resize_with(cpus as usize, Vec::new);
        for values in &mut self.cpus {
            values.resize(columns.count, 0);
            take_cpu(&mut input, values)?;
        }
        take_hits(&mut input, &mut self.hits)?;
        input.is_empty().then_some(())
    }
}

/// Nanoseconds since the Unix epoch: enough until the year 2554.
pub(super) fn unix_ns(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn put_cpu(out: &mut Vec<u8>, old: &[u64], new: &[u64]) {
    let before = |column: usize| old.get(column).copied().unwrap_or(0);
    let changed: Vec<_> = (0..new.len()).filter(|at| new[*at] != before(*at)).collect();
    put(out, changed.len() as u64);
    let mut next = 0;
    for column in changed {
        put(out, (column - next) as u64);
        put_step(out, before(column), new[column]);
        next = column + 1;
    }
}

fn take_cpu(input: &mut &[u8], values: &mut [u64]) -> Option<()> {
    let mut next = 0usize;
    for _ in 0..take(input)? {
        let column = next.checked_add(take(input)? as usize)?;
        let value = values.get_mut(column)?;
        *value = take_step(input, *value)?;
        next = column + 1;
    }
    Some(())
}

type Hits = BTreeMap<u32, RouteHits>;

fn put_hits(out: &mut Vec<u8>, old: &Hits, new: &Hits) {
    let gone: Vec<_> = old.keys().filter(|index| !new.contains_key(index)).collect();
    put(out, gone.len() as u64);
    let mut next = 0;
    for index in gone {
        put(out, u64::from(index - next));
        next = index.saturating_add(1);
    }
    // A route without hits is told, too, when it is new: a sample says which routes there are.
    let changed: Vec<_> =
        new.iter().filter(|(index, hits)| old.get(index) != Some(*hits)).collect();
    put(out, changed.len() as u64);
    next = 0;
    for (index, hits) in changed {
        let before = old.get(index).copied().unwrap_or_default();
        put(out, u64::from(index - next));
        put_step(out, before.requests, hits.requests);
        put_step(out, before.delivered_bytes, hits.delivered_bytes);
        next = index.saturating_add(1);
    }
}

fn take_hits(input: &mut &[u8], hits: &mut Hits) -> Option<()> {
    let mut next = 0u32;
    for _ in 0..take(input)? {
        let index = next.checked_add(u32::try_from(take(input)?).ok()?)?;
        hits.remove(&index)?;
        next = index.saturating_add(1);
    }
    next = 0;
    for _ in 0..take(input)? {
        let index = next.checked_add(u32::try_from(take(input)?).ok()?)?;
        let route = hits.entry(index).or_default();
        route.requests = take_step(input, route.requests)?;
        route.delivered_bytes = take_step(input, route.delivered_bytes)?;
        next = index.saturating_add(1);
    }
    Some(())
}

/// Appends a number as LEB128.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a difference, folded: 0, -1, 1, -2, ...
fn put_step(out: &mut Vec<u8>, old: u64, new: u64) {
    let step = new.wrapping_sub(old) as i64;
    put(out, ((step << 1) ^ (step >> 63)) as u64);
}

fn take(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_step(input: &mut &[u8], old: u64) -> Option<u64> {
    let folded = take(input)?;
    let step = (folded >> 1) as i64 ^ -((folded & 1) as i64);
    Some(old.wrapping_add(step as u64))
}
