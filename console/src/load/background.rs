//! A load that goes on in the background until it is stopped.

use std::{
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
    thread: Option<JoinHandle<Result<u64>>>,
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
            let mut responses = 0;
            while !told.load(Ordering::Relaxed) {
                responses += driver.measure(STEP)?.tally.responses;
            }
            Ok(responses)
        };
        let thread = thread::Builder::new().name("load".into()).spawn(go_on);
        Ok(Self { stop, thread: Some(thread.context("cannot start the thread of the load")?) })
    }

    /// Ends it, and says how many requests were answered.
    ///
    /// # Errors
    ///
    /// Where it has failed.
    pub fn stop(mut self) -> Result<u64> {
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
