//! Opening a server. What a console that was killed has left on trial is put back first, whichever
//! command comes along.

use super::output;
use crate::{
    guard,
    kernel::{Live, OpenError},
    record::history,
};

/// Opens the server of an interface.
pub(super) fn open(interface: &str) -> Result<Live, OpenError> {
    let mut live = Live::open(interface)?;
    match guard::settle(&mut live) {
        Ok(None) => {}
        Ok(Some(paths)) => {
            let text = format!(
                "taken back: what was on trial at {paths}, because the console that \
                 tried it was killed, and its guard, too"
            );
            output::note(&text);
            history::note(interface, &text);
        }
        Err(error) => output::note(&format!(
            "something is on trial at {interface} whose console was killed, and it cannot be \
             taken back: {error:#}"
        )),
    }
    Ok(live)
}
