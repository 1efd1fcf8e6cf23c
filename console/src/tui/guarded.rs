//! Asks the server, and sees to it that what is on trial is taken back even if this process is
//! killed.

use super::{
    effects,
    message::{Commit, Committed, Intent, Message, ServerJob},
    model::TRIAL,
};
use crate::{
    guard::{self, Guard},
    server::Server,
};

/// The guard of the trial that is going on, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Guarded {
    /// Whether trials are guarded.
    wanted: bool,
    guard: Option<Guard>,
}

impl Guarded {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, guard: None }
    }

    /// Asks something of the server.
    pub(crate) fn ask(&mut self, server: &mut dyn Server, job: ServerJob) -> Message {
        match job {
            ServerJob::Commit(commit) => self.commit(server, *commit),
            ServerJob::Keep => {
                let too_late = self.guard.take().is_some_and(Guard::release);
                Message::Kept { too_late }
            }
            ServerJob::Settle if self.wanted => {
                let outcome = guard::settle(server);
                Message::Settled(outcome.map_err(|error| format!("{error:#}")))
            }
            job => effects::ask(server, job),
        }
    }

    fn commit(&mut self, server: &mut dyn Server, commit: Commit) -> Message {
        let done = |commit, failed| {
            let committed = Committed { commit, undo: Vec::new(), failed, remains: Vec::new() };
            Message::Committed(Box::new(committed))
        };
        match commit.intent {
            Intent::Trial if self.wanted => {
                let paths: Vec<_> =
                    commit.changes.iter().map(|planned| planned.path().clone()).collect();
                match Guard::start(&server.identity().interface, &paths, TRIAL) {
                    Ok(guard) => self.guard = Some(guard),
                    Err(error) => {
                        let why = format!(
                            "nothing would take it back if this console were killed: {error:#}"
                        );
                        return done(commit, Some((0, why)));
                    }
                }
            }
            // It was faster, because this process did not run for a while.
            Intent::Revert if self.guard.as_mut().is_some_and(Guard::has_acted) => {
                self.guard = None;
                return done(commit, None);
            }
            _ => {}
        }
        let ends = commit.intent == Intent::Revert;
        let answer = effects::ask(server, ServerJob::Commit(Box::new(commit)));
        let refused = matches!(
            &answer,
            Message::Committed(committed)
                if committed.commit.intent == Intent::Trial && committed.failed.is_some()
        );
        if (ends || refused)
            && let Some(guard) = self.guard.take()
        {
            guard.release();
        }
        answer
    }
}
