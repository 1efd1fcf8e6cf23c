//! The files: bounded, continued after a crash, saved.
//!
//! The black box of an interface is a file and the one before it. When the first is full it takes
//! the other's place, so that between one and two times [`FILE_BYTES`] of the latest past are on
//! disk, whatever happens. A console that opens it goes on where the one before ended, and cuts off
//! what a killed one left behind of a record. A lock keeps two consoles from writing it at a time.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{document::Action, encoder::Encoder, frame, state};
use crate::server::{Identity, RouteInfo, Sample};

/// How much of the past one of the two files of a black box holds.
pub const FILE_BYTES: u64 = 8 << 20;

/// A recording into one file begins anew as often as this, so that a reader need not begin far off.
const START_EVERY_BYTES: u64 = 8 << 20;

/// The largest recording into one file.
pub const MAX_RECORDING_BYTES: u64 = 256 << 20;

/// Why there is no black box.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another console writes it.
    #[error("another console records this interface already")]
    Taken,
    /// The file system says no.
    #[error("cannot record to {}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// Appends records to a file, whole or not at all.
#[derive(Debug)]
struct Appender {
    file: File,
    bytes: u64,
    encoder: Encoder,
    /// Whether the next thing to be told has to be a start.
    unstarted: bool,
}

impl Appender {
    fn new(file: File, bytes: u64) -> Self {
        Self { file, bytes, encoder: Encoder::default(), unstarted: true }
    }

    fn append(
        &mut self,
        identity: &Identity,
        tell: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) -> io::Result<()> {
        let mut records = Vec::new();
        if self.bytes == 0 {
            records.extend_from_slice(&frame::header());
        }
        if self.unstarted {
            self.encoder.start(&mut records, identity);
        }
        tell(&mut self.encoder, &mut records);
        if let Err(error) = self.file.write_all(&records) {
            // The disk may be full. What is half written is cut off, so that what is there stays
            // readable, and the next attempt begins anew: the encoder is ahead of the file.
            self.unstarted = true;
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.unstarted = false;
        self.bytes += records.len() as u64;
        Ok(())
    }
}

/// The last minutes of an interface, on disk.
#[derive(Debug)]
pub struct BlackBox {
    path: PathBuf,
    file_bytes: u64,
    appender: Appender,
    identity: Identity,
    /// Locked while this exists. The recording itself cannot be: it is renamed.
    _lock: File,
}

impl BlackBox {
    /// Opens the black box of an interface in a folder, whose files hold so many bytes.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(folder: &Path, identity: Identity, file_bytes: u64) -> Result<Self, OpenError> {
        let path = folder.join(format!("{}.zsr", identity.interface));
        let failed = |error| OpenError::Io { file: path.clone(), error };
        state::make(folder).map_err(failed)?;
        let lock = open_own(&beside(&path, ".lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Taken),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let file = open_own(&path).map_err(failed)?;
        let bytes = mend(&file, &path).map_err(failed)?;
        let appender = Appender::new(file, bytes);
        Ok(Self { path, file_bytes, appender, identity, _lock: lock })
    }

    /// Records a sample, with the routes if they may have changed.
    ///
    /// # Errors
    ///
    /// Where it cannot be written. It is worth trying again with the next sample.
    pub fn sample(
        &mut self,
        at: SystemTime,
        sample: &Sample,
        routes: Option<&[RouteInfo]>,
    ) -> io::Result<()> {
        self.append(|encoder, out| encoder.sample(out, at, sample, routes))
    }

    /// Whether the next sample must come with the routes, because nothing was told yet.
    pub fn needs_routes(&self) -> bool {
        self.appender.unstarted || self.is_full() || self.appender.encoder.needs_routes()
    }

    /// Records something that the operator did.
    ///
    /// # Errors
    ///
    /// As for [`BlackBox::sample`].
    pub fn action(&mut self, action: &Action) -> io::Result<()> {
        self.append(|encoder, out| encoder.action(out, action))
    }

    /// Records that no sample could be taken.
    ///
    /// # Errors
    ///
    /// As for [`BlackBox::sample`].
    pub fn lost(&mut self, at: SystemTime, why: &str) -> io::Result<()> {
        self.append(|encoder, out| encoder.lost(out, at, why))
    }

    /// Copies everything there is into a new file. Returns its length.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, or is there already.
    pub fn save(&self, to: &Path) -> io::Result<u64> {
        let mut copy = OpenOptions::new().write(true).create_new(true).open(to)?;
        let (older, current) = (read_whole(&self.older())?, read_whole(&self.path)?);
        // A file goes on with a start, so that two of them are one, but for the second's header.
        let parts = [&frame::header()[..], behind_header(&older), behind_header(&current)];
        for part in parts {
            copy.write_all(part)?;
        }
        Ok(parts.map(|part| part.len() as u64).iter().sum())
    }

    fn is_full(&self) -> bool {
        self.appender.bytes >= self.file_bytes
    }

    fn older(&self) -> PathBuf {
        beside(&self.path, ".old")
    }

    fn append(&mut self, tell: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> io::Result<()> {
        if self.is_full() {
            fs::rename(&self.path, self.older())?;
            self.appender = Appender::new(open_own(&self.path)?, 0);
        }
        self.appender.append(&self.identity, tell)
    }
}

/// A recording into one file, for scripts.
#[derive(Debug)]
pub struct RecordingFile {
    appender: Appender,
    identity: Identity,
    started_at: u64,
    /// The revision of the routes that were told last.
    revision: Option<u64>,
}

impl RecordingFile {
    /// Begins one, in a file that is not there yet.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn create(path: &Path, identity: Identity) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self { appender: Appender::new(file, 0), identity, started_at: 0, revision: None })
    }

    /// Records a sample and the routes there are.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn sample(
        &mut self,
        at: SystemTime,
        sample: &Sample,
        routes: &[RouteInfo],
    ) -> io::Result<()> {
        if self.bytes() - self.started_at >= START_EVERY_BYTES {
            self.appender.unstarted = true;
            self.started_at = self.bytes();
        }
        let told = !self.appender.unstarted && self.revision == Some(sample.routes_revision);
        let routes = (!told).then_some(routes);
        self.appender
            .append(&self.identity, |encoder, out| encoder.sample(out, at, sample, routes))?;
        self.revision = Some(sample.routes_revision);
        Ok(())
    }

    /// How long it is.
    pub fn bytes(&self) -> u64 {
        self.appender.bytes
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// Opens a file to be read by nobody else.
fn open_own(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Cuts off what is no whole record, and returns how long the file is then. What is not of this
/// format at all is moved out of the way.
fn mend(file: &File, path: &Path) -> io::Result<u64> {
    let content = fs::read(path)?;
    if content.starts_with(&frame::header()) || content.is_empty() {
        let whole = frame::whole_bytes(&content) as u64;
        file.set_len(whole)?;
        return Ok(whole);
    }
    // A recording of another version may be wanted yet; this one begins beside it.
    fs::write(beside(path, ".other"), &content)?;
    file.set_len(0)?;
    Ok(0)
}

/// The content of a file of the black box, as far as it is whole; nothing if it is not there.
fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(mut content) => {
            content.truncate(frame::whole_bytes(&content));
            Ok(content)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The records of a file; none if it is of another format, left by another version.
fn behind_header(file: &[u8]) -> &[u8] {
    file.strip_prefix(&frame::header()).unwrap_or_default()
}
