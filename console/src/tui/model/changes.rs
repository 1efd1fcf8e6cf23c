//! Changes that wait, that are on trial, and that can be undone.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use crate::{content::RoutePath, tui::message::Planned};

/// How long changes on trial stay unless somebody keeps them.
pub(crate) const TRIAL: Duration = Duration::from_secs(60);

/// How much of what was replaced is remembered, in bytes of responses.
const UNDO_BYTES: usize = 256 << 20;

/// Changes that wait, that are on trial, and that can be undone.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Looked at, but not live. One for each path.
    pub(crate) staged: Vec<Planned>,
    /// Live until its time has come.
    pub(crate) trial: Option<Trial>,
    /// Paths that this console has changed and not yet seen changed.
    pub(crate) own: BTreeSet<RoutePath>,
    /// What takes back each commit, the newest last.
    undo: Vec<Vec<Planned>>,
}

/// Changes that are live, but not for good.
#[derive(Debug)]
pub(crate) struct Trial {
    /// What takes them back, in order.
    pub(crate) undo: Vec<Planned>,
    pub(crate) ends: SystemTime,
    /// What was done.
    pub(crate) what: String,
}

impl Trial {
    /// Whole seconds until it ends.
    pub(crate) fn left_s(&self, now: SystemTime) -> u64 {
        let left = self.ends.duration_since(now).unwrap_or_default();
        left.as_secs() + u64::from(left.subsec_nanos() > 0)
    }
}

impl Changes {
    /// Sets a change aside, in the place of an earlier one of the same path.
    pub(crate) fn stage(&mut self, planned: Planned) {
        self.staged.retain(|staged| staged.path() != planned.path());
        self.staged.push(planned);
    }

    /// Those that wait, and those that take the last commit back.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Planned> {
        self.staged.iter_mut().chain(self.undo.last_mut().into_iter().flatten())
    }

    /// Remembers what takes a commit back. The oldest are forgotten when it gets too much.
    pub(crate) fn remember(&mut self, undo: Vec<Planned>) {
        if undo.is_empty() {
            return;
        }
        self.undo.push(undo);
        let bytes = |undo: &[Planned]| -> usize {
            undo.iter().filter_map(Planned::rendered).map(|rendered| rendered.bytes.len()).sum()
        };
        let mut sum: usize = self.undo.iter().map(|undo| bytes(undo)).sum();
        while sum > UNDO_BYTES && self.undo.len() > 1 {
            sum -= bytes(&self.undo.remove(0));
        }
    }

    /// What takes the last commit back.
    pub(crate) fn last_undo(&self) -> &[Planned] {
        self.undo.last().map(Vec::as_slice).unwrap_or_default()
    }

    /// What takes the last commit back, which is forgotten then.
    pub(crate) fn take_undo(&mut self) -> Vec<Planned> {
        self.undo.pop().unwrap_or_default()
    }
}
