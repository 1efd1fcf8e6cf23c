//! The folder on the BPF filesystem that keeps a server alive.
//!
//! `/sys/fs/bpf/zeroserve/<interface>/` holds the maps and the link. As long as the link is there
//! the server runs, whether or not a console does. Whoever changes anything holds a lock on the
//! folder.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};
use zeroserve_shared::map::{LINK, PIN_ROOT};

/// Where the BPF filesystem is mounted.
const BPF_FILESYSTEM: &str = "/sys/fs/bpf";

/// What to do where the pins of a server cannot be seen.
pub(super) const OUT_OF_SIGHT: &str = "`ip netns exec` hides it: use `nsenter --net=/run/netns/NAME` \
                                       to reach a server in a network namespace";

/// The interfaces that have a server, by name.
///
/// # Errors
///
/// Where the folder exists and cannot be read, for instance without the permission to.
pub fn served_interfaces() -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(PIN_ROOT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().join(LINK).exists() {
            names.push(decode(&entry.file_name().to_string_lossy()));
        }
    }
    names.sort();
    Ok(names)
}

/// What the BPF filesystem keeps for itself in names (dots), what would lead elsewhere (slashes),
/// and the character that stands for them. Interfaces like `eth0.100` have dots.
const ENCODED: [(char, &str); 3] = [('%', "%25"), ('.', "%2e"), ('/', "%2f")];

/// The folder of an interface's server: always one below [`PIN_ROOT`], whatever the name.
pub(super) fn folder(interface: &str) -> PathBuf {
    let mut name = interface.to_owned();
    for (character, code) in ENCODED {
        name = name.replace(character, code);
    }
    // No interface has an empty name, so nothing can be pinned there.
    Path::new(PIN_ROOT).join(if name.is_empty() { "%" } else { &name })
}

fn decode(name: &str) -> String {
    let mut interface = name.to_owned();
    for (character, code) in ENCODED.iter().rev() {
        interface = interface.replace(code, &character.to_string());
    }
    interface
}

/// A lock on the folder of a server, held by whoever changes something.
pub(super) struct Lock {
    folder: File,
}

impl Lock {
    /// Takes the lock if nobody has it.
    pub(super) fn try_acquire(path: &Path) -> Option<Self> {
        let lock = Self { folder: File::open(path).ok()? };
        (lock.folder.try_lock().is_ok() && lock.holds(path)).then_some(lock)
    }

    /// Waits for the lock. None if there is no such folder, or no longer.
    pub(super) fn acquire(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let folder = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                folder => folder?,
            };
            folder.lock()?;
            let lock = Self { folder };
            if lock.holds(path) {
                return Ok(Some(lock));
            }
        }
    }

    /// Whether the folder is still the one at that path: while somebody waited for the lock, it may
    /// have been removed, and made again.
    fn holds(&self, path: &Path) -> bool {
        let inode = |metadata: fs::Metadata| metadata.ino();
        fs::metadata(path).map(inode).ok() == self.folder.metadata().map(inode).ok()
    }
}

/// A folder that is being filled. Unless it is kept, dropping it removes it with all pins.
pub(super) struct NewFolder {
    path: PathBuf,
    kept: bool,
    _lock: Lock,
}

/// Why no folder could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NewFolderError {
    /// There is one.
    #[error("the folder exists")]
    Exists,
    /// The folders belong to root.
    #[error("only root may make the folder")]
    NotPermitted,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl NewFolder {
    /// Makes the folder for an interface, and what it lies in, and locks it.
    pub(super) fn create(interface: &str) -> Result<Self, NewFolderError> {
        ensure_filesystem()?;
        let path = folder(interface);
        let private = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        match private(Path::new(PIN_ROOT)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(cannot_create(Path::new(PIN_ROOT), error));
            }
            _ => {}
        }
        match private(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(NewFolderError::Exists);
            }
            Err(error) => return Err(cannot_create(&path, error)),
        }
        match Lock::acquire(&path) {
            Ok(Some(lock)) => Ok(Self { path, kept: false, _lock: lock }),
            Ok(None) => Err(NewFolderError::Exists),
            Err(error) => Err(cannot_create(&path, error)),
        }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps what has been pinned.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if !self.kept {
            // The error that brought us here is the one to report.
            let _ = remove(&self.path);
        }
    }
}

/// Removes a folder with all its pins, and the one above if nothing else is in it.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(folder)?;
    match fs::remove_dir(PIN_ROOT) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
        _ => Ok(()),
    }
}

fn cannot_create(path: &Path, error: io::Error) -> NewFolderError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return NewFolderError::NotPermitted;
    }
    anyhow::Error::new(error).context(format!("cannot create {}", path.display())).into()
}

/// Mounts the BPF filesystem where it belongs, unless it is there.
fn ensure_filesystem() -> anyhow::Result<()> {
    if is_mounted() {
        return Ok(());
    }
    if is_private_mount_namespace() {
        bail!(
            "no BPF filesystem is mounted at {BPF_FILESYSTEM} in this mount namespace, and one \
             mounted here would vanish with it and take the server along; {OUT_OF_SIGHT}"
        );
    }
    fs::create_dir_all(BPF_FILESYSTEM).with_context(|| {
        format!("cannot create {BPF_FILESYSTEM}; is this kernel built with BPF?")
    })?;
    mount(Some("bpf"), BPF_FILESYSTEM, Some("bpf"), MsFlags::empty(), Some("mode=700"))
        .with_context(|| {
            format!("cannot mount the BPF filesystem; try `mount -t bpf bpf {BPF_FILESYSTEM}`")
        })
}

fn is_mounted() -> bool {
    statfs(BPF_FILESYSTEM).is_ok_and(|status| status.filesystem_type() == BPF_FS_MAGIC)
}

/// Whether servers may exist whose pins this process cannot see.
pub(super) fn are_out_of_sight() -> bool {
    !is_mounted() && is_private_mount_namespace()
}

/// Whether this process sees other mounts than the first process, as under `ip netns exec`.
fn is_private_mount_namespace() -> bool {
    match (fs::read_link("/proc/self/ns/mnt"), fs::read_link("/proc/1/ns/mnt")) {
        (Ok(own), Ok(first)) => own != first,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_name_has_a_folder_of_its_own_that_leads_back_to_it() {
        for name in ["eth0", "eth0.100", "a%2eb", "%25", "..", "/tmp/x", "../x", "a/b"] {
            let folder = folder(name);
            let file = folder.file_name().expect("a name").to_str().expect("text").to_owned();
            assert!(!file.contains('.'), "{file}");
            assert_eq!(decode(&file), name);
            assert_eq!(folder.parent(), Some(Path::new(PIN_ROOT)));
        }
        assert_eq!(folder("").parent(), Some(Path::new(PIN_ROOT)));
    }

    #[test]
    fn there_is_no_lock_on_a_folder_that_does_not_exist() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = Lock::acquire(&folder.path().join("missing")).expect("an answer");
        assert!(missing.is_none());
    }

    #[test]
    fn a_lock_notices_that_its_folder_was_made_again() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("eth0");
        fs::create_dir(&path).expect("a folder");
        let lock = Lock::acquire(&path).expect("an answer").expect("a lock");
        assert!(lock.holds(&path));
        fs::remove_dir(&path).expect("removed");
        assert!(!lock.holds(&path));
    }
}
