//! The console itself, or one report where there is no terminal.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use super::{
    Failure,
    arguments::{ConsoleArguments, DRAIN_S},
    changes, output,
    refresher::Refresher,
    running, serve, status,
};
use crate::{
    kernel::{Live, OpenError},
    promote::Rules,
    record::{Recorded, journal},
    tui::{self, Exit, Leaving},
};

/// Attaches or rejoins, publishes the folder if one is given, and opens the console.
///
/// Without a terminal there is no console but one report, and an interface without a server is left
/// alone unless there is a folder to serve.
pub(super) fn run(arguments: &ConsoleArguments) -> Result<(), Failure> {
    let interface = arguments.interface();
    let json = arguments.output.json;
    let terminal = !json && io::stdin().is_terminal() && io::stdout().is_terminal();
    let config = arguments.site.config()?;
    if !terminal && config.is_none() {
        return match running::open(interface) {
            Ok(mut live) => status::print(&mut live, json),
            Err(error @ OpenError::NotAttached { .. }) => status::print_unattached(&error, json),
            Err(error) => Err(error.into()),
        };
    }
    // Before anything is attached: what it reads may make no sense.
    let defaults = arguments.display.apply(tui::Options::from_environment(Leaving::Ask))?;
    let rules = arguments.rules.as_deref().map(Rules::read).transpose()?;
    let site = config.as_ref().map(serve::look_through).transpose()?;
    let (mut live, _) = serve::attach_or_open(interface, &arguments.limits)?;
    if let Some(site) = &site {
        serve::publish(&mut live, site, json)?;
    }
    if !terminal {
        return status::print(&mut live, json);
    }
    let pen = live.take_pen(&defaults.user);
    let options = tui::Options {
        pen,
        guarded: true,
        config: config.unwrap_or_default(),
        config_words: arguments.site.response.words(),
        ..defaults
    };
    journal::start();
    let refresher = Refresher::start(interface, rules)?;
    let exit = tui::run(Box::new(Recorded::new(Box::new(live))), options)?;
    drop(refresher);
    match exit {
        Exit::Stop => {
            let open = Live::stop_within(interface, Duration::from_secs(DRAIN_S.into()))?;
            Ok(output::text(&changes::stopped(interface, open))?)
        }
        Exit::Leave => Ok(output::text(&format!(
            "still serving on {interface}; come back with `zeroserve-tui {interface}`, end it with \
             `zeroserve-tui stop {interface}`\n"
        ))?),
    }
}
