//! What can happen to the console, and what it can ask for.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crossterm::event::KeyEvent;

use super::{Exit, drift::Drift};
use crate::{
    content::{Rendered, ResponseOptions, RoutePath},
    observe::{Packet, Seen, Wanted},
    promote::{Examined, Miss, Origin, Wish},
    record::{Play, Playing, history},
    server::{Change, Flows, RouteInfo, RouteName, Sample, Surroundings},
};

/// Something happened.
#[derive(Debug)]
pub(crate) enum Message {
    Key(KeyEvent),
    Paste(String),
    Mouse {
        mouse: Mouse,
        column: u16,
        row: u16,
    },
    /// The terminal has so many columns and rows now.
    Resize(u16, u16),
    /// Time passed; at most four times a second.
    Tick(SystemTime),
    /// By a clock of its own, the console has taken so much CPU time so far.
    Spent {
        at: Duration,
        cpu: Duration,
    },
    /// A recording was played on.
    Played(Box<Playing>),
    /// The black box was copied, and so many bytes it has.
    Saved {
        file: PathBuf,
        outcome: Result<u64, String>,
    },
    Sampled(Result<Sample, String>),
    LookedAround(Result<Box<Surroundings>, String>),
    Flows(Result<Flows, String>),
    Observed(Result<Seen, String>),
    Routes(Result<Arc<[RouteInfo]>, String>),
    /// The head of the response of a route.
    Head {
        route: RouteName,
        lines: Result<Vec<String>, String>,
    },
    /// How the file of the route of that index compares with what is served.
    Compared {
        index: u32,
        drift: Drift,
    },
    /// The kernel measures now, or no longer.
    Measured(Result<bool, String>),
    Committed(Box<Committed>),
    /// What was on trial stays, unless it was too late for that.
    Kept {
        too_late: bool,
    },
    /// What was on trial at these paths has been put back, because nobody else was left who would.
    Settled(Result<Option<String>, String>),
    /// Packets were written to a file, so many.
    Exported {
        file: PathBuf,
        outcome: Result<usize, String>,
    },
    /// What was asked for and is not served.
    Misses(Result<Vec<Miss>, String>),
    /// The server behind, to be asked for a path.
    Origin {
        job: u64,
        wish: Wish,
        origin: Result<Box<dyn Origin>, String>,
    },
    /// What the server behind answers to a path.
    Examined {
        job: u64,
        outcome: Result<Examined, String>,
    },
    /// What was done to the server, by whoever.
    History(Vec<history::Entry>),
    Listed {
        folder: PathBuf,
        entries: Result<Vec<Entry>, String>,
    },
    Rendered {
        job: u64,
        outcome: Result<Arc<Rendered>, String>,
    },
}

/// What was done with the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mouse {
    Click,
    Up,
    Down,
}

/// Something to be done outside the model.
#[derive(Debug)]
pub(crate) enum Effect {
    Server(ServerJob),
    Files(FilesJob),
    /// Draw everything anew, whatever the terminal may have made of it.
    Redraw,
    /// Put a text on the clipboard.
    Copy(String),
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Stop this process, as ctrl-z asks.
    Suspend,
    Exit(Exit),
}

/// Something to ask of the server.
#[derive(Debug)]
pub(crate) enum ServerJob {
    Sample,
    LookAround,
    /// The flows there are, but no more than so many.
    Flows(usize),
    /// Single requests and packets, as long as this is asked again and again.
    Observe(Wanted),
    Routes,
    Head(RouteName),
    Commit(Box<Commit>),
    /// Have the kernel measure what a packet costs, or no longer.
    Measure(bool),
    /// What was asked for and is not served.
    Misses,
    /// Find the server behind, to ask it for a path.
    Origin {
        job: u64,
        wish: Wish,
    },
    /// What is on trial stays.
    Keep,
    /// Put back what was on trial, if nobody is left who would.
    Settle,
    /// Play a recording on, and do what was asked about it.
    Play(Option<Play>),
    /// Copy the black box to a file.
    Save(PathBuf),
}

/// Something to read from the file system.
#[derive(Debug)]
pub(crate) enum FilesJob {
    List(PathBuf),
    /// What was done to the server of an interface, as it is noted in a folder.
    History {
        folder: PathBuf,
        interface: String,
    },
    Render {
        job: u64,
        source: PathBuf,
        options: ResponseOptions,
    },
    /// Ask the server behind for a path.
    Examine {
        job: u64,
        wish: Wish,
        origin: Box<dyn Origin>,
    },
    /// Compare the file of a route with what is served.
    Compare(Box<RouteInfo>),
    /// Write packets to a file for Wireshark.
    Export {
        file: PathBuf,
        interface: String,
        packets: Vec<Packet>,
    },
}

/// A change that somebody is about to make, or made.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) change: Change,
    /// The route as it was when the change was planned.
    pub(crate) old: Option<RouteInfo>,
    /// The head of the response that it replaces or removes; none while nobody has read it.
    pub(crate) old_head: Option<Result<Vec<String>, String>>,
    /// How to make the response once more when it goes live, because it was left without its
    /// compressed variants: these cost more than most changes that are never undone are worth.
    pub(crate) in_full: Option<ResponseOptions>,
    /// The shell command that does the same.
    pub(crate) command: String,
}

/// What a commit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// It stays.
    Keep,
    /// It is taken back after a while unless somebody keeps it.
    Trial,
    /// Somebody takes an earlier one back.
    Undo,
    /// The time of a trial is over.
    Revert,
}

/// Changes to make, all of them or none.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) changes: Vec<Planned>,
    pub(crate) intent: Intent,
}

/// What became of a commit.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) commit: Commit,
    /// What takes it back, in order.
    pub(crate) undo: Vec<Planned>,
    /// Which change was refused, and why. The others were not made then.
    pub(crate) failed: Option<(usize, String)>,
    /// What could not be taken back, or will not be able to be, and why.
    pub(crate) remains: Vec<String>,
}

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Add,
    Replace,
    Remove,
}

impl Planned {
    pub(crate) fn new(change: Change, old: Option<RouteInfo>, command: String) -> Self {
        Self { change, old, old_head: None, in_full: None, command }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.change {
            Change::Add(..) => Kind::Add,
            Change::Replace(..) => Kind::Replace,
            Change::Remove(_) => Kind::Remove,
        }
    }

    pub(crate) fn path(&self) -> &RoutePath {
        match &self.change {
            Change::Add(path, _) | Change::Replace(path, _) | Change::Remove(path) => path,
        }
    }

    /// What will be served, if anything.
    pub(crate) fn rendered(&self) -> Option<&Rendered> {
        match &self.change {
            Change::Add(_, rendered) | Change::Replace(_, rendered) => Some(rendered),
            Change::Remove(_) => None,
        }
    }
}

/// A file or folder to pick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_folder: bool,
    pub(crate) bytes: u64,
    pub(crate) modified: Option<SystemTime>,
}
