//! What can happen to the console, and what it can ask for.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use crossterm::event::KeyEvent;

use super::Exit;
use crate::{
    content::{Rendered, ResponseOptions, RoutePath},
    record::{Play, Playing},
    server::{Change, RouteInfo, Sample},
};

/// Something happened.
#[derive(Debug)]
pub(crate) enum Message {
    Key(KeyEvent),
    Paste(String),
    /// The terminal has so many columns and rows now.
    Resize(u16, u16),
    /// Time passed; at most four times a second.
    Tick(SystemTime),
    Sampled(Result<Sample, String>),
    Routes(Result<Arc<[RouteInfo]>, String>),
    Applied {
        planned: Box<Planned>,
        outcome: Result<(), String>,
    },
    /// A recording was played on.
    Played(Box<Playing>),
    /// The black box was copied, and so many bytes it has.
    Saved {
        file: PathBuf,
        outcome: Result<u64, String>,
    },
    Listed {
        folder: PathBuf,
        entries: Result<Vec<Entry>, String>,
    },
    Rendered {
        job: u64,
        outcome: Result<Arc<Rendered>, String>,
    },
}

/// Something to be done outside the model.
#[derive(Debug)]
pub(crate) enum Effect {
    Server(ServerJob),
    Files(FilesJob),
    /// Draw everything anew, whatever the terminal may have made of it.
    Redraw,
    /// Stop this process, as ctrl-z asks.
    Suspend,
    Exit(Exit),
}

/// Something to ask of the server.
#[derive(Debug)]
pub(crate) enum ServerJob {
    Sample,
    Routes,
    Apply(Box<Planned>),
    /// Play a recording on, and do what was asked about it.
    Play(Option<Play>),
    /// Copy the black box to a file.
    Save(PathBuf),
}

/// Something to read from the file system.
#[derive(Debug)]
pub(crate) enum FilesJob {
    List(PathBuf),
    Render { job: u64, source: PathBuf, options: ResponseOptions },
}

/// A change that somebody is about to make, or made.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) change: Change,
    /// The route as it was when the change was planned.
    pub(crate) old: Option<RouteInfo>,
    /// The shell command that does the same.
    pub(crate) command: String,
}

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Add,
    Replace,
    Remove,
}

impl Planned {
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
