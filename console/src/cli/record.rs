//! `record` and `replay`.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{
    Failure,
    instruments::{RecordArguments, ReplayArguments},
    output, running,
};
use crate::{
    record::{
        ReadError, Recording, RecordingFile, Replay, Summary, black_box::MAX_RECORDING_BYTES,
        journal,
    },
    server::Server,
    tui::{self, Leaving},
};

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(1);

/// How often somebody who ends it is listened to.
const LISTEN_EVERY: Duration = Duration::from_millis(50);

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Time,
    Interrupted,
    Full,
}

impl Ended {
    const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Interrupted => "interrupted",
            Self::Full => "full",
        }
    }
}

/// Records a server into a file.
pub(super) fn record(arguments: &RecordArguments) -> Result<(), Failure> {
    let RecordArguments { interface, duration, file, output } = arguments;
    let mut live = running::open(interface)?;
    let mut recording = RecordingFile::create(file, live.identity().clone()).map_err(|error| {
        let taken = error.kind() == io::ErrorKind::AlreadyExists;
        let error = anyhow::Error::new(error).context(format!("cannot write {}", file.display()));
        if taken { Failure::refused("file-taken", error) } else { Failure::from(error) }
    })?;
    if !output.json {
        let span = duration.map_or_else(String::new, |span| format!(" for {}", output::span(span)));
        output::note(&format!("recording {interface}{span}; ctrl-c ends it and keeps the file"));
    }
    let begun = Instant::now();
    let (samples, ended) = take(&mut live, &mut recording, *duration).map_err(|error| {
        error.context(format!("{} has what was recorded until then", file.display()))
    })?;
    let (bytes, seconds) = (recording.bytes(), begun.elapsed().as_secs_f64());
    if output.json {
        return Ok(output::json(&json!({
            "interface": interface,
            "file": file,
            "samples": samples,
            "bytes": bytes,
            "seconds": seconds,
            "ended": ended.name(),
        }))?);
    }
    let full = if ended == Ended::Full { "; it is full" } else { "" };
    let (bytes, path) = (output::bytes(bytes), file.display());
    let text = format!(
        "{path}: {samples} samples, {bytes}{full}\nopen it with `zeroserve-tui replay {path}`\n"
    );
    Ok(output::text(&text)?)
}

/// Takes a sample a second, and one at the end. Says how many.
fn take(
    server: &mut dyn Server,
    recording: &mut RecordingFile,
    duration: Option<Duration>,
) -> anyhow::Result<(u64, Ended)> {
    let interrupted = interruption()?;
    let begun = Instant::now();
    let mut samples = 0;
    loop {
        let passed = begun.elapsed();
        let ended = if duration.is_some_and(|duration| passed >= duration) {
            Some(Ended::Time)
        } else if interrupted.load(Ordering::Relaxed) {
            Some(Ended::Interrupted)
        } else if recording.bytes() >= MAX_RECORDING_BYTES {
            Some(Ended::Full)
        } else {
            None
        };
        let sample = server.sample()?;
        let routes = server.routes()?;
        recording.sample(SystemTime::now(), &sample, &routes).context("cannot write")?;
        samples += 1;
        if let Some(ended) = ended {
            return Ok((samples, ended));
        }
        let next = duration.map_or(EVERY, |duration| EVERY.min(duration.saturating_sub(passed)));
        wait(next, &interrupted);
    }
}

/// Waits, unless somebody wants it to end.
fn wait(span: Duration, interrupted: &AtomicBool) {
    let until = Instant::now() + span;
    while !interrupted.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(LISTEN_EVERY));
    }
}

/// Becomes true when somebody wants it to end.
pub(super) fn interruption() -> anyhow::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .context("cannot listen for signals")?;
    }
    Ok(interrupted)
}

/// Opens a recording in the console, or reports on it where there is no terminal.
pub(super) fn replay(arguments: &ReplayArguments) -> Result<(), Failure> {
    let ReplayArguments { file, display, output } = arguments;
    let recording = open(file)?;
    let terminal = !output.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    if !terminal {
        let summary = Summary::new(&recording);
        if output.json {
            output::json(&summary.document())?;
        } else {
            output::text(&summary.to_string())?;
        }
        return Ok(());
    }
    journal::start();
    let warnings = recording.warnings();
    let defaults = tui::Options::from_environment(Leaving::Replay);
    tui::run(Box::new(Replay::new(recording)), display.apply(defaults)?)?;
    for warning in warnings {
        output::note(&format!("{}: {warning}", file.display()));
    }
    Ok(())
}

fn open(file: &Path) -> Result<Recording, Failure> {
    Recording::open(file).map_err(|error| match error {
        ReadError::Io { .. } => Failure::from(anyhow::Error::new(error)),
        ReadError::Newer { .. } => Failure::refused("other-version", error),
        ReadError::TooLarge { .. } | ReadError::NoRecording(_) | ReadError::Empty(_) => {
            Failure::refused("no-recording", error)
        }
    })
}
