//! Keeps the rest of the machine out of what is measured while requests are sent at a given rate.
//! Otherwise the longest latencies would tell what else the machine does.

use anyhow::Result;

use super::threads::{Policy, Thread};

/// Threads that go first until this is dropped.
pub(super) struct First(Vec<Thread>);

impl First {
    /// Puts threads ahead of all others, and the calling thread, which sends the orders, right behind
    /// them.
    pub(super) fn new<'a>(threads: impl Iterator<Item = &'a Thread>) -> Result<Self> {
        let mut first = Self(Vec::new());
        let threads = threads.map(|thread| (*thread, Policy::First(2)));
        for (thread, policy) in threads.chain([(Thread::of(0), Policy::First(1))]) {
            thread.schedule(policy)?;
            first.0.push(thread);
        }
        Ok(first)
    }
}

impl Drop for First {
    fn drop(&mut self) {
        for thread in &self.0 {
            // It is no worse than before if that fails: the thread may have ended.
            let _ = thread.schedule(Policy::Usual);
        }
    }
}
