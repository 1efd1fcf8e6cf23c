//! Commands, options and help, in one definition.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, builder::RangedI64ValueParser, value_parser};

use super::{
    config::ConfigCommand,
    instruments::{
        CaptureArguments, CompletionsArguments, GuardArguments, LogArguments, ManArguments,
        MetricsArguments, PromoteArguments, RecordArguments, ReplayArguments,
    },
    limits::LimitArguments,
};
use crate::{
    content::{Redirect, Reply, ResponseArguments, RoutePath, SiteArguments},
    demo, load,
    tui::DisplayArguments,
};

const ABOUT: &str = "Serve files from inside the kernel, and watch it happen";

const LONG_ABOUT: &str = "\
Serve files from inside the kernel, and watch it happen.

Zeroserve answers HTTP requests in the XDP hook of a network driver, before the packets reach the
kernel's network stack. This program attaches it to an interface, publishes files, and opens a \
console that shows what it does. The server goes on without the console, until it is stopped.

Only requests to the port it serves are answered; every other packet goes its usual way.";

const AFTER_HELP: &str = "\
Examples:
  sudo zeroserve-tui demo                            see it run, on a private network
  sudo zeroserve-tui load                            see how fast it is, likewise
  sudo zeroserve-tui eth0 --root ./site              serve a folder and watch
  sudo zeroserve-tui serve eth0 --root ./site        the same without a console
  sudo zeroserve-tui replace eth0 /index.html a.html put another file behind a path
  sudo zeroserve-tui redirect eth0 /old /new         send clients elsewhere
  sudo zeroserve-tui respond eth0 /healthz ok        answer with a few words
  sudo zeroserve-tui promote eth0 /app.js --watch    serve a copy of what the server behind answers
  sudo zeroserve-tui status eth0 --json              one report, for a program
  sudo zeroserve-tui record eth0 --for 60s -o a.zsr  record a minute; replay a.zsr shows it again
  sudo zeroserve-tui metrics eth0 --listen           offer counters to Prometheus on 127.0.0.1:9180
  sudo zeroserve-tui stop eth0                       finish what is in flight, detach, clean up

Exit codes:
  0   done
  1   failed; the message says why
  2   the command line makes no sense
  3   zeroserve is not attached to the interface
  4   refused, and nothing has changed: the path is taken, there is no such route or interface,
      the file cannot be served, another program is on the interface, ...
  77  not permitted; the message names the missing capability";

#[derive(Debug, Parser)]
#[command(
    name = "zeroserve-tui", version, about = ABOUT, long_about = LONG_ABOUT,
    after_help = AFTER_HELP, args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true, arg_required_else_help = true, max_term_width = 100
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) console: ConsoleArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Open the console of an interface: what `zeroserve-tui IFACE` does, for an interface that
    /// is named like a command
    Attach(ConsoleArguments),
    /// Attach (if need be), publish a folder, leave it serving and return
    Serve(ServeArguments),
    /// Print one report on a server
    Status(InterfaceArguments),
    /// Put a file behind a path that has nothing yet
    Add(FileArguments),
    /// Put another file behind a path; transfers in flight finish with the old one
    Replace(FileArguments),
    /// Send clients that ask for a path elsewhere
    Redirect(RedirectArguments),
    /// Answer a path with a few words, as for a health check
    Respond(RespondArguments),
    /// Serve nothing behind a path any more
    Remove(PathArguments),
    /// Serve a copy of what the server behind answers to a path, for as long as a cache may; without
    /// a path, show what is asked for and not served here
    Promote(PromoteArguments),
    /// Give a promoted path back to the server behind
    Demote(PathArguments),
    /// Print requests as they are answered
    Log(LogArguments),
    /// Write packets that leave the fast path into a file for Wireshark
    Capture(CaptureArguments),
    /// Print what a server counts as OpenMetrics, or offer it to Prometheus over HTTP
    Metrics(MetricsArguments),
    /// Record a server into a file, which `replay` opens
    Record(RecordArguments),
    /// Open a recording in the console, without root; without a terminal, report on it
    Replay(ReplayArguments),
    /// Take the server off an interface and remove everything it had in the kernel
    Stop(StopArguments),
    /// Print a config file with every key explained, or check one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Put the heaviest load on a server that there is, on a private network, and report on it;
    /// touches nothing else
    Load(load::command::Options),
    /// Show what it can do: a private network, a site, a load and the console; touches nothing else
    Demo(demo::Options),
    /// Print the keys of the console
    Keys,
    /// Take back what is on trial if the console that started this is killed
    #[command(hide = true)]
    Guard(GuardArguments),
    /// Print what makes a shell complete these commands
    Completions(CompletionsArguments),
    /// Print the manual page, or write all of them to a folder
    Man(ManArguments),
}

impl Command {
    /// Whether failures are to be printed as JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Attach(arguments) => arguments.output.json,
            Self::Serve(arguments) => arguments.output.json,
            Self::Status(arguments) => arguments.output.json,
            Self::Stop(arguments) => arguments.output.json,
            Self::Add(arguments) | Self::Replace(arguments) => arguments.output.json,
            Self::Redirect(arguments) => arguments.output.json,
            Self::Respond(arguments) => arguments.output.json,
            Self::Remove(arguments) | Self::Demote(arguments) => arguments.output.json,
            Self::Promote(arguments) => arguments.output.json,
            Self::Log(arguments) => arguments.output.json,
            Self::Capture(arguments) => arguments.output.json,
            Self::Config(ConfigCommand::Print { .. }) => false,
            Self::Config(ConfigCommand::Check { output, .. }) => output.json,
            Self::Record(arguments) => arguments.output.json,
            Self::Replay(arguments) => arguments.output.json,
            Self::Metrics(_)
            | Self::Keys
            | Self::Guard(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
            Self::Demo(options) => options.json,
            Self::Load(options) => options.json,
        }
    }
}

#[derive(Args, Debug)]
pub(super) struct ConsoleArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", required = true, value_parser = interface)]
    interface: Option<String>,
    #[command(flatten)]
    pub(super) site: SiteArguments,
    #[command(flatten)]
    pub(super) limits: LimitArguments,
    /// Promote by itself what this TOML file names, as `promote --rules` does
    #[arg(long = "promote-rules", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) rules: Option<PathBuf>,
    #[command(flatten)]
    pub(super) display: DisplayArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

impl ConsoleArguments {
    /// The interface; clap has seen to it that there is one.
    pub(super) fn interface(&self) -> &str {
        self.interface.as_deref().unwrap_or_default()
    }
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("source").args(["root", "config"]).required(true).multiple(true))]
pub(super) struct ServeArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    #[command(flatten)]
    pub(super) site: SiteArguments,
    #[command(flatten)]
    pub(super) limits: LimitArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct InterfaceArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct StopArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    /// How long answers in flight may take to be delivered, and idle clients to be told
    #[arg(long, value_name = "SECONDS", default_value_t = DRAIN_S, value_parser = seconds())]
    pub(super) drain: u16,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

/// How long connections may take to end before the programs are detached, in seconds.
pub(super) const DRAIN_S: u16 = 5;

fn seconds() -> RangedI64ValueParser<u16> {
    value_parser!(u16).range(..=3600)
}

#[derive(Args, Debug)]
pub(super) struct FileArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    #[command(flatten)]
    pub(super) route: RouteArguments,
    /// File to serve; it is read now, and later changes to it are not seen
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) response: ResponseArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct RouteArguments {
    /// Path of the route, such as /index.html, percent-encoded where need be; for a route of one
    /// host only, //example.org/index.html
    #[arg(value_name = "PATH")]
    pub(super) path: RoutePath,
}

#[derive(Args, Debug)]
pub(super) struct RedirectArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    #[command(flatten)]
    pub(super) route: RouteArguments,
    /// Where clients are sent: a path, or a URL that begins with http:// or https://
    #[arg(value_name = "URL")]
    pub(super) to: String,
    /// 301 or 308 for good, 302 or 307 for now; 307 and 308 keep the method
    #[arg(long, default_value_t = Redirect::DEFAULT_STATUS)]
    pub(super) status: u16,
    /// Put it in the place of what is behind the path
    #[arg(long)]
    pub(super) replace: bool,
    #[command(flatten)]
    pub(super) response: ResponseArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct RespondArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    #[command(flatten)]
    pub(super) route: RouteArguments,
    /// Body of the answer
    #[arg(value_name = "BODY", default_value = "")]
    pub(super) body: String,
    /// Status of the answer
    #[arg(long, default_value_t = Reply::DEFAULT_STATUS)]
    pub(super) status: u16,
    /// Media type of the body
    #[arg(long, value_name = "TYPE", default_value = Reply::DEFAULT_CONTENT_TYPE)]
    pub(super) content_type: String,
    /// Put it in the place of what is behind the path
    #[arg(long)]
    pub(super) replace: bool,
    #[command(flatten)]
    pub(super) response: ResponseArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct PathArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    #[command(flatten)]
    pub(super) route: RouteArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct OutputArguments {
    /// Print one JSON document to standard output, for failures too
    #[arg(long)]
    pub(super) json: bool,
}

/// The rules of the kernel's `dev_valid_name`.
pub(super) fn interface(name: &str) -> Result<String, &'static str> {
    let odd = |c: char| c == '/' || c == ':' || c.is_whitespace();
    if name.is_empty() || name.len() > 15 || matches!(name, "." | "..") || name.contains(odd) {
        return Err("an interface name has 1 to 15 characters, without '/', ':' and spaces");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
