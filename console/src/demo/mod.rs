//! A private network with a site and a load, made and removed.
//!
//! Nothing outside two network namespaces is touched: no interface of the machine, none of its
//! ports. Whatever ends the demo, short of SIGKILL, leaves no trace of it; after a SIGKILL the
//! next demo tidies up.
//!
//! | module | what it is for |
//! |---|---|
//! | [`client`] | one keep-alive connection over an ordinary socket |
//! | [`load`] | clients that ask for everything and check every answer |
//! | [`report`] | what a demo without a console says at its end |

pub mod client;
pub mod load;
mod private_server;
pub mod report;
mod site;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use nix::unistd::geteuid;
use zeroserve_shared::route::FixedRoute;

pub use self::private_server::PrivateServer;
use self::{
    load::{Load, Target},
    report::Report,
    site::UnpackedSite,
};
use crate::{
    content::{Config, Rendered, ResponseArguments, Site, SiteArguments},
    kernel::Live,
    load::{Background, command::background},
    net::{
        namespace::{self, is_permission_error},
        undo::Hold,
    },
    server::{Change, Server},
    tui,
};

/// What the names of the demo's namespaces and interfaces begin with.
const NAME: &str = "demo";

/// How the demo is run.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Open no console: put load on the server for a while and print a report
    #[arg(long)]
    pub headless: bool,
    /// How long to put load on the server with --headless
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Print the report of --headless as JSON
    #[arg(long, requires = "headless")]
    pub json: bool,
    /// What to serve instead of the demo site
    #[command(flatten)]
    pub site: SiteArguments,
    /// Where the clients of the console's load are: in processes, which compare every byte, or in
    /// the kernel, which are many times as fast and compare the bytes of one answer in 64
    #[arg(long, value_enum, default_value_t = Clients::Process, conflicts_with = "headless")]
    pub clients: Clients,
    /// How many connections put load on the server
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub connections: u16,
    /// How its console looks
    #[command(flatten)]
    pub display: tui::DisplayArguments,
}

/// Where clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clients {
    /// In this process, over ordinary sockets.
    Process,
    /// In XDP, at the client's end.
    Kernel,
}

/// A running load.
enum Running {
    Process(Load),
    Kernel(Background),
}

/// Runs the demo until its time is over or its console is left. Without a terminal there is no
/// console.
///
/// The exit code says whether something was served and every answer was right.
///
/// # Errors
///
/// Where the network cannot be made, the server cannot be attached or the site cannot be read.
pub fn run(options: &Options) -> Result<ExitCode> {
    let stage = Stage::set(&options.site).map_err(|error| {
        // The verifier, too, says "permission denied"; root is not what it lacks.
        if is_permission_error(&error) && !geteuid().is_root() {
            error.context("the demo makes network namespaces and loads programs into the kernel, which needs root; run: sudo zeroserve-tui demo")
        } else {
            error
        }
    })?;
    if options.headless || !io::stdout().is_terminal() {
        stage.without_console(options)
    } else {
        stage.with_console(options)
    }
}

/// Everything the demo is made of. Fields are dropped in this order.
pub struct Stage {
    live: Live,
    /// What is served.
    pub targets: Vec<Target>,
    /// Where.
    pub server: PrivateServer,
    config: Config,
    _site: Option<UnpackedSite>,
}

impl Stage {
    /// Makes the network, and a server in it that serves a site.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses, or the site cannot be read.
    pub fn set(arguments: &SiteArguments) -> Result<Self> {
        namespace::sweep(sweep);
        say("making two network namespaces, and attaching a server in one of them");
        let (mut live, server) = PrivateServer::start(NAME)?;
        let (unpacked, config) = match arguments {
            SiteArguments {
                root: None, response: ResponseArguments { config: None, .. }, ..
            } => {
                let site = UnpackedSite::create()?;
                let config = arguments.config_or(site.root())?;
                (Some(site), config)
            }
            site => (None, site.config()?.unwrap_or_default()),
        };
        let targets = publish(&mut live, &config)?;
        say(&format!(
            "serving at http://{} in the namespace {}; look at it from {}",
            server.address(),
            server.network.server.name(),
            server.network.client.name()
        ));
        Ok(Self { live, targets, server, config, _site: unpacked })
    }

    fn load(&self, options: &Options) -> Result<Load> {
        let connections = usize::from(options.connections);
        let Self { server, targets, .. } = self;
        Load::start(&server.network.client, server.address(), targets, connections)
    }

    fn without_console(mut self, options: &Options) -> Result<ExitCode> {
        let Options { seconds, connections, .. } = options;
        say(&format!("{connections} connections ask for everything for {seconds} s"));
        let load = self.load(options)?;
        thread::sleep(Duration::from_secs(*seconds));
        let outcome = load.stop()?;
        let totals = self.live.sample()?.totals();
        let report = Report::new(&outcome, usize::from(options.connections), &totals);
        if options.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print!("{report}");
        }
        Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn with_console(mut self, options: &Options) -> Result<ExitCode> {
        // The console restores the terminal on a signal before it returns.
        let hold = Hold::new();
        let defaults = tui::Options::from_environment(tui::Leaving::StopsServing);
        let defaults = options.display.apply(defaults)?;
        let config_words = options.site.response.words();
        let load = match options.clients {
            Clients::Process => Running::Process(self.load(options)?),
            Clients::Kernel => Running::Kernel(background(&mut self, options.connections.into())?),
        };
        let began = Instant::now();
        let Self { live, server, config, _site, .. } = self;
        let console = tui::Options { config, config_words, ..defaults };
        server.network.server.run(|| tui::run(Box::new(live), console))??;
        let requests = match load {
            Running::Process(load) => load.stop()?.requests,
            Running::Kernel(load) => {
                let outcome = load.stop()?;
                // Whoever changed what is served meanwhile knows why.
                for (what, count) in outcome.faults {
                    say(&format!("the clients saw {count} {what}"));
                }
                outcome.responses
            }
        };
        let seconds = began.elapsed().as_secs();
        drop((server, _site));
        drop(hold);
        say(&format!("served {requests} requests in {seconds} s and left no trace"));
        Ok(ExitCode::SUCCESS)
    }
}

/// Removes what a demo of that process id left behind when it was killed.
fn sweep(pid: u32) {
    site::sweep(pid);
    private_server::sweep(pid);
}

/// Publishes a site and says what must come back.
fn publish(live: &mut Live, config: &Config) -> Result<Vec<Target>> {
    let site = Site::of(config)?;
    for skipped in &site.skipped {
        say(&format!("not served: {skipped}"));
    }
    if let Some(file) = &site.not_found {
        live.answer(FixedRoute::NotFound, &Rendered::not_found(file)?)?;
    }
    let mut targets = Vec::with_capacity(site.routes.len());
    for (path, rendered) in site.render() {
        let rendered = Arc::new(rendered?);
        // The load knows the server by its address only.
        if path.host().is_none() {
            targets.push(Target::new(&path, Arc::clone(&rendered)));
        }
        live.apply(Change::Add(path.clone(), rendered))
            .with_context(|| format!("cannot publish {path}"))?;
    }
    ensure!(!targets.is_empty(), "there is nothing to serve that every host has");
    say(&format!("published {} paths", site.routes.len()));
    Ok(targets)
}

/// Tells a person what is being done; the report has standard output to itself.
fn say(what: &str) {
    eprintln!("demo: {what}");
}
