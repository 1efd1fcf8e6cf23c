//! What a console starts to take back what is on trial, should it be killed.

use std::{process::ExitCode, time::Duration};

use super::{Failure, instruments::GuardArguments};
use crate::{
    guard,
    kernel::Live,
    record::{Recorded, journal},
};

/// Waits for the console's word, see [`guard`].
pub(super) fn run(arguments: &GuardArguments) -> Result<ExitCode, Failure> {
    let GuardArguments { interface, seconds } = arguments;
    let mut live = Live::open(interface)?;
    let limit = Duration::from_secs(*seconds);
    let Some(unfinished) = guard::keep_watch(&mut live, limit)? else {
        return Ok(ExitCode::SUCCESS);
    };
    // The black box and the log file are the console's as long as it lives.
    journal::start();
    tracing::warn!(
        "{interface}: the console is gone, or does not run, in the middle of a trial, which is taken back"
    );
    unfinished.put_back(&mut Recorded::new(Box::new(live)))?;
    Ok(ExitCode::from(guard::PUT_BACK))
}
