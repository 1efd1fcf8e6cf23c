//! Private network namespaces, and threads and commands inside them.
//!
//! A namespace is a property of a thread, and one that is easily forgotten: so a closure that has
//! business in a namespace runs on a thread of its own, which ends with it.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::process::CommandExt,
    },
    panic,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

use super::undo::Undo;

/// Where `ip netns` looks for namespaces.
const FOLDER: &str = "/run/netns";

/// What the names of all namespaces made here begin with.
const PREFIX: &str = "zeroserve-";

/// A network namespace with a name, removed when dropped.
pub struct Namespace {
    name: String,
    handle: File,
    _undo: Undo,
}

impl Namespace {
    /// Makes a namespace. Its name, which `ip netns` lists, is made unique with the process id
    /// and a count: `zeroserve-<name>-<pid>-<count>`. Interfaces in it speak IPv4 only,
    /// until it is turned on for one.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses, above all to processes without `CAP_SYS_ADMIN`.
    pub fn create(name: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{name}-{}-{count}", process::id());
        let path = Path::new(FOLDER).join(&name);
        fs::create_dir_all(FOLDER).with_context(|| format!("cannot create {FOLDER}"))?;
        let undo = Undo::new({
            let path = path.clone();
            move || remove(&path)
        });
        let handle = thread::scope(|scope| join(scope.spawn(|| unshare_onto(&path))))
            .with_context(|| {
                format!("cannot make the network namespace {name} (this needs CAP_SYS_ADMIN)")
            })?;
        Ok(Self { name, handle, _undo: undo })
    }

    /// Its name, as `ip netns` lists it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a closure on a thread of its own inside the namespace, and returns what it returns. A
    /// panic in the closure goes on in the caller.
    ///
    /// # Errors
    ///
    /// Where the namespace cannot be entered.
    pub fn run<T: Send>(&self, closure: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            join(scope.spawn(|| {
                enter(self.handle.as_fd())?;
                io::Result::Ok(closure())
            }))
        })
        .with_context(|| self.cannot_enter())
    }

    /// As [`Namespace::run`], but goes on without waiting. `name` is the thread's.
    ///
    /// # Errors
    ///
    /// Where the thread cannot be started. If it cannot enter the namespace, joining it says so.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        closure: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let handle = self.handle.try_clone().context("cannot duplicate a file descriptor")?;
        let message = self.cannot_enter();
        thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                enter(handle.as_fd()).context(message)?;
                Ok(closure())
            })
            .with_context(|| format!("cannot start the thread {name}"))
    }

    /// A command that will run inside the namespace. The file systems it sees are the same as
    /// here, unlike with `ip netns exec`, which hides `/sys/fs/bpf`.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        // The command may outlive this namespace, so it needs a descriptor of its own.
        let handle = self.handle.try_clone();
        // SAFETY: between fork and exec only `setns` is called, which is a bare system call, and
        // errors are made from numbers without allocating.
        unsafe {
            command.pre_exec(move || match &handle {
                Ok(handle) => enter(handle.as_fd()),
                Err(error) => Err(io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(0))),
            });
        }
        command
    }

    fn cannot_enter(&self) -> String {
        format!("cannot enter the network namespace {}", self.name)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl AsRawFd for Namespace {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.handle.as_raw_fd()
    }
}

/// Removes namespaces that processes of this name left behind when they were killed, and calls
/// `removed` with the process id of each.
pub fn sweep(mut removed: impl FnMut(u32)) {
    let Ok(entries) = fs::read_dir(FOLDER) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(maker) else { continue };
        if !Path::new("/proc").join(pid.to_string()).exists() {
            remove(&entry.path());
            removed(pid);
        }
    }
}

/// The id of the process that made the namespace of this name.
fn maker(name: &str) -> Option<u32> {
    let mut parts = name.strip_prefix(PREFIX)?.rsplit('-');
    let _count: u32 = parts.next()?.parse().ok()?;
    parts.next()?.parse().ok()
}

/// Moves the calling thread into the namespace, for good.
fn enter(handle: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setns(handle, CloneFlags::CLONE_NEWNET)?)
}

/// Makes a namespace for the calling thread and mounts it on `path`.
fn unshare_onto(path: &Path) -> Result<File> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    File::create_new(path)?;
    // The thread's own entry: `/proc/self` is that of the main thread, which has not moved.
    let own = "/proc/thread-self/ns/net";
    mount(Some(own), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    settle()?;
    Ok(File::open(own)?)
}

/// Turns IPv6 off for the interfaces to come in the calling thread's namespace. Otherwise each
/// would announce itself for a while, and packets could not be counted exactly. Where it is turned
/// on again, an address is used at once, without asking whether anybody has it already.
fn settle() -> io::Result<()> {
    let settings = [
        ("disable_ipv6", "1"),
        ("accept_dad", "0"),
        ("accept_ra", "0"),
        ("router_solicitations", "0"),
        ("mldv2_unsolicited_report_interval", "1"),
    ];
    for (name, value) in settings {
        match fs::write(format!("/proc/sys/net/ipv6/conf/default/{name}"), value) {
            // Without IPv6 there is nothing to settle.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Unmounts and removes a namespace's name. The kernel removes the namespace, with every
/// interface in it, once no thread is in it and no descriptor names it.
fn remove(path: &PathBuf) {
    // Where it was never mounted this fails with EINVAL, and there is nothing to do.
    while let Ok(()) = umount2(path, MntFlags::MNT_DETACH) {}
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        eprintln!("zeroserve-tui: cannot remove {}: {error}", path.display());
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// Whether an error says that the process lacks a privilege.
pub fn is_permission_error(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref::<Errno>(), Some(Errno::EPERM | Errno::EACCES))
            || cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maker_of_a_namespace_is_read_from_its_name() {
        assert_eq!(maker("zeroserve-demo-server-4711-0"), Some(4711));
        assert_eq!(maker("zeroserve-4711-12"), Some(4711));
        assert_eq!(maker("zeroserve-demo"), None);
        assert_eq!(maker("production-4711-0"), None);
    }
}
