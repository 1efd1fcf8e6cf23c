//! What lies over the panels.

use std::path::PathBuf;

use super::{
    super::{
        drift::Drift,
        field::Field,
        keys::Scope,
        message::{Entry, Planned},
    },
    AnswerForm, Cause, ClientKey, Lint,
};
use crate::{content::RoutePath, observe::Request};

/// What lies over the panels. Only one at a time.
#[derive(Debug)]
pub(crate) enum Popup {
    Help {
        scroll: usize,
    },
    Log {
        scroll: usize,
    },
    /// Everything about the route of that index.
    Route {
        index: u32,
        scroll: usize,
        inside: Box<Inside>,
    },
    Cause {
        cause: Cause,
        scroll: usize,
    },
    /// Everything about a request.
    Request {
        request: Box<Request>,
        scroll: usize,
    },
    /// What the network card, XDP and the kernel's own TCP/IP count.
    Outside {
        scroll: usize,
    },
    /// What is wrong; one of them is selected.
    Issues {
        selected: usize,
    },
    /// What is asked for and not served here.
    Misses,
    /// What to make of something odd.
    Lint {
        lint: Lint,
        scroll: usize,
    },
    /// The flows of a client.
    Client {
        client: ClientKey,
        scroll: usize,
    },
    Picker(Picker),
    Path(PathForm),
    Answer(AnswerForm),
    Working(Working),
    Palette(Palette),
    Confirm(Box<Confirm>),
    /// Several changes, one of them selected.
    Changes {
        listed: Listed,
        selected: usize,
    },
    /// What becomes of the server; the choice is highlighted.
    Exit {
        choice: usize,
    },
}

impl Popup {
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Cause { cause: Cause::Reason(_), .. } => Scope::Cause,
            Self::Help { .. }
            | Self::Log { .. }
            | Self::Route { .. }
            | Self::Request { .. }
            | Self::Cause { .. }
            | Self::Lint { .. }
            | Self::Outside { .. }
            | Self::Client { .. } => Scope::Reading,
            Self::Issues { .. } => Scope::Issues,
            Self::Misses => Scope::Misses,
            Self::Picker(_) => Scope::Picker,
            Self::Path(_) => Scope::Path,
            Self::Answer(_) => Scope::Answer,
            Self::Working(_) => Scope::Working,
            Self::Palette(_) => Scope::Palette,
            Self::Confirm(_) => Scope::Confirm,
            Self::Changes { listed: Listed::Staged, .. } => Scope::Staged,
            Self::Changes { listed: Listed::Undo, .. } => Scope::Undo,
            Self::Exit { .. } => Scope::Exit,
        }
    }

    /// Scroll position of those that can be scrolled.
    pub(crate) fn scroll_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::Help { scroll }
            | Self::Log { scroll }
            | Self::Route { scroll, .. }
            | Self::Request { scroll, .. }
            | Self::Cause { scroll, .. }
            | Self::Lint { scroll, .. }
            | Self::Outside { scroll }
            | Self::Client { scroll, .. } => Some(scroll),
            _ => None,
        }
    }
}

/// What is not known of a route without looking closer.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    /// Status line and header fields as they are sent, or why they cannot be read.
    pub(crate) head: Option<Result<Vec<String>, String>>,
    /// How the file on disk compares with what is served.
    pub(crate) drift: Option<Drift>,
}

/// What a file is picked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new route, to begin with in the folder with that prefix.
    Add {
        prefix: String,
    },
    Replace {
        path: RoutePath,
    },
}

/// Picks a file by walking folders and typing part of its name.
#[derive(Debug)]
pub(crate) struct Picker {
    pub(crate) purpose: Purpose,
    pub(crate) folder: PathBuf,
    pub(crate) field: Field,
    /// What is in the folder, or why that cannot be said; none while it is being read.
    pub(crate) entries: Option<Result<Vec<Entry>, String>>,
    /// Entries that match what was typed.
    pub(crate) rows: Vec<usize>,
    pub(crate) selected: usize,
    /// The name to select once the folder is read.
    pub(crate) wanted: Option<String>,
    /// Whether Enter was pressed while the folder was being read, which then counts for what is
    /// selected: whoever pastes a path is faster than a disk.
    pub(crate) entered: bool,
}

impl Picker {
    pub(crate) fn new(purpose: Purpose, folder: PathBuf, wanted: Option<String>) -> Self {
        Self {
            purpose,
            folder,
            field: Field::default(),
            entries: None,
            rows: Vec::new(),
            selected: 0,
            wanted,
            entered: false,
        }
    }

    /// Goes to another folder, which has to be listed then.
    pub(crate) fn go(&mut self, folder: PathBuf, wanted: Option<String>) {
        self.folder = folder;
        self.entries = None;
        self.rows.clear();
        self.selected = 0;
        self.wanted = wanted;
        self.entered = false;
    }

    /// Lays the rows out by what was typed. Hidden files show when a dot is typed first.
    pub(crate) fn lay_out(&mut self) {
        let typed = self.field.text().to_lowercase();
        let matches = |entry: &Entry| {
            (typed.starts_with('.') || !entry.name.starts_with('.'))
                && entry.name.to_lowercase().contains(&typed)
        };
        let entries = self.entries.as_ref().and_then(|entries| entries.as_ref().ok());
        let entries = entries.map(Vec::as_slice).unwrap_or_default();
        self.rows = (0..entries.len()).filter(|index| matches(&entries[*index])).collect();
        self.selected = self.selected.min(self.rows.len().saturating_sub(1));
        if let Some(wanted) = &self.wanted {
            let row = self.rows.iter().position(|index| entries[*index].name == *wanted);
            self.selected = row.unwrap_or(self.selected);
        }
    }

    /// The entry of a row.
    pub(crate) fn entry(&self, row: usize) -> Option<&Entry> {
        self.entries.as_ref()?.as_ref().ok()?.get(*self.rows.get(row)?)
    }
}

/// Asks under which path a file shall be published.
#[derive(Debug)]
pub(crate) struct PathForm {
    pub(crate) source: PathBuf,
    pub(crate) field: Field,
    /// What is wrong with the path.
    pub(crate) error: Option<String>,
}

/// Waits for a file to be rendered.
#[derive(Debug)]
pub(crate) struct Working {
    pub(crate) job: u64,
    pub(crate) source: PathBuf,
    pub(crate) path: RoutePath,
    /// Whether there is a route at that path already.
    pub(crate) replaces: bool,
}

/// Shows what a change would do and asks whether to do it.
#[derive(Debug)]
pub(crate) struct Confirm {
    pub(crate) planned: Planned,
    /// Which choice is highlighted; the first, which changes nothing, is the default.
    pub(crate) choice: usize,
}

/// Which changes are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// Those that wait.
    Staged,
    /// Those that take the last commit back.
    Undo,
}

/// Takes a command.
#[derive(Debug, Default)]
pub(crate) struct Palette {
    pub(crate) field: Field,
    /// What is wrong with what was typed.
    pub(crate) error: Option<String>,
    /// How far back in the history; none while something new is typed.
    pub(crate) back: Option<usize>,
    /// What was typed before Tab, and how many completions of it have been tried.
    pub(crate) completing: Option<(String, usize)>,
}
