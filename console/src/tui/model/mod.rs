//! Everything the console knows and shows. Changed by [`update`](super::update) only.

mod answer;
mod cause;
mod changes;
mod flows;
mod issue;
mod misses;
mod panels;
mod popup;
mod sights;

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use zeroserve_shared::reason::Severity;

pub(crate) use answer::{AnswerForm, AnswerKind, in_short, written_down};
pub(crate) use cause::Cause;
pub(crate) use changes::{Changes, TRIAL, Trial};
pub(crate) use flows::{Client, ClientKey, FLOWS_READ, FlowsPanel};
pub(crate) use issue::{Issue, Lint, Warning, warnings};
pub(crate) use misses::{MissRow, Misses};
pub(crate) use panels::{CURVES, ChartPanel, ReasonsPanel, RoutesPanel, scrolled};
pub(crate) use popup::{
    Confirm, Inside, Listed, Palette, PathForm, Picker, Popup, Purpose, Working,
};
pub(crate) use sights::{GAP, Sights};

use super::{
    Leaving, Options,
    keys::Scope,
    rates::{Around, Meter, Readings},
    theme::Theme,
};
use crate::{
    content::Config,
    record::{Playing, history::Entry},
    server::{Holder, Identity, RouteInfo, RouteName},
};

/// How many actions are remembered.
const LOG_ENTRIES: usize = 500;

/// How many marks the chart has at most.
const MARKS: usize = 100;

/// The panels, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panel {
    Routes,
    Reasons,
    Rates,
    Cpus,
    Flows,
    Requests,
}

impl Panel {
    pub(crate) const ALL: [Self; 6] =
        [Self::Routes, Self::Reasons, Self::Rates, Self::Cpus, Self::Flows, Self::Requests];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Routes => "Routes",
            Self::Reasons => "Reasons",
            Self::Rates => "Rates",
            Self::Cpus => "CPUs",
            Self::Flows => "Flows",
            Self::Requests => "Requests",
        }
    }

    /// Whether it shares its place with others on a screen that shows several.
    fn is_at_the_side(self) -> bool {
        matches!(self, Self::Reasons | Self::Cpus | Self::Flows)
    }

    /// Whether it shares the place below the routes.
    fn is_below(self) -> bool {
        matches!(self, Self::Rates | Self::Requests)
    }

    fn scope(self) -> Scope {
        match self {
            Self::Routes => Scope::Routes,
            Self::Reasons => Scope::Reasons,
            Self::Rates => Scope::Rates,
            Self::Cpus => Scope::Cpus,
            Self::Flows => Scope::Flows,
            Self::Requests => Scope::Requests,
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
    /// What was there before, if something was replaced or removed.
    pub(crate) before: Option<String>,
    /// The shell command that does the same.
    pub(crate) command: Option<String>,
}

/// Something that was done, as the chart shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// On the clock of the samples.
    pub(crate) at: Duration,
    pub(crate) text: String,
}

/// What the console itself costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct OwnCost {
    /// When it was last looked at, and what it had cost by then.
    before: Option<(Duration, Duration)>,
    share: Option<f64>,
}

impl OwnCost {
    /// Over which time it is shown, at least.
    const SPAN: Duration = Duration::from_secs(2);

    /// Takes the CPU time of this console so far, at a time of the same clock.
    pub(crate) fn push(&mut self, at: Duration, cpu: Duration) {
        let Some((then, before)) = self.before else {
            self.before = Some((at, cpu));
            return;
        };
        let over = at.saturating_sub(then);
        if over >= Self::SPAN {
            self.share = Some(cpu.saturating_sub(before).as_secs_f64() / over.as_secs_f64());
            self.before = Some((at, cpu));
        }
    }

    /// The part of one CPU that the console takes.
    pub(crate) fn share(&self) -> Option<f64> {
        self.share
    }
}

/// Everything the console knows and shows.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) identity: Identity,
    pub(crate) leaving: Leaving,
    pub(crate) ascii: bool,
    pub(crate) colour: bool,
    pub(crate) theme: Theme,
    /// Whether the mouse is the console's.
    pub(crate) mouse: bool,
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
    /// Whether rows keep their order although their values change.
    pub(crate) frozen: bool,
    /// The last looks around.
    pub(crate) around: Around,
    /// What is shown of them: the latest, unless paused.
    pub(crate) shown_around: Around,
    /// Whether a look around was asked for and has not come.
    pub(crate) looking_around: bool,
    /// Ticks so far, by which what is not needed with each of them is asked for.
    pub(crate) ticks: u64,
    /// Whether the kernel measures what a packet costs because this console wants it.
    pub(crate) measuring: bool,
    /// The part of a CPU that the console itself takes.
    pub(crate) own_cost: OwnCost,
    /// The revision of the routes that were asked for last.
    pub(crate) routes_revision: Option<u64>,
    pub(crate) routes: RoutesPanel,
    pub(crate) reasons: ReasonsPanel,
    pub(crate) chart: ChartPanel,
    pub(crate) flows: FlowsPanel,
    pub(crate) sights: Sights,
    pub(crate) misses: Misses,
    pub(crate) focus: Panel,
    /// The panel beside the routes, where there is room for it.
    pub(crate) side: Panel,
    /// The panel below the routes, where there is room for it.
    pub(crate) below: Panel,
    pub(crate) popup: Option<Popup>,
    pub(crate) note: Option<Note>,
    /// Newest last.
    pub(crate) log: VecDeque<Note>,
    /// What was done by other consoles, by commands, and before, the latest last; read when the log is
    /// opened.
    pub(crate) history: Vec<Entry>,
    /// Where it is noted what was done.
    pub(crate) state_folder: Option<PathBuf>,
    /// When this console was opened.
    pub(crate) opened: SystemTime,
    /// Who sits in front of it, for the log.
    pub(crate) user: String,
    /// Who else has the right to change the server.
    pub(crate) pen: Option<Holder>,
    pub(crate) changes: Changes,
    /// Commands that were typed, newest last.
    pub(crate) commands: VecDeque<String>,
    /// What was done while the history of the chart lasts, newest last.
    pub(crate) marks: VecDeque<Mark>,
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
            theme: options.theme,
            mouse: options.mouse,
            size,
            now,
            health: Health::Waiting,
            meter: Meter::new(),
            latest: Arc::default(),
            shown: Arc::default(),
            paused: false,
            frozen: false,
            around: Around::default(),
            shown_around: Around::default(),
            looking_around: false,
            ticks: 0,
            measuring: false,
            own_cost: OwnCost::default(),
            routes_revision: None,
            routes: RoutesPanel::new(),
            reasons: ReasonsPanel::new(),
            chart: ChartPanel::new(),
            flows: FlowsPanel::new(),
            sights: Sights::default(),
            misses: Misses::default(),
            focus: Panel::Routes,
            side: Panel::Reasons,
            below: Panel::Rates,
            popup: None,
            note: None,
            log: VecDeque::new(),
            history: Vec::new(),
            state_folder: options.state_folder,
            opened: now,
            start_folder: options.folder.clone(),
            user: options.user,
            pen: options.pen,
            changes: Changes::default(),
            commands: VecDeque::new(),
            marks: VecDeque::new(),
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
            None if self.routes.typing || self.sights.requests.typing => Scope::Filter,
            None => self.focus.scope(),
        }
    }

    /// Gives a panel the focus.
    pub(crate) fn focus_on(&mut self, panel: Panel) {
        self.focus = panel;
        if panel.is_at_the_side() {
            self.side = panel;
        }
        if panel.is_below() {
            self.below = panel;
        }
    }

    /// Shows a note in the message line and keeps it in the log.
    pub(crate) fn log(&mut self, level: Level, text: String, command: Option<String>) {
        self.keep(Note { level, at: self.now, text, before: None, command });
    }

    /// Shows a note in the message line and keeps it in the log.
    pub(crate) fn keep(&mut self, note: Note) {
        self.note = Some(note.clone());
        self.log.push_back(note);
        if self.log.len() > LOG_ENTRIES {
            self.log.pop_front();
        }
    }

    /// Marks in the chart that something was done just now.
    pub(crate) fn mark(&mut self, text: String) {
        let Some(at) = self.latest.taken else { return };
        self.marks.push_back(Mark { at, text });
        if self.marks.len() > MARKS {
            self.marks.pop_front();
        }
    }

    /// Shows a note in the message line.
    pub(crate) fn note(&mut self, level: Level, text: impl Into<String>) {
        self.note =
            Some(Note { level, at: self.now, text: text.into(), before: None, command: None });
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
        super::format::command(&self.identity.interface, verb, words)
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
