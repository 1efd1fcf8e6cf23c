//! Refreshes copies, and promotes what rules name, while a console runs.

use std::{
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;

use crate::{
    kernel::Live,
    promote::{Event, Rules, Watcher},
};

/// How soon a server that cannot be read is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// A thread of its own, because the server behind may be slow to answer. It ends when this is dropped.
pub(super) struct Refresher {
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Refresher {
    /// Starts it for the server of an interface.
    pub(super) fn start(interface: &str, rules: Option<Rules>) -> anyhow::Result<Self> {
        let (end, ended) = mpsc::channel();
        let interface = interface.to_owned();
        let work = move || {
            let mut watcher = Watcher::new(rules);
            let mut live = None;
            loop {
                let rest = round(&interface, &mut live, &mut watcher).unwrap_or_else(|error| {
                    tracing::warn!("copies on {interface} are not refreshed: {error:#}");
                    live = None;
                    AGAIN
                });
                if !matches!(ended.recv_timeout(rest), Err(mpsc::RecvTimeoutError::Timeout)) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("console-refresher".into()).spawn(work);
        Ok(Self { end: Some(end), thread: Some(thread.context("cannot start a thread")?) })
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Does what is due, and says how long it has time until the next.
fn round(
    interface: &str,
    live: &mut Option<Live>,
    watcher: &mut Watcher,
) -> anyhow::Result<Duration> {
    let live = match live {
        Some(live) => live,
        None => live.insert(Live::open(interface)?),
    };
    let (events, rest) = watcher.round(live)?;
    for event in events {
        match event {
            // The console shows what has changed by itself.
            Event::Refreshed(..) | Event::Promoted(..) | Event::Demoted(..) => {}
            Event::Failed(path, why) => tracing::warn!("{path}: {why}"),
        }
    }
    Ok(rest)
}
