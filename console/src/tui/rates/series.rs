//! The latest values of counters, and by how much they rose.

use std::{collections::VecDeque, time::Duration};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use zeroserve_shared::counters::{Counters, RouteHits};

/// A rate is the mean over this much time, if there are samples that old: long enough to read.
const WINDOW: Duration = Duration::from_secs(1);

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
