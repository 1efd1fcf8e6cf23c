//! Takes back what is on trial, should the console be killed before anybody decided.
//!
//! A console that puts changes on trial starts this program once more as a guard, in a process group
//! of its own. The guard reads what is served at the paths in question, says that it is ready,
//! and waits. The console tells it when the trial is over. If it hears nothing before the console is
//! gone, or is still told nothing some seconds after the trial should have ended (as when the
//! console was stopped with ctrl-z), it puts back what was there.
//!
//! What it needs it holds in memory, and a copy of it is set aside in a file, should it be killed together
//! with its console: then the next command that opens the server does its work. It shares the fate of
//! the machine.

mod aside;
mod keeper;

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};

use self::aside::{Aside, FOLDER};
pub use self::{
    aside::settle,
    keeper::{Unfinished, keep_watch},
};
use crate::{content::RoutePath, tui::format};

/// The program that is running, even if its file has been replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// What the guard says once it knows what is served.
const READY: &str = "ready";

/// What it is told when there is nothing to take back any more.
const OVER: &str = "over";

/// The exit code of a guard that has put back what was there.
pub const PUT_BACK: u8 = 10;

/// How long after the end of a trial a guard waits for the console to take it back.
const GRACE: Duration = Duration::from_secs(5);

/// A guard, as its console sees it. When dropped without a word, it puts back what was there.
#[derive(Debug)]
pub struct Guard {
    process: Child,
    line: Option<ChildStdin>,
    /// What was set aside, so that nobody settles this trial while this console lives.
    aside: Option<Aside>,
}

impl Guard {
    /// Starts one for a trial of that length. What is served at the paths when this returns is what
    /// will be put back.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, or cannot read what is served.
    pub fn start(interface: &str, paths: &[RoutePath], trial: Duration) -> anyhow::Result<Self> {
        let seconds = (trial + GRACE).as_secs().to_string();
        let mut process = Command::new(THIS_PROGRAM)
            .args(["guard", interface, &seconds])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What ends the console from its terminal must not end the guard.
            .process_group(0)
            .spawn()
            .context("cannot start a guard")?;
        let (line, answers) = (process.stdin.take(), process.stdout.take());
        let mut guard = Self { process, line, aside: None };
        let mut text = String::new();
        for path in paths {
            text += &format!("{}\n", format::typed_path(path.as_str()));
        }
        // An empty line ends the list.
        guard.say(&format!("{text}\n")).context("cannot talk to the guard")?;
        let mut answer = String::new();
        if let Some(answers) = answers {
            BufReader::new(answers).read_line(&mut answer).context("cannot hear the guard")?;
        }
        if answer.trim_end() != READY {
            guard.line = None;
            let _ = guard.process.wait();
            ensure!(!answer.is_empty(), "the guard ended at once");
            anyhow::bail!("{}", answer.trim_end());
        }
        guard.aside = Aside::join(Path::new(FOLDER), interface);
        Ok(guard)
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        let line = self.line.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        line.write_all(text.as_bytes())?;
        line.flush()
    }

    /// Whether it has put back what was there already.
    pub fn has_acted(&mut self) -> bool {
        let ended = self.process.try_wait().ok().flatten();
        ended.is_some_and(|status| status.code() == Some(PUT_BACK.into()))
    }

    /// Tells it that there is nothing to take back any more. Returns whether it was too late for
    /// that.
    pub fn release(mut self) -> bool {
        // It may have ended; then its exit code says how.
        let _ = self.say(&format!("{OVER}\n"));
        self.line = None;
        let too_late =
            self.process.wait().is_ok_and(|status| status.code() == Some(PUT_BACK.into()));
        // Where the guard has been killed, nobody else would.
        self.aside.take().into_iter().for_each(Aside::remove);
        too_late
    }
}
