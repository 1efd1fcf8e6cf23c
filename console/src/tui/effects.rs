//! The one place where the console's wishes are carried out, away from the thread that draws.
//!
//! Two workers: one owns the server, the other reads files, so that neither a large file nor a
//! slow folder holds up a sample. Both answer with messages.

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;
use nix::time::{ClockId, clock_gettime};

use super::commit;
use super::drift::{self, Drift};
use super::guarded::Guarded;
use super::message::{Entry, FilesJob, Message, ServerJob};
use crate::{
    content::Rendered,
    observe::{Packet, pcapng::Capture},
    promote,
    record::history,
    server::Server,
};

/// What a worker says.
#[derive(Debug)]
pub(crate) enum Answer {
    Message(Message),
    /// It panicked, and will say nothing any more.
    Failed,
}

/// Says so when a worker panics: somebody may be waiting for its answer.
struct Watch<F: Fn(Answer)>(F);

impl<F: Fn(Answer)> Drop for Watch<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)(Answer::Failed);
        }
    }
}

/// CPU time that the workers have taken, in nanoseconds.
#[derive(Clone, Debug, Default)]
struct Spent(Arc<AtomicU64>);

impl Spent {
    /// Does something, and counts what it took.
    fn on<T>(&self, job: impl FnOnce() -> T) -> T {
        let before = cpu_time();
        let outcome = job();
        let took = cpu_time().saturating_sub(before).as_nanos() as u64;
        self.0.fetch_add(took, Ordering::Relaxed);
        outcome
    }
}

/// CPU time that the calling thread has taken. Not that of the process: in the demo that is mostly
/// the load.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The workers. They finish what they were asked for and end when this is dropped.
pub(crate) struct Workers {
    server: mpsc::Sender<ServerJob>,
    files: mpsc::Sender<FilesJob>,
    serving: thread::JoinHandle<()>,
    spent: Spent,
}

impl Workers {
    /// Starts them; `reply` takes their answers.
    ///
    /// # Errors
    ///
    /// Where no thread can be started.
    pub(crate) fn start(
        mut server: Box<dyn Server>,
        mut guarded: Guarded,
        reply: impl Fn(Answer) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (to_server, server_jobs) = mpsc::channel();
        let (to_files, files_jobs) = mpsc::channel();
        let (to_console, also_to_console) = (Watch(reply.clone()), Watch(reply));
        let spent = Spent::default();
        let (by_server, by_files) = (spent.clone(), spent.clone());
        let serving = thread::Builder::new().name("console-server".into()).spawn(move || {
            let to_console = to_console;
            for job in server_jobs {
                let answer = by_server.on(|| guarded.ask(server.as_mut(), job));
                (to_console.0)(Answer::Message(answer));
            }
        })?;
        thread::Builder::new().name("console-files".into()).spawn(move || {
            let also_to_console = also_to_console;
            for job in files_jobs {
                let answer = by_files.on(|| read(job));
                (also_to_console.0)(Answer::Message(answer));
            }
        })?;
        Ok(Self { server: to_server, files: to_files, serving, spent })
    }

    /// CPU time that the workers and the calling thread have taken.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.0.load(Ordering::Relaxed)) + cpu_time()
    }

    /// Asks something of the server. Fails if its worker is gone, which takes a panic.
    pub(crate) fn ask(&self, job: ServerJob) -> anyhow::Result<()> {
        self.server
            .send(job)
            .map_err(|_| anyhow::anyhow!("the thread that asks the server is gone"))
    }

    /// Reads something. Fails if the worker is gone, which takes a panic.
    pub(crate) fn read(&self, job: FilesJob) -> anyhow::Result<()> {
        self.files.send(job).map_err(|_| anyhow::anyhow!("the thread that reads files is gone"))
    }

    /// Waits until all that was asked of the server is done.
    pub(crate) fn finish(self) {
        drop(self.server);
        // A panic of the worker has been reported by the panic hook.
        let _ = self.serving.join();
    }
}

/// Asks something of the server.
pub(crate) fn ask(server: &mut dyn Server, job: ServerJob) -> Message {
    match job {
        ServerJob::Sample => Message::Sampled(server.sample().map_err(|e| format!("{e:#}"))),
        ServerJob::LookAround => {
            Message::LookedAround(server.surroundings().map(Box::new).map_err(|e| format!("{e:#}")))
        }
        ServerJob::Flows(limit) => {
            Message::Flows(server.flows(limit).map_err(|e| format!("{e:#}")))
        }
        ServerJob::Observe(wanted) => {
            Message::Observed(server.observe(&wanted).map_err(|e| format!("{e:#}")))
        }
        ServerJob::Routes => Message::Routes(server.routes().map_err(|e| format!("{e:#}"))),
        ServerJob::Head(route) => {
            let response = server.response(&route).map_err(|e| format!("{e:#}"));
            Message::Head { route, lines: response.map(|response| commit::head(&response)) }
        }
        ServerJob::Measure(wanted) => {
            let outcome = server.measure(wanted).map(|()| wanted);
            Message::Measured(outcome.map_err(|e| format!("{e:#}")))
        }
        ServerJob::Misses => Message::Misses(server.misses().map_err(|e| format!("{e:#}"))),
        ServerJob::Origin { job, wish } => {
            let origin = server.origin().map_err(|e| format!("{e:#}"));
            Message::Origin { job, wish, origin }
        }
        // Without a guard there is nothing to tell.
        ServerJob::Keep => Message::Kept { too_late: false },
        // Nor is there anything to settle.
        ServerJob::Settle => Message::Settled(Ok(None)),
        ServerJob::Commit(commit) => {
            Message::Committed(Box::new(commit::carry_out(server, *commit)))
        }
        ServerJob::Play(order) => match server.replay() {
            Some(replay) => Message::Played(Box::new(replay.play(order))),
            None => ask(server, ServerJob::Sample),
        },
        ServerJob::Save(file) => {
            let outcome = server.save_recording(&file).map_err(|error| format!("{error:#}"));
            Message::Saved { file, outcome }
        }
    }
}

/// Reads something from the file system.
pub(crate) fn read(job: FilesJob) -> Message {
    match job {
        FilesJob::List(folder) => {
            let entries =
                list(&folder).map_err(|error| format!("cannot list {}: {error}", folder.display()));
            Message::Listed { folder, entries }
        }
        FilesJob::History { folder, interface } => {
            Message::History(history::read(&folder, &interface))
        }
        FilesJob::Render { job, source, options } => {
            let outcome = Rendered::file(&source, &options)
                .map(Arc::new)
                .map_err(|error| format!("{:#}", anyhow::Error::new(error)));
            Message::Rendered { job, outcome }
        }
        FilesJob::Examine { job, wish, origin } => {
            let outcome = promote::examine(origin.as_ref(), &wish);
            let outcome = outcome.map_err(|error| format!("{:#}", anyhow::Error::new(error)));
            Message::Examined { job, outcome }
        }
        FilesJob::Compare(info) => {
            let drift = match &info.source {
                Some(source) => drift::compare(source, &info),
                None => Drift::Gone,
            };
            Message::Compared { index: info.index, drift }
        }
        FilesJob::Export { file, interface, packets } => {
            let outcome = export(&file, &interface, &packets).map_err(|e| format!("{e:#}"));
            Message::Exported { file, outcome: outcome.map(|()| packets.len()) }
        }
    }
}

/// Writes packets to a file that is not there yet.
fn export(file: &Path, interface: &str, packets: &[Packet]) -> anyhow::Result<()> {
    let new = fs::File::create_new(file);
    let new = new.with_context(|| format!("cannot create {}", file.display()))?;
    let mut capture = Capture::new(io::BufWriter::new(new), interface)?;
    for packet in packets {
        capture.write(packet)?;
    }
    capture.into_inner().into_inner().context("cannot finish the file")?;
    Ok(())
}

/// What is in a folder: folders first, then by name.
fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Through links; what a broken one leads to cannot be picked anyway.
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if !metadata.is_dir() && !metadata.is_file() {
            continue;
        }
        // A name that is not UTF-8 could not be typed nor shown; such files need the shell.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let modified = metadata.modified().ok();
        entries.push(Entry { name, is_folder: metadata.is_dir(), bytes: metadata.len(), modified });
    }
    entries.sort_by(|a, b| b.is_folder.cmp(&a.is_folder).then_with(|| a.name.cmp(&b.name)));
    Ok(entries)
}
