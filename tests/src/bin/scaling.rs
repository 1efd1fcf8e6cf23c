//! What more of something costs: routes, flows, bytes, files, consoles. A benchmark: it measures and
//! prints, and never fails because of a figure.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::{Map, json};
use zeroserve_tests::{
    machine, require_root,
    scaling::{costs, flows, memory, start},
};

/// Measures what more of something costs.
#[derive(Parser)]
struct Options {
    /// What to measure; everything if nothing is named
    #[arg(value_parser = ["routes", "flows", "memory", "start", "console"])]
    parts: Vec<String>,
    /// How often each load is measured
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each load is measured
    #[arg(long, default_value_t = 1.0, value_name = "S")]
    seconds: f64,
    /// Where to write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How often single frames are run.
const RUNS: usize = 20_000;

fn main() -> Result<()> {
    let options = Options::parse();
    require_root();
    let duration = Duration::from_secs_f64(options.seconds);
    let wanted =
        |part: &str| options.parts.is_empty() || options.parts.iter().any(|one| one == part);
    let mut all = Map::new();
    let mut note = |what: &str, figure: f64, unit: &str| {
        println!("{what:66} {figure:10.2} {unit}");
        all.insert(what.to_owned(), json!({ "figure": figure, "unit": unit }));
    };
    if wanted("memory") {
        let flow = memory::of_flow()?;
        note("a flow: what the programs keep", flow.value as f64, "bytes");
        note("a flow: its key", flow.key as f64, "bytes");
        note("a flow: all that the kernel takes", flow.kernel, "bytes");
        for (body_bytes, bodies) in [(272, 100), (10_000, 100), (90_000, 20), (1_000_000, 3)] {
            let what = format!("a byte that is served, bodies of {body_bytes} bytes");
            note(&what, memory::of_served_byte(body_bytes, bodies)?, "bytes");
        }
    }
    if wanted("start") {
        let start = start::start()?;
        let what = format!("serve, {} files: first byte", start::FILES);
        note(&what, start.first_byte.as_secs_f64(), "s");
        note(&format!("serve, {} files: all", start::FILES), start.all.as_secs_f64(), "s");
    }
    if wanted("routes") {
        let routes = costs::routes(options.rounds, duration)?;
        let many = costs::ROUTES;
        note("a hit, 1 route", routes.one, "ns");
        note(
            &format!("a hit, {many} routes, one asked for, over that"),
            routes.many / routes.one,
            "x",
        );
        let what = format!("a hit, {many} routes, thousands asked for, over that");
        note(&what, routes.many_asked / routes.one, "x");
    }
    if wanted("console") {
        let watched = costs::watched(options.rounds, duration)?;
        note("a hit, no console", watched.alone, "ns");
        note("a hit, a console shows routes, over that", watched.console / watched.alone, "x");
        note("a hit, a console shows requests, over that", watched.requests / watched.alone, "x");
    }
    if wanted("flows") {
        let flows = flows::flows(RUNS)?;
        let many = flows::FLOWS;
        note("a hit, 1 flow, run alone", flows.one, "ns");
        note(&format!("a hit, {many} flows, 64 asking, over that"), flows.many / flows.one, "x");
        let what = format!("a hit, {many} flows, all asking, over that");
        note(&what, flows.many_asking / flows.one, "x");
    }
    if let Some(file) = &options.json {
        let all = json!({ "about": machine::about()?, "figures": all });
        let text = format!("{all:#}\n");
        fs::write(file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}
