//! The command line and its commands.
//!
//! | module | what it is for |
//! |---|---|
//! | `arguments` | commands, options and help, in one definition |
//! | `changes` | `add`, `replace`, `redirect`, `respond`, `remove` and `stop` |
//! | `config` | `config print` and `config check` |
//! | `console` | the console itself, or one report where there is no terminal |
//! | `failure` | what went wrong, as text, as JSON and as an exit code |
//! | `generate` | completions and manual pages |
//! | `guard` | takes back what is on trial if the console is killed |
//! | `instruments` | arguments of the commands that watch and record |
//! | `limits` | options that take effect when a server is attached |
//! | `metrics` | what a server counts, for Prometheus |
//! | `output` | what a command prints |
//! | `promote` | `promote` and `demote` |
//! | `record` | `record` and `replay` |
//! | `refresher` | refreshes copies while a console runs |
//! | `serve` | attach or rejoin, and publish a folder |
//! | `status` | one report on a server |
//! | `warnings` | what is odd around a server, for reports |
//! | `watch` | `log` and `capture`: single requests and packets as they happen |

mod arguments;
mod changes;
mod config;
mod console;
mod failure;
mod generate;
mod guard;
mod instruments;
mod limits;
mod metrics;
mod output;
mod promote;
mod record;
mod refresher;
mod running;
mod serve;
mod status;
mod warnings;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::{demo, load, tui};
use arguments::{Arguments, Command};
pub use failure::Failure;

/// Runs the command that the process was started with.
///
/// # Errors
///
/// See [`Failure`], which carries the exit code. Mistakes in the command line itself end the
/// process here, with exit code 2.
pub fn run() -> Result<ExitCode, Failure> {
    let Arguments { command, console } = Arguments::parse();
    let command = command.unwrap_or(Command::Attach(console));
    let json = command.json();
    execute(command).map_err(|failure| failure.in_json(json))
}

fn execute(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Attach(arguments) => console::run(&arguments)?,
        Command::Serve(arguments) => serve::run(&arguments)?,
        Command::Status(arguments) => status::run(&arguments)?,
        Command::Add(arguments) => changes::add(&arguments)?,
        Command::Replace(arguments) => changes::replace(&arguments)?,
        Command::Redirect(arguments) => changes::redirect(&arguments)?,
        Command::Respond(arguments) => changes::respond(&arguments)?,
        Command::Promote(arguments) => promote::promote(&arguments)?,
        Command::Demote(arguments) => promote::demote(&arguments)?,
        Command::Config(command) => config::run(&command)?,
        Command::Remove(arguments) => changes::remove(&arguments)?,
        Command::Stop(arguments) => changes::stop(&arguments)?,
        Command::Log(arguments) => watch::log(&arguments)?,
        Command::Capture(arguments) => watch::capture(&arguments)?,
        Command::Record(arguments) => record::record(&arguments)?,
        Command::Replay(arguments) => record::replay(&arguments)?,
        Command::Metrics(arguments) => metrics::run(&arguments)?,
        Command::Guard(arguments) => return guard::run(&arguments),
        Command::Keys => output::text(&tui::keys_as_text())?,
        Command::Completions(arguments) => generate::completions(&arguments)?,
        Command::Man(arguments) => generate::man(&arguments)?,
        Command::Load(options) => return Ok(load::command::run(&options)?),
        Command::Demo(options) => return Ok(demo::run(&options)?),
    }
    Ok(ExitCode::SUCCESS)
}
