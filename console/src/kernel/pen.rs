//! Who may change a server from a console: one console at a time holds the pen, others only read.
//!
//! The pen is a lock on a file below `/run/zeroserve/`, which says who has it. The kernel frees the
//! lock with the process, however that ends, so what is in the file counts only while the lock is
//! held. Commands such as `add` ask nobody: a script must not fail because somebody looks on.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt, MetadataExt as _, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::server::Holder;

/// Where the files are. Not beside the pins: the BPF filesystem has no files to write.
const FOLDER: &str = "/run/zeroserve";

/// What more than this a file says is nothing of ours.
const LONGEST_BYTES: u64 = 4096;

/// The pen of a server, or the wish for it.
#[derive(Debug)]
pub(super) struct Pen {
    path: PathBuf,
    /// What the file says once it is ours.
    own: Written,
    held: Option<File>,
    /// Why the file cannot be locked.
    trouble: Option<String>,
}

/// What is in the file.
#[derive(Debug, Deserialize, Serialize)]
struct Written {
    user: String,
    pid: u32,
    terminal: Option<String>,
    since_unix_s: u64,
}

impl Pen {
    /// The pen of a server whose pins are in a folder of that name, for somebody who wants it.
    pub(super) fn wanted(name: &str, user: &str) -> Self {
        Self::at(Path::new(FOLDER), name, user)
    }

    fn at(folder: &Path, name: &str, user: &str) -> Self {
        let terminal = fs::read_link("/proc/self/fd/0").ok();
        let terminal = terminal.map(|path| path.display().to_string());
        let terminal = terminal.and_then(|path| Some(path.strip_prefix("/dev/")?.to_owned()));
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            path: folder.join(format!("{name}.pen")),
            own: Written {
                user: user.to_owned(),
                pid: std::process::id(),
                terminal,
                since_unix_s: since.as_secs(),
            },
            held: None,
            trouble: None,
        }
    }

    /// Takes the pen if it is free; tells who has it, if somebody else does. Where there can be no
    /// such file everybody has the pen, as if there were no other console; see [`Pen::trouble`].
    pub(super) fn take(&mut self) -> Option<Holder> {
        if self.held.is_some() {
            return None;
        }
        let outcome = self.try_take();
        let trouble = outcome.as_ref().err();
        let trouble = trouble.map(|error| format!("cannot lock {}: {error}", self.path.display()));
        if let Some(why) = trouble.as_ref().filter(|_| self.trouble != trouble) {
            tracing::warn!("{why}");
        }
        self.trouble = trouble;
        outcome.unwrap_or_default()
    }

    /// Why it cannot be known whether somebody else has the pen, if so.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    fn try_take(&mut self) -> io::Result<Option<Holder>> {
        if let Some(folder) = self.path.parent() {
            match DirBuilder::new().mode(0o755).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        let mut open = OpenOptions::new();
        // Whose file it is must be seen before it is emptied.
        let open = open.read(true).write(true).create(true).truncate(false).mode(0o644);
        let mut file = open.open(&self.path)?;
        match file.try_lock() {
            // Its last holder may have removed it meanwhile; then it is nobody's, and tried again.
            Ok(()) if !is_at(&file, &self.path) => return self.try_take(),
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(Some(read(&mut file)?)),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&serde_json::to_vec(&self.own)?)?;
        self.held = Some(file);
        Ok(None)
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        if self.held.is_some() {
            // What stays behind is only a file that nobody has locked.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a file is still the one at that path.
fn is_at(file: &File, path: &Path) -> bool {
    let inode = |metadata: fs::Metadata| metadata.ino();
    fs::metadata(path).map(inode).ok() == file.metadata().map(inode).ok()
}

/// Who has it. Whoever has taken it a moment ago may not have written it yet.
fn read(file: &mut File) -> io::Result<Holder> {
    let mut text = String::new();
    file.take(LONGEST_BYTES).read_to_string(&mut text)?;
    let written: Option<Written> = serde_json::from_str(&text).ok();
    let since = |written: &Written| {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(written.since_unix_s))
    };
    Ok(Holder {
        since: written.as_ref().and_then(since),
        pid: written.as_ref().map(|written| written.pid),
        terminal: written.as_ref().and_then(|written| written.terminal.clone()),
        user: written.map_or_else(|| "somebody".into(), |written| written.user),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_pen_and_the_others_are_told_who() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = |user| Pen::at(folder.path(), "eth0", user);
        let (mut anna, mut boris) = (wanted("anna"), wanted("boris"));
        assert_eq!(anna.take(), None);
        assert_eq!(anna.take(), None, "it stays hers");
        let holder = boris.take().expect("hers");
        assert_eq!((holder.user.as_str(), holder.pid), ("anna", Some(std::process::id())));
        assert!(holder.since.is_some());
        assert_eq!(Pen::at(folder.path(), "eth1", "boris").take(), None, "another server's");
        drop(anna);
        assert_eq!(boris.take(), None);
        assert_eq!(wanted("anna").take().expect("his").user, "boris");
        drop(boris);
        assert!(!folder.path().join("eth0.pen").exists(), "no trace is left");
    }

    #[test]
    fn who_has_it_and_has_not_said_so_yet_is_somebody() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("eth0.pen")).unwrap();
        file.lock().unwrap();
        let holder = Pen::at(folder.path(), "eth0", "anna").take().expect("somebody's");
        assert_eq!((holder.user.as_str(), holder.pid, holder.since), ("somebody", None, None));
    }

    #[test]
    fn where_there_can_be_no_file_nobody_is_kept_out_and_that_is_said() {
        let folder = tempfile::NamedTempFile::new().unwrap();
        let mut pen = Pen::at(folder.path(), "eth0", "anna");
        assert_eq!(pen.take(), None);
        let trouble = pen.trouble().expect("it cannot be locked");
        assert!(trouble.starts_with("cannot lock /"), "{trouble}");
        let path = folder.path().to_owned();
        drop(folder);
        assert_eq!((pen.take(), pen.trouble()), (None, None), "once there can be, all is well");
        drop(pen);
        fs::remove_dir(path).unwrap();
    }
}
