//! Everything the console knows and shows. Changed by [`update`](super::update) only.

mod panels;
mod popup;

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::SystemTime};

use zeroserve_shared::{
    reason::{Egress, Reason, Severity},
    refusal::Refusal,
};

pub(crate) use panels::{ChartPanel, ReasonsPanel, RoutesPanel};
pub(crate) use popup::{Confirm, PathForm, Picker, Popup, Purpose, Working};

use super::{
    Leaving, Options,
    keys::Scope,
    rates::{Meter, Readings},
};
use crate::{
    content::Config,
    record::Playing,
    server::{Identity, RouteInfo, RouteName},
};

/// How many actions are remembered.
const LOG_ENTRIES: usize = 500;

/// The panels, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panel {
    Routes,
    Reasons,
    Chart,
}

impl Panel {
    pub(crate) const ALL: [Self; 3] = [Self::Routes, Self::Reasons, Self::Chart];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Routes => "Routes",
            Self::Reasons => "Reasons",
            Self::Chart => "Chart",
        }
    }
}

/// Whether the server can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nothing has been read yet.
    Waiting,
    Serving,
    /// It cannot be read any more, and why.
    Lost(String),
}

/// A row of the reasons: why packets left the fast path, what became of clones, or why requests
/// were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Reason(Reason),
    Egress(Egress),
    Refusal(Refusal),
}

impl Cause {
    /// All causes, what worries most first, else in the order of the shared tables. What was wrong
    /// with requests comes last: those packets were answered.
    pub(crate) fn all() -> Vec<Self> {
        let reasons = Reason::ALL.iter().copied().map(Self::Reason);
        let mut causes: Vec<_> =
            reasons.chain(Egress::ALL.iter().copied().map(Self::Egress)).collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.severity()));
        causes.extend(Refusal::ALL.iter().copied().map(Self::Refusal));
        causes
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.name(),
            Self::Egress(outcome) => outcome.name(),
            Self::Refusal(refusal) => refusal.name(),
        }
    }

    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::Reason(reason) => reason.severity(),
            Self::Egress(outcome) => outcome.severity(),
            Self::Refusal(_) => Severity::Refused,
        }
    }

    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.explanation(),
            Self::Egress(outcome) => outcome.explanation(),
            Self::Refusal(refusal) => refusal.explanation(),
        }
    }

    /// What became of the packet, or the request; clones have no verdict of the XDP program's.
    pub(crate) fn verdict(self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.verdict().name(),
            Self::Egress(_) => "clone",
            Self::Refusal(_) => "request",
        }
    }

    /// How often it was counted, and how often per second.
    pub(crate) fn counted(self, readings: &Readings) -> (u64, Option<f64>) {
        match self {
            Self::Reason(reason) => readings.reason(reason),
            Self::Egress(outcome) => readings.egress(outcome),
            Self::Refusal(refusal) => readings.refusal(refusal),
        }
    }
}

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Done,
    Failed,
}

/// The message line, or an entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) level: Level,
    pub(crate) at: SystemTime,
    pub(crate) text: String,
    /// The shell command that does the same.
    pub(crate) command: Option<String>,
}

/// Everything the console knows and shows.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) identity: Identity,
    pub(crate) leaving: Leaving,
    pub(crate) ascii: bool,
    pub(crate) colour: bool,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// The time of the last tick.
    pub(crate) now: SystemTime,
    pub(crate) health: Health,
    /// Counts on with every sample.
    pub(crate) meter: Meter,
    /// The latest readings.
    pub(crate) latest: Arc<Readings>,
    /// The readings on the screen: the latest, unless paused.
    pub(crate) shown: Arc<Readings>,
    pub(crate) paused: bool,
    /// The revision of the routes that were asked for last.
    pub(crate) routes_revision: Option<u64>,
    pub(crate) routes: RoutesPanel,
    pub(crate) reasons: ReasonsPanel,
    pub(crate) chart: ChartPanel,
    pub(crate) focus: Panel,
    pub(crate) popup: Option<Popup>,
    pub(crate) note: Option<Note>,
    /// Newest last.
    pub(crate) log: VecDeque<Note>,
    /// Where the file picker starts.
    pub(crate) folder: PathBuf,
    /// How files are to be served.
    pub(crate) config: Config,
    /// The options of a command that say the same.
    pub(crate) config_words: Vec<String>,
    /// Where the console was started, and recordings are saved.
    pub(crate) start_folder: PathBuf,
    /// What is played, if it is a recording.
    pub(crate) replay: Option<Box<Playing>>,
    /// Number of the last file asked to be rendered; answers to others are out of date.
    pub(crate) job: u64,
    /// Whether a sample was asked for and has not come.
    pub(crate) sampling: bool,
    /// Whether there is something new to draw.
    pub(crate) changed: bool,
}

impl Model {
    pub(crate) fn new(
        identity: Identity,
        options: Options,
        size: (u16, u16),
        now: SystemTime,
    ) -> Self {
        Self {
            identity,
            leaving: options.leaving,
            ascii: options.ascii,
            colour: options.colour,
            size,
            now,
            health: Health::Waiting,
            meter: Meter::new(),
            latest: Arc::default(),
            shown: Arc::default(),
            paused: false,
            routes_revision: None,
            routes: RoutesPanel::new(),
            reasons: ReasonsPanel::new(),
            chart: ChartPanel::new(),
            focus: Panel::Routes,
            popup: None,
            note: None,
            log: VecDeque::new(),
            start_folder: options.folder.clone(),
            folder: options.folder,
            config: options.config,
            config_words: options.config_words,
            replay: None,
            job: 0,
            sampling: false,
            changed: true,
        }
    }

    /// What keys are for at the moment.
    pub(crate) fn scope(&self) -> Scope {
        match &self.popup {
            Some(popup) => popup.scope(),
            None if self.routes.typing => Scope::Filter,
            None => match self.focus {
                Panel::Routes => Scope::Routes,
                Panel::Reasons => Scope::Reasons,
                Panel::Chart => Scope::Chart,
            },
        }
    }

    /// Shows a note in the message line and keeps it in the log.
    pub(crate) fn log(&mut self, level: Level, text: String, command: Option<String>) {
        let note = Note { level, at: self.now, text, command };
        self.note = Some(note.clone());
        self.log.push_back(note);
        if self.log.len() > LOG_ENTRIES {
            self.log.pop_front();
        }
    }

    /// Shows a note in the message line.
    pub(crate) fn note(&mut self, level: Level, text: impl Into<String>) {
        self.note = Some(Note { level, at: self.now, text: text.into(), command: None });
    }

    /// The faults that are being counted now, in the order of the reasons panel.
    pub(crate) fn rising_faults(&self) -> Vec<(Cause, f64)> {
        self.reasons
            .all
            .iter()
            .filter(|cause| cause.severity() == Severity::Fault)
            .filter_map(|cause| Some((*cause, cause.counted(&self.latest).1?)))
            .filter(|(_, per_s)| *per_s > 0.0)
            .collect()
    }

    /// The command line of this program for this interface.
    pub(crate) fn command(&self, verb: &str, words: &[String]) -> String {
        let interface = super::format::shell_word(&self.identity.interface);
        let mut command = format!("zeroserve-tui {verb} {interface}");
        for word in words {
            command.push(' ');
            command.push_str(word);
        }
        command
    }

    /// The route of that index.
    pub(crate) fn route(&self, index: u32) -> Option<&RouteInfo> {
        self.routes.infos.iter().find(|info| info.index == index)
    }

    /// The route at that path.
    pub(crate) fn route_at(&self, path: &str) -> Option<&RouteInfo> {
        self.routes
            .infos
            .iter()
            .find(|info| matches!(&info.name, RouteName::Path(taken) if taken.as_str() == path))
    }
}
