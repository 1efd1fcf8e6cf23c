//! On which CPUs packets are processed, and how long that takes.
//!
//! On a veth pair whoever sends a packet has it processed on his own CPU, in a softirq that is
//! charged to whatever happens to run. With threaded NAPI each end has a kernel thread for it
//! instead: it can be put on a CPU, and what it takes can be read.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, CpuSet, sched_setaffinity, unshare},
    unistd::Pid,
};

use crate::net::Namespace;

/// A thread whose time is taken.
#[derive(Clone, Copy, Debug)]
pub struct Thread(Pid);

/// When a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// As soon as it can, and before all of lower numbers. The kernel leaves others a twentieth of
    /// each second.
    First(i32),
    /// In turn.
    Usual,
}

impl Thread {
    /// A thread, or the first of a process.
    pub fn of(pid: u32) -> Self {
        Self(Pid::from_raw(pid as i32))
    }

    /// Has it run on one CPU.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn pin(self, cpu: usize) -> Result<()> {
        let mut cpus = CpuSet::new();
        cpus.set(cpu).with_context(|| format!("there is no CPU {cpu}"))?;
        sched_setaffinity(self.0, &cpus)
            .with_context(|| format!("cannot put the thread {} on CPU {cpu}", self.0))
    }

    /// Says when it is to run.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses: without `CAP_SYS_NICE`, or in a control group that may have no threads
    /// that go first.
    pub fn schedule(self, policy: Policy) -> Result<()> {
        let (policy, sched_priority) = match policy {
            Policy::First(priority) => (libc::SCHED_FIFO, priority),
            Policy::Usual => (libc::SCHED_OTHER, 0),
        };
        let parameters = libc::sched_param { sched_priority };
        // SAFETY: the kernel only reads the parameters.
        let result =
            unsafe { libc::sched_setscheduler(self.0.as_raw(), policy, &raw const parameters) };
        ensure!(
            result == 0,
            "cannot change the priority of the thread {}: {}",
            self.0,
            io::Error::last_os_error()
        );
        Ok(())
    }

    /// How long it has run. What interrupts it counts as its own.
    ///
    /// # Errors
    ///
    /// Where the thread is gone.
    pub fn run_time(self) -> Result<Duration> {
        let path = format!("/proc/{}/schedstat", self.0);
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        let first = text.split(' ').next().and_then(|word| word.parse().ok());
        Ok(Duration::from_nanos(first.with_context(|| format!("{path} says {text:?}"))?))
    }
}

/// Gives an interface a kernel thread that processes its packets, and finds the thread.
///
/// # Errors
///
/// Where the kernel refuses.
pub fn thread_of(namespace: &Namespace, interface: &str) -> Result<Thread> {
    let setting = format!("class/net/{interface}/threaded");
    namespace
        .run(|| write_sysfs(&setting, "1"))?
        .with_context(|| format!("cannot have a thread process the packets of {interface}"))?;
    let name = format!("napi/{interface}-");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Threads come and go meanwhile.
        let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if comm.starts_with(&name) {
            found.push(Thread::of(pid));
        }
    }
    ensure!(found.len() <= 1, "{interface} has {} queues, not one", found.len());
    let Some(thread) = found.pop() else {
        bail!("no kernel thread is called {name}...");
    };
    Ok(thread)
}

/// Writes a file of the sysfs of the calling thread's network namespace. What is mounted on `/sys`
/// shows that of another, so the thread, which should end soon, gets mounts of its own.
fn write_sysfs(name: &str, value: &str) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), None::<&str>)?;
    let result = write_existing(&Path::new("/sys").join(name), value);
    umount2("/sys", MntFlags::MNT_DETACH)?;
    Ok(result?)
}

fn write_existing(path: &Path, value: &str) -> io::Result<()> {
    File::options().write(true).open(path)?.write_all(value.as_bytes())
}
