//! The log file: what would be lost behind a full screen.
//!
//! `console.log` in the state folder, and `console.log.old`, each of at most [`FILE_BYTES`]. It has
//! what the console cannot keep on its screen: changes with who made them, servers that could not
//! be read, trouble with the recording, panics, and warnings of the libraries.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    panic,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::Level;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::state;

/// When a log file is this long another is begun, and the one before the last is forgotten.
pub const FILE_BYTES: u64 = 1 << 20;

/// Its name within the state folder.
const NAME: &str = "console.log";

/// A library whose warnings nobody can do anything about.
const NOISY: &str = "netlink_packet_route";

/// Whether panics are logged already.
static PANICS: AtomicBool = AtomicBool::new(false);

/// Lets everything that is logged from now on go to the log file. A console without a home, or
/// one that cannot write there, goes without.
pub fn start() {
    let Some(folder) = state::folder() else { return };
    let writer = Mutex::new(Rotating::new(&folder, NAME, FILE_BYTES));
    let log = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(false)
        .with_max_level(Level::INFO)
        .with_target(true)
        .finish()
        // It warns of every interface whose kernel is newer than it.
        .with(Targets::new().with_default(Level::INFO).with_target(NOISY, LevelFilter::ERROR));
    // Fails where somebody logs already, which is as well.
    let _ = log.try_init();
    if !PANICS.swap(true, Ordering::SeqCst) {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            tracing::error!("{panic}");
            before(panic);
        }));
    }
}

/// A file that is put aside when it is full. It is opened when there is something to write.
#[derive(Debug)]
pub(super) struct Rotating {
    folder: PathBuf,
    name: &'static str,
    limit: u64,
    open: Option<(File, u64)>,
}

impl Rotating {
    pub(super) fn new(folder: &Path, name: &'static str, limit: u64) -> Self {
        Self { folder: folder.to_owned(), name, limit, open: None }
    }

    /// The file to write so many bytes to, and how long it is.
    fn for_bytes(&mut self, bytes: u64) -> io::Result<&mut (File, u64)> {
        let path = self.folder.join(self.name);
        if self.open.as_ref().is_some_and(|(_, length)| length + bytes > self.limit) {
            self.open = None;
        }
        if self.open.is_none() {
            state::make(&self.folder)?;
            let full = |length: u64| length > 0 && length + bytes > self.limit;
            if fs::metadata(&path).is_ok_and(|metadata| full(metadata.len())) {
                fs::rename(&path, self.folder.join(format!("{}.old", self.name)))?;
            }
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            let length = file.metadata()?.len();
            self.open = Some((file, length));
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("the log file is not open"))
    }
}

impl Write for Rotating {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let (file, length) = self.for_bytes(text.len() as u64)?;
        file.write_all(text)?;
        *length += text.len() as u64;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_of_bounded_length_are_all_there_is_and_the_latest_line_is_in_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..2_000 {
            // Every hundredth time by another process, which finds the file as it is.
            let mut log = Rotating::new(folder.path(), NAME, 1_000);
            for line in 0..100 {
                writeln!(log, "{number:04} {line:02}").unwrap();
            }
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let (log, old) = (read("console.log"), read("console.log.old"));
        assert!(log.len() <= 1_000 && old.len() <= 1_000 && old.len() > 900);
        assert!(log.ends_with("1999 99\n"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
