//! Arguments of the commands that watch and record.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use clap_complete::Shell;
use zeroserve_shared::reason::Reason;

use super::arguments::{OutputArguments, interface};
use crate::{content::RoutePath, metrics::DEFAULT_ROUTE_SERIES, tui::DisplayArguments};

/// Where metrics are offered, unless somebody says otherwise.
const LISTEN: &str = "127.0.0.1:9180";

#[derive(Args, Debug)]
pub(super) struct LogArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    /// End after so many seconds [default: when interrupted]
    #[arg(long, value_name = "N")]
    pub(super) seconds: Option<u32>,
    /// End after so many requests
    #[arg(long, value_name = "N")]
    pub(super) count: Option<u64>,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct CaptureArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    /// Only packets that leave for this reason, such as sequence-gap; may be given several times
    #[arg(long = "reason", value_name = "NAME", value_parser = reason)]
    pub(super) reasons: Vec<Reason>,
    /// File to write, in pcapng; an old one is replaced
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(super) file: PathBuf,
    /// End after so many seconds [default: when interrupted]
    #[arg(long, value_name = "N")]
    pub(super) seconds: Option<u32>,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

/// A reason by its name.
fn reason(name: &str) -> Result<Reason, String> {
    let named = Reason::ALL.iter().find(|reason| reason.name() == name).copied();
    named.ok_or_else(|| {
        let names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        format!("there is no such reason; there are {}", names.join(", "))
    })
}

#[derive(Args, Debug)]
pub(super) struct PromoteArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    /// Path to promote, such as /index.html or //example.org/index.html; without a host it is that
    /// which most clients ask for it
    #[arg(value_name = "PATH")]
    pub(super) path: Option<RoutePath>,
    /// How long to serve it where the server behind does not say, such as 30s; a shorter time than
    /// it says counts, too
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "path")]
    pub(super) ttl: Option<Duration>,
    /// Go on, and ask the server again for every promoted path before its lifetime ends
    #[arg(long)]
    pub(super) watch: bool,
    /// Promote by itself what this TOML file names, while --watch runs
    #[arg(long, value_name = "FILE", requires = "watch", value_hint = clap::ValueHint::FilePath)]
    pub(super) rules: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct RecordArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    /// How long to record, such as 60s or 5min [default: until interrupted]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(super) duration: Option<Duration>,
    /// File to write; it must not be there yet
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct ReplayArguments {
    /// Recording, as `record` and the console write them
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) display: DisplayArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(super) struct MetricsArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    /// Offer them over HTTP instead of printing them once
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = LISTEN)]
    pub(super) listen: Option<SocketAddr>,
    /// Listen at an address that other machines reach, without encryption or password
    #[arg(long, requires = "listen")]
    pub(super) public: bool,
    /// How many routes have series of their own
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ROUTE_SERIES)]
    pub(super) route_series: usize,
}

#[derive(Args, Debug)]
pub(super) struct GuardArguments {
    /// Network interface, such as eth0
    #[arg(value_name = "IFACE", value_parser = interface)]
    pub(super) interface: String,
    /// How long to wait
    #[arg(value_name = "SECONDS")]
    pub(super) seconds: u64,
}

#[derive(Args, Debug)]
pub(super) struct CompletionsArguments {
    /// Shell to complete in
    #[arg(value_name = "SHELL")]
    pub(super) shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArguments {
    /// Folder to write all pages to, one for each command [default: print the first]
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(super) folder: Option<PathBuf>,
}

/// A time span with its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("must be more than nothing".into()) } else { Ok(duration) }
}
