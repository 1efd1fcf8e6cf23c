//! The console on a simulated server: every screen and key, without root and without a network.
//!
//!     cargo run --example console_on_simulation [-- [ascii] [demo] [many] [cpus] [faults] [panic]]
//!
//! Prints how it was left.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use zeroserve_shared::reason::Reason;
use zeroserve_tui::{
    observe::{Seen, Wanted},
    server::{Change, ChangeError, Identity, RouteInfo, Sample, Server},
    simulated::{Event, Simulated},
    tui::{self, Leaving, Options},
};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);

    let mut server = Simulated::new(1).on_the_clock();
    if has("many") {
        server = server.with_more_routes(10_000);
    }
    if has("cpus") {
        server = server.with_cpus(128);
    }
    if has("faults") {
        server = server
            .with(20, Event::Leaving(Reason::FlowTableFull, 12))
            .with(100, Event::Lost("another console has stopped the server".into()))
            .with(140, Event::Found);
    }
    let leaving = if has("demo") { Leaving::StopsServing } else { Leaving::Ask };
    let options = Options { ascii: has("ascii"), ..Options::from_environment(leaving) };
    let server: Box<dyn Server> =
        if has("panic") { Box::new(Fragile(server, 0)) } else { Box::new(server) };
    let exit = tui::run(server, options)?;
    // There may be no terminal any more to say it on.
    let _ = writeln!(io::stdout(), "left with {exit:?}");
    Ok(())
}

/// A server that panics after some samples, to see what becomes of the terminal then.
struct Fragile(Simulated, u32);

impl Server for Fragile {
    fn identity(&self) -> &Identity {
        self.0.identity()
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        self.1 += 1;
        assert!(self.1 < 6, "this server has had enough");
        self.0.sample()
    }

    fn routes(&mut self) -> anyhow::Result<Arc<[RouteInfo]>> {
        self.0.routes()
    }

    fn observe(&mut self, wanted: &Wanted) -> anyhow::Result<Seen> {
        self.0.observe(wanted)
    }

    fn apply(&mut self, change: Change) -> Result<(), ChangeError> {
        self.0.apply(change)
    }
}
