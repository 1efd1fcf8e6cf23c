//! A load that goes on in the background until it is stopped.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

use super::Driver;

/// How soon it notices that it is to stop.
const STEP: Duration = Duration::from_millis(200);

/// A running load. Ends when dropped.
pub struct Background {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Outcome>>>,
}

/// What a load came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many requests were answered as expected.
    pub responses: u64,
    /// What went wrong, if anything, and how often.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Background {
    /// Has a load go on.
    ///
    /// # Errors
    ///
    /// Where no thread can be started.
    pub fn start(mut driver: Driver) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let go_on = move || {
            let mut outcome = Outcome::default();
            while !told.load(Ordering::Relaxed) {
                let measured = driver.measure(STEP)?;
                outcome.responses += measured.tally.responses;
                for (count, what) in measured.faults() {
                    *outcome.faults.entry(what).or_default() += count;
                }
            }
            Ok(outcome)
        };
        let thread = thread::Builder::new().name("load".into()).spawn(go_on);
        Ok(Self { stop, thread: Some(thread.context("cannot start the thread of the load")?) })
    }

    /// Ends it, and says what it came to.
    ///
    /// # Errors
    ///
    /// Where it has failed.
    pub fn stop(mut self) -> Result<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the load has ended already")?;
        thread.join().map_err(|_| anyhow!("the load panicked"))?
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its connections are to be reset before the network goes.
            let _ = thread.join();
        }
    }
}
