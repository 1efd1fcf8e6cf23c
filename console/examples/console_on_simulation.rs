//! The console on a simulated server: every screen and key, without root and without a network.
//!
//!     cargo run --example console_on_simulation [-- [ascii] [demo] [many] [faults]]
//!
//! Prints how it was left.

use zeroserve_shared::reason::Reason;
use zeroserve_tui::{
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
    if has("faults") {
        server = server
            .with(20, Event::Leaving(Reason::FlowTableFull, 12))
            .with(100, Event::Lost("another console has stopped the server".into()))
            .with(140, Event::Found);
    }
    let leaving = if has("demo") { Leaving::StopsServing } else { Leaving::Ask };
    let options = Options { ascii: has("ascii"), ..Options::from_environment(leaving) };
    let exit = tui::run(Box::new(server), options)?;
    println!("left with {exit:?}");
    Ok(())
}
