//! A server that is recorded while it is used.
//!
//! Whoever asks a [`Recorded`] server for samples fills its black box on the way: one sample a
//! second, the routes when they change, what was done to them, and when the server could not be
//! read. Recording never gets in the way: what cannot be written is said in the log file and by
//! [`Recorded::save`], and tried again a second later.

use std::{
    error::Error as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, anyhow};
use nix::unistd::{User, geteuid};

use super::{
    black_box::{BlackBox, FILE_BYTES, OpenError},
    history::{self, Entry},
    state,
};
use crate::{
    content::Rendered,
    observe::{Seen, Wanted},
    promote::{Miss, Origin},
    server::{
        Change, ChangeError, Flows, Identity, RouteInfo, RouteName, Sample, Server, Surroundings,
    },
    tui::{format, in_short, written_down},
};

/// Time between two samples in the black box: a rate is a mean over a second anyway.
const EVERY: Duration = Duration::from_secs(1);

/// Less than [`EVERY`] by this much is good enough: samples are never taken quite on time.
const EARLY: Duration = Duration::from_millis(100);

/// How often to look whether another console still records.
const RETRY: Duration = Duration::from_secs(5);

/// A server and its black box.
pub struct Recorded {
    server: Box<dyn Server>,
    black_box: anyhow::Result<BlackBox>,
    /// Where it would be, if another console records there so far, and when to try again.
    waiting: Option<(PathBuf, Duration)>,
    /// Why nothing could be written the last time.
    trouble: Option<String>,
    /// What was recorded last: when, and under which revision of the routes.
    last: Option<(Duration, u64)>,
    /// When it was recorded last that the server cannot be read.
    lost: Option<SystemTime>,
    /// The clock, so that tests can have their own.
    now: fn(&Sample) -> SystemTime,
    /// Where it is noted what was done.
    folder: Option<PathBuf>,
}

impl Recorded {
    /// Records a server in the XDG state folder.
    pub fn new(server: Box<dyn Server>) -> Self {
        match state::folder() {
            Some(folder) => Self::waiting_in(server, &folder),
            None => {
                let why = "there is no folder to record to: neither XDG_STATE_HOME nor HOME is set";
                Self::with(server, Err(anyhow!(why)))
            }
        }
    }

    /// Records a server in a folder, once nobody else does.
    pub(super) fn waiting_in(server: Box<dyn Server>, folder: &Path) -> Self {
        let opened = BlackBox::open(folder, server.identity().clone(), FILE_BYTES);
        let is_taken = matches!(opened, Err(OpenError::Taken));
        let waiting = is_taken.then(|| (folder.to_owned(), Duration::ZERO));
        let folder = Some(folder.to_owned());
        Self { waiting, folder, ..Self::with(server, opened.map_err(Into::into)) }
    }

    /// Records a server in a folder.
    ///
    /// # Errors
    ///
    /// Where nothing can be recorded there.
    pub fn in_folder(server: Box<dyn Server>, folder: &Path, bytes: u64) -> anyhow::Result<Self> {
        let black_box = BlackBox::open(folder, server.identity().clone(), bytes)?;
        Ok(Self { folder: Some(folder.to_owned()), ..Self::with(server, Ok(black_box)) })
    }

    pub(super) fn with(server: Box<dyn Server>, black_box: anyhow::Result<BlackBox>) -> Self {
        if let Err(error) = &black_box {
            tracing::warn!("nothing is recorded: {error:#}");
        }
        Self {
            server,
            black_box,
            waiting: None,
            trouble: None,
            last: None,
            lost: None,
            now: |_| SystemTime::now(),
            folder: None,
        }
    }

    /// The same, with a clock that follows the samples.
    #[cfg(test)]
    pub(crate) fn with_clock(self, now: fn(&Sample) -> SystemTime) -> Self {
        Self { now, ..self }
    }

    /// Writes something into the black box, if there is one.
    fn record(&mut self, write: impl FnOnce(&mut BlackBox) -> std::io::Result<()>) {
        let Ok(black_box) = &mut self.black_box else { return };
        let trouble = write(black_box).err().map(|error| error.to_string());
        if let Some(why) = &trouble
            && self.trouble != trouble
        {
            tracing::warn!("cannot write the recording: {why}");
        }
        self.trouble = trouble;
    }

    fn record_sample(&mut self, sample: &Sample) {
        let due = self.last.is_none_or(|(taken, revision)| {
            let since = sample.taken.checked_sub(taken);
            revision != sample.routes_revision || since.is_none_or(|since| since + EARLY >= EVERY)
        });
        if !due {
            return;
        }
        self.try_again(sample.taken);
        let needed = self.black_box.as_ref().is_ok_and(BlackBox::needs_routes);
        let changed = self.last.is_none_or(|(_, revision)| revision != sample.routes_revision);
        // Where the routes cannot be read the next sample tries again.
        let routes = if needed || changed { self.server.routes().ok() } else { None };
        let complete = routes.is_some() || !(needed || changed);
        let at = (self.now)(sample);
        self.record(|black_box| black_box.sample(at, sample, routes.as_deref()));
        self.last = complete.then_some((sample.taken, sample.routes_revision));
        self.lost = None;
    }

    /// Records from now on, if the console that did so far has gone.
    fn try_again(&mut self, now: Duration) {
        let Some((folder, next)) = &mut self.waiting else { return };
        if now < *next {
            return;
        }
        *next = now + RETRY;
        if let Ok(black_box) = BlackBox::open(folder, self.server.identity().clone(), FILE_BYTES) {
            tracing::info!("the other console has gone; this one records now");
            self.black_box = Ok(black_box);
            self.waiting = None;
        }
    }

    fn record_loss(&mut self, why: &str) {
        let now = SystemTime::now();
        let since = |at: SystemTime| now.duration_since(at).unwrap_or(EVERY);
        if self.lost.is_none_or(|at| since(at) + EARLY >= EVERY) {
            if self.lost.is_none() {
                tracing::error!("the server cannot be read: {why}");
            }
            self.record(|black_box| black_box.lost(now, why));
            self.lost = Some(now);
            self.last = None;
        }
    }

    fn record_change(&mut self, entry: &Entry) {
        let user = entry.action.user.as_deref().unwrap_or("somebody");
        tracing::info!("{}, {user}: {}", entry.interface, entry.action.text);
        if let Some(folder) = &self.folder
            && let Err(error) = history::append(folder, entry)
        {
            tracing::warn!("cannot note what was done: {error}");
        }
        self.record(|black_box| black_box.action(&entry.action));
        // The next sample shows what came of it.
        self.last = None;
    }
}

impl Server for Recorded {
    fn identity(&self) -> &Identity {
        self.server.identity()
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        let outcome = self.server.sample();
        match &outcome {
            Ok(sample) => self.record_sample(sample),
            Err(error) => self.record_loss(&format!("{error:#}")),
        }
        outcome
    }

    fn routes(&mut self) -> anyhow::Result<Arc<[RouteInfo]>> {
        self.server.routes()
    }

    fn observe(&mut self, wanted: &Wanted) -> anyhow::Result<Seen> {
        self.server.observe(wanted)
    }

    fn surroundings(&mut self) -> anyhow::Result<Surroundings> {
        self.server.surroundings()
    }

    fn measure(&mut self, wanted: bool) -> anyhow::Result<()> {
        self.server.measure(wanted)
    }

    fn flows(&mut self, limit: usize) -> anyhow::Result<Flows> {
        self.server.flows(limit)
    }

    fn response(&mut self, route: &RouteName) -> anyhow::Result<Vec<u8>> {
        self.server.response(route)
    }

    fn rendered(&mut self, route: &RouteName) -> anyhow::Result<Rendered> {
        self.server.rendered(route)
    }

    fn misses(&mut self) -> anyhow::Result<Vec<Miss>> {
        self.server.misses()
    }

    fn origin(&mut self) -> anyhow::Result<Box<dyn Origin>> {
        self.server.origin()
    }

    fn apply(&mut self, change: Change) -> Result<(), ChangeError> {
        let old = history::replaced_by(self.server.as_mut(), &change);
        let outcome = self.server.apply(change.clone());
        let interface = &self.server.identity().interface;
        self.record_change(&Entry::new(interface, &change, &outcome, old.as_ref()));
        outcome
    }

    fn save_recording(&mut self, to: &Path) -> anyhow::Result<u64> {
        let black_box = self.black_box.as_ref();
        let black_box = black_box.map_err(|error| anyhow!("nothing is recorded: {error:#}"))?;
        black_box.save(to).with_context(|| format!("cannot save to {}", to.display()))
    }
}

/// What was done or refused, and the shell command for it, if there is one.
pub(super) fn describe(
    change: &Change,
    outcome: &Result<(), ChangeError>,
    interface: &str,
) -> (String, Option<String>) {
    let (path, rendered, verb, done) = match change {
        Change::Add(path, rendered) if rendered.copy.is_some() => {
            (path, Some(rendered), "promote", "promoted")
        }
        Change::Add(path, rendered) => (path, Some(rendered), "add", "added"),
        Change::Replace(path, rendered) => (path, Some(rendered), "replace", "replaced"),
        Change::Remove(path) => (path, None, "remove", "removed"),
    };
    let text = match (outcome, rendered) {
        (Err(error), _) => {
            // The kernel's refusal is a cause of its own.
            let why = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{path} was not {done}: {error}{why}")
        }
        (Ok(()), Some(rendered)) => {
            format!("{done} {path}, {}", in_short(rendered))
        }
        (Ok(()), None) => format!("{done} {path}"),
    };
    let word = format::shell_word(&format::typed_path(path.as_str()));
    let command = match rendered.map(|rendered| (rendered, rendered.source.as_deref())) {
        None => Some((verb, vec![word])),
        Some((rendered, _)) if rendered.copy.is_some() => Some(("promote", vec![word])),
        Some((_, Some(file))) => Some((verb, vec![word, format::shell_path(file)])),
        Some((rendered, None)) => written_down(path, rendered).map(|(kind, words)| {
            let replaces = matches!(change, Change::Replace(..)).then(|| "--replace".to_owned());
            (kind.verb(), words.with(replaces.into_iter().collect()))
        }),
    };
    (text, command.map(|(verb, words)| format::command(interface, verb, &words)))
}

/// Who sits at the console: under sudo, the person behind it.
pub(crate) fn user() -> Option<String> {
    let name = || Some(User::from_uid(geteuid()).ok()??.name);
    std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty()).or_else(name)
}
