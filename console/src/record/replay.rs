//! A recording as a server: seek, speed, pause.
//!
//! A [`Replay`] is looked at like any other server and refuses every change. Time passes in it as
//! fast as it is told: [`Replay::play`] moves on by the time since it was asked last, and returns
//! every sample on the way, so that nothing is left out at any speed. After a jump it returns what
//! had happened in the quarter of an hour before, so that a chart has its history.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    document::Action,
    reading::{Cursor, Entry, Recording},
};
use crate::{
    observe::{Seen, Wanted},
    server::{Change, ChangeError, Identity, RouteInfo, Sample, Server},
};

/// How far one step back or forward goes.
pub const STEP: Duration = Duration::from_secs(10);

/// The speeds there are.
pub const SPEEDS: [u32; 4] = [1, 2, 10, 60];

/// How much of the past is told after a jump.
const BACKLOG: Duration = Duration::from_secs(20 * 60);

/// How much of it is told with routes and CPUs apart: what rates look back at.
const IN_FULL: Duration = Duration::from_secs(2);

/// Samples of the backlog are at least this far apart.
const BACKLOG_STEP: Duration = Duration::from_millis(900);

/// A longer way forward is a jump.
const LONGEST_WAY: Duration = Duration::from_secs(60);

/// However long nobody asked, no more than this passes at a time: a console that was asleep
/// shall not find the recording over.
const LONGEST_PASS: Duration = Duration::from_secs(1);

/// What can be asked of a recording that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Stop time, or let it go on.
    Pause,
    /// The next of the [`SPEEDS`], and the first after the last.
    Speed,
    /// Ten seconds back.
    Back,
    /// Ten seconds forward.
    Forward,
    /// To where it begins.
    Begin,
    /// To where it ends.
    End,
}

/// What is shown now, and what happened since the last time.
#[derive(Clone, Debug)]
pub struct Playing {
    /// The time that is shown.
    pub at: SystemTime,
    /// How far it is from the beginning; long silences are passed over.
    pub position: Duration,
    /// How long the recording is.
    pub length: Duration,
    /// How many seconds pass in one.
    pub speed: u32,
    /// Whether time stands still.
    pub paused: bool,
    /// Whether the samples do not go on from those before: whoever counts begins anew.
    pub anew: bool,
    /// Every sample on the way, or why there was none.
    pub samples: Vec<Result<Sample, String>>,
    /// What the operator did until now.
    pub actions: Vec<Action>,
    /// Whom the samples are of: it may have been attached anew.
    pub identity: Identity,
}

/// A recording that plays.
#[derive(Debug)]
pub struct Replay {
    recording: Recording,
    identity: Identity,
    cursor: Cursor,
    position: Duration,
    speed: usize,
    paused: bool,
    /// Whether nothing was told yet.
    fresh: bool,
    asked: Option<Instant>,
    /// Passes between two questions instead of what the clock says.
    step: Option<Duration>,
}

impl Replay {
    /// Plays a recording from its beginning.
    pub fn new(recording: Recording) -> Self {
        let identity = recording.identity();
        let cursor = Cursor::at_entry(&recording, 0);
        Self {
            recording,
            identity,
            cursor,
            position: Duration::ZERO,
            speed: 0,
            paused: false,
            fresh: true,
            asked: None,
            step: None,
        }
    }

    /// With so much time between two questions, whatever the clock says.
    #[must_use]
    pub fn stepping(self, step: Duration) -> Self {
        Self { step: Some(step), ..self }
    }

    /// What is played.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Does what was asked, lets the time pass, and tells what happened.
    pub fn play(&mut self, order: Option<Play>) -> Playing {
        let passed = self.passed();
        let passed = if self.paused { Duration::ZERO } else { passed * SPEEDS[self.speed] };
        let length = self.recording.length();
        let now = (self.position + passed).min(length);
        let target = match order {
            None => now,
            Some(Play::Pause) => {
                self.paused = !self.paused;
                now
            }
            Some(Play::Speed) => {
                self.speed = (self.speed + 1) % SPEEDS.len();
                now
            }
            Some(Play::Back) => now.saturating_sub(STEP),
            Some(Play::Forward) => now + STEP,
            Some(Play::Begin) => Duration::ZERO,
            Some(Play::End) => length,
        };
        self.go(target.min(length))
    }

    fn passed(&mut self) -> Duration {
        let now = Instant::now();
        // Time begins to pass with the first question.
        let Some(asked) = self.asked.replace(now) else { return Duration::ZERO };
        self.step.unwrap_or((now - asked).min(LONGEST_PASS))
    }

    fn go(&mut self, target: Duration) -> Playing {
        let jumps = self.fresh
            || target < self.position
            || target.saturating_sub(self.position) > LONGEST_WAY;
        if jumps {
            let from = target.saturating_sub(BACKLOG);
            let first = self.recording.entries.partition_point(|entry| entry.position < from);
            self.cursor = Cursor::at_entry(&self.recording, first);
        }
        self.fresh = false;
        self.position = target;
        let samples = self.samples_until(target, jumps);
        let last = self.last_entry();
        if let Some(identity) = self.cursor.decoder.identity() {
            self.identity = identity;
        }
        Playing {
            at: last.map_or(SystemTime::UNIX_EPOCH, |entry| self.time_after(&entry)),
            position: target,
            length: self.recording.length(),
            speed: SPEEDS[self.speed],
            paused: self.paused,
            anew: jumps,
            samples,
            actions: self.actions(last.as_ref()),
            identity: self.identity.clone(),
        }
    }

    /// Goes on until a place, and collects what happens. After a jump, what lies well before the
    /// place is told once a second and without routes: thousands of them would fill the memory.
    fn samples_until(&mut self, target: Duration, jumps: bool) -> Vec<Result<Sample, String>> {
        let mut samples = Vec::new();
        let mut told: Option<Duration> = None;
        while let Some(entry) = self.recording.entries.get(self.cursor.next) {
            if entry.position > target {
                break;
            }
            let Some(entry) = self.cursor.advance(&self.recording) else { break };
            let in_full = !jumps || target - entry.position <= IN_FULL;
            let due = told.is_none_or(|before| entry.position >= before + BACKLOG_STEP);
            if in_full || due {
                let mut outcome = self.cursor.decoder.event().outcome;
                if let (Ok(sample), false) = (&mut outcome, in_full) {
                    *sample =
                        Sample { cpus: vec![sample.totals()], hits: vec![], ..sample.clone() };
                }
                samples.push(outcome);
                told = Some(entry.position);
            }
        }
        samples
    }

    /// The last entry that was passed.
    fn last_entry(&self) -> Option<Entry> {
        self.recording.entries.get(self.cursor.next.checked_sub(1)?).copied()
    }

    /// The time of day at the position, which lies behind an entry, or at the next one's.
    fn time_after(&self, entry: &Entry) -> SystemTime {
        let at = entry.at + self.position.saturating_sub(entry.position);
        let next = self.recording.entries.get(self.cursor.next);
        // In a gap, time stands still until the recording goes on.
        match next {
            Some(next) if next.after_gap => entry.at,
            Some(next) => at.min(next.at.max(entry.at)),
            None => at,
        }
    }

    fn actions(&self, last: Option<&Entry>) -> Vec<Action> {
        // What was done between two samples shows with the second; at the end, everything does.
        let at_the_end = self.cursor.next == self.recording.entries.len();
        let told = if at_the_end { usize::MAX } else { last.map_or(0, |entry| entry.actions) };
        self.recording.actions[..told.min(self.recording.actions.len())].to_vec()
    }
}

impl Server for Replay {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        if self.fresh {
            self.go(Duration::ZERO);
        }
        self.cursor.decoder.event().outcome.map_err(anyhow::Error::msg)
    }

    fn routes(&mut self) -> anyhow::Result<Arc<[RouteInfo]>> {
        Ok(self.cursor.decoder.routes())
    }

    fn observe(&mut self, _wanted: &Wanted) -> anyhow::Result<Seen> {
        // Single packets and requests are not recorded.
        Ok(Seen::default())
    }

    fn apply(&mut self, _change: Change) -> Result<(), ChangeError> {
        Err(ChangeError::Recording)
    }

    fn replay(&mut self) -> Option<&mut Replay> {
        Some(self)
    }
}
