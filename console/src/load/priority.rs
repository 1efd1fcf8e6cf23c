//! Keeps the rest of the machine out of what is measured while requests are sent at a given rate.
//! Otherwise the longest latencies would tell what else the machine does.

use std::{
    collections::BTreeSet,
    hint,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};

use super::threads::{Policy, Thread};

/// Threads that go first until this is dropped.
pub(super) struct First {
    preferred: Vec<Thread>,
    stop: Arc<AtomicBool>,
    awake: Vec<JoinHandle<Result<()>>>,
}

impl First {
    /// Puts threads ahead of all others, and the calling thread, which sends the orders, right behind
    /// them. Keeps the CPUs from sleeping: to wake one takes longer than an answer, in a virtual
    /// machine above all.
    pub(super) fn new<'a>(
        threads: impl Iterator<Item = &'a Thread>,
        cpus: &BTreeSet<usize>,
    ) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut first = Self { preferred: Vec::new(), stop, awake: Vec::new() };
        for cpu in cpus {
            let (cpu, stop) = (*cpu, Arc::clone(&first.stop));
            let spin = move || stay_awake(cpu, &stop);
            let thread = thread::Builder::new().name("awake".into()).spawn(spin);
            first.awake.push(thread.context("cannot start a thread")?);
        }
        let threads = threads.map(|thread| (*thread, Policy::First(2)));
        for (thread, policy) in threads.chain([(Thread::of(0), Policy::First(1))]) {
            thread.schedule(policy)?;
            first.preferred.push(thread);
        }
        Ok(first)
    }
}

impl Drop for First {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in &self.preferred {
            // It is no worse than before if that fails: the thread may have ended.
            let _ = thread.schedule(Policy::Usual);
        }
        for thread in self.awake.drain(..) {
            // All it could say is that its CPU slept.
            let _ = thread.join();
        }
    }
}

/// Keeps a CPU busy where it would have nothing to do.
fn stay_awake(cpu: usize, stop: &AtomicBool) -> Result<()> {
    Thread::of(0).pin(cpu)?;
    Thread::of(0).schedule(Policy::Last)?;
    while !stop.load(Ordering::Relaxed) {
        hint::spin_loop();
    }
    Ok(())
}
