//! Leaving no trace, also when a signal ends the process.
//!
//! What outlives a process unless it is undone (a named network namespace, a pinned map) is
//! registered here *before* it is made. [`Undo`] undoes it when dropped, which covers ordinary
//! ends and panics; a thread that waits for SIGINT, SIGTERM and SIGHUP covers those. Nothing
//! covers SIGKILL: see [`sweep`](super::namespace::sweep) for what is tidied the next time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};

type Action = Box<dyn FnOnce() + Send>;

struct Registry {
    next: u64,
    actions: BTreeMap<u64, Action>,
    /// How many [`Hold`]s there are.
    holds: u32,
    /// A signal that arrived during a hold.
    pending: Option<i32>,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { next: 0, actions: BTreeMap::new(), holds: 0, pending: None });

/// Undoes something when dropped.
#[must_use = "dropping it undoes at once"]
pub struct Undo(u64);

impl Undo {
    /// Registers how to undo something that is about to be made.
    ///
    /// The action must do no harm where there is nothing to undo yet, must not panic, and must
    /// not make or drop an `Undo` itself.
    pub fn new(action: impl FnOnce() + Send + 'static) -> Self {
        watch_signals();
        let mut registry = registry();
        let key = registry.next;
        registry.next += 1;
        registry.actions.insert(key, Box::new(action));
        Self(key)
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        // The lock is kept while undoing, or else a signal could end the process half-way.
        let mut registry = registry();
        if let Some(action) = registry.actions.remove(&self.0) {
            action();
        }
    }
}

/// While it lives, a signal is only remembered: whoever holds it ends in an orderly way by
/// itself, as the terminal console does.
#[must_use = "dropping it lets signals end the process again"]
pub struct Hold(());

impl Hold {
    /// Begins to hold signals off.
    pub fn new() -> Self {
        watch_signals();
        registry().holds += 1;
        Self(())
    }

    /// The signal that arrived since the first hold began, if one did.
    pub fn signal(&self) -> Option<i32> {
        registry().pending
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut registry = registry();
        registry.holds -= 1;
        if registry.holds == 0
            && !thread::panicking()
            && let Some(signal) = registry.pending.take()
        {
            end(&mut registry, signal);
        }
    }
}

fn registry() -> MutexGuard<'static, Registry> {
    // An action that panicked has been taken out already; the others are still to be run.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that waits for signals, once.
fn watch_signals() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let watch = || -> std::io::Result<()> {
            let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
            thread::Builder::new().name("signals".into()).spawn(move || {
                for signal in signals.forever() {
                    let mut registry = registry();
                    if registry.holds > 0 {
                        registry.pending = Some(signal);
                    } else {
                        end(&mut registry, signal);
                    }
                }
            })?;
            Ok(())
        };
        if let Err(error) = watch() {
            eprintln!("zeroserve-tui: cannot wait for signals ({error}); one would leave traces");
        }
    });
}

/// Undoes everything, the latest first, and dies of the signal. The lock is never released, so no
/// other thread can make anything new meanwhile.
fn end(registry: &mut Registry, signal: i32) {
    while let Some((_, action)) = registry.actions.pop_last() {
        action();
    }
    // Only for signals without a default action does this return.
    let _ = low_level::emulate_default_handler(signal);
}
