//! `load`: a private network, a server, a site and the load, made, measured and removed.
//!
//! There is no way to name another target: the client speaks for addresses that nobody has, and
//! sends as fast as it can.

use std::{process::ExitCode, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;
use nix::unistd::geteuid;
use serde_json::json;

use super::{Background, Driver, Expected, Measured, Plan, Request};
use crate::{
    content::SiteArguments, demo::Stage, kernel::AttachOptions, net::namespace::is_permission_error,
};

/// How long the load runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// One request in so many has its time taken where they are as many as can be.
pub const TIMED_EVERY: u32 = 8;

/// What is asked for, and how.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What to serve instead of the demo site
    #[command(flatten)]
    pub site: SiteArguments,
    /// Ask for this path only, not for all in turn
    #[arg(long)]
    pub path: Option<String>,
    /// How many connections ask at the same time; a veth pair queues 256 segments, so fewer for
    /// large files
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub connections: u32,
    /// Open a new connection for each request
    #[arg(long)]
    pub new_connections: bool,
    /// Ask this often in a second, and not as soon as there is an answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// How long to measure
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// The CPU of the client [default: 0]
    #[arg(long, value_name = "CPU")]
    pub client_cpu: Option<usize>,
    /// The CPU of the server [default: 1, or 0 where there is no other]
    #[arg(long, value_name = "CPU")]
    pub server_cpu: Option<usize>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the load and prints a report. The exit code says whether every answer was right.
///
/// # Errors
///
/// Where the network cannot be made, the server cannot be attached or the site cannot be read.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut stage = Stage::set(&options.site).map_err(|error| {
        if is_permission_error(&error) && !geteuid().is_root() {
            error.context(
                "a load makes network namespaces and loads programs into the kernel, which needs \
                 root; run: sudo zeroserve-tui load",
            )
        } else {
            error
        }
    })?;
    let plan = plan(&stage, options)?;
    let mut driver = Driver::start(&mut stage.server.network, &plan, &[])?;
    driver.measure(WARM_UP)?;
    let measured = driver.measure(Duration::from_secs(options.seconds))?;
    drop(driver);
    if options.json {
        println!("{:#}", json(&measured, &plan));
    } else {
        print(&measured, &plan);
    }
    let is_right = measured.tally.responses > 0 && measured.faults().is_empty();
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A load on everything that a stage serves, which goes on until it is stopped.
///
/// # Errors
///
/// Where the server does not answer as expected, or the kernel refuses.
pub fn background(stage: &mut Stage, connections: u32) -> Result<Background> {
    let options = Options {
        site: SiteArguments::default(),
        path: None,
        connections,
        new_connections: false,
        rate: None,
        seconds: 0,
        client_cpu: None,
        server_cpu: None,
        json: false,
    };
    let plan = plan(stage, &options)?;
    Background::start(Driver::start(&mut stage.server.network, &plan, &[])?)
}

/// The plan that asks for what a stage serves.
fn plan(stage: &Stage, options: &Options) -> Result<Plan> {
    let mut requests = requests(stage);
    if let Some(path) = &options.path {
        requests.retain(|request| request.path == *path);
        ensure!(!requests.is_empty(), "nothing is served behind {path}");
    }
    let cpus = thread::available_parallelism().context("how many CPUs are there?")?.get();
    Ok(Plan {
        port: AttachOptions::DEFAULT_PORT,
        choices: (0..requests.len() as u32).collect(),
        requests,
        connections: options.connections,
        rate: options.rate,
        flood: 0,
        idle: 0,
        closes: options.new_connections,
        checked_every: 64,
        timed_every: if options.rate.is_some() { 1 } else { TIMED_EVERY },
        client_cpu: options.client_cpu.unwrap_or(0),
        server_cpu: options.server_cpu.unwrap_or(usize::from(cpus > 1)),
    })
}

/// A request for everything that a stage serves.
fn requests(stage: &Stage) -> Vec<Request> {
    let request = |target: &crate::demo::load::Target| Request {
        path: target.path.clone(),
        fields: String::new(),
        expected: Expected {
            status: target.published.status,
            body: Some(target.published.body().to_vec()),
        },
    };
    stage.targets.iter().map(request).collect()
}

fn quantile_us(measured: &Measured, part: f64) -> f64 {
    measured.latency.quantile(part).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
}

fn print(measured: &Measured, plan: &Plan) {
    let Measured { tally, duration, .. } = measured;
    let seconds = duration.as_secs_f64();
    let rate = measured.requests_per_s();
    println!("requests   {} in {seconds:.1} s, {rate:.0}/s", tally.responses);
    println!(
        "bytes      {:.1} MB/s; {} responses were checked to the last byte",
        tally.response_bytes as f64 / seconds / 1e6,
        tally.samples
    );
    let [p50, p99, p999, p9999] =
        [0.5, 0.99, 0.999, 0.9999].map(|part| quantile_us(measured, part));
    println!(
        "latency    p50 {p50:.0} µs, p99 {p99:.0} µs, p99.9 {p999:.0} µs, p99.99 {p9999:.0} µs"
    );
    println!(
        "server     {:.0} ns of CPU for each request, packets included, on CPU {}",
        measured.server_ns_per_request(),
        plan.server_cpu
    );
    println!(
        "client     {:.0} ns of CPU for each request, on CPU {}",
        measured.client_ns_per_request(),
        plan.client_cpu
    );
    println!(
        "network    {} sent again, {} segments beyond a gap, {} requests not sent",
        tally.repeats, tally.gaps, tally.misses
    );
    match measured.faults()[..] {
        [] => println!("errors     none"),
        ref faults => {
            faults.iter().for_each(|(count, what)| println!("errors     {count} {what}"));
        }
    }
}

fn json(measured: &Measured, plan: &Plan) -> serde_json::Value {
    let Measured { tally, duration, .. } = measured;
    json!({
        "requests": tally.responses,
        "requests_per_s": measured.requests_per_s(),
        "response_bytes": tally.response_bytes,
        "checked_to_the_last_byte": tally.samples,
        "duration_s": duration.as_secs_f64(),
        "connections": plan.connections,
        "connections_opened": tally.connections,
        "latency_us": {
            "p50": quantile_us(measured, 0.5),
            "p90": quantile_us(measured, 0.9),
            "p99": quantile_us(measured, 0.99),
            "p99.9": quantile_us(measured, 0.999),
            "p99.99": quantile_us(measured, 0.9999),
        },
        "server_cpu_ns_per_request": measured.server_ns_per_request(),
        "client_cpu_ns_per_request": measured.client_ns_per_request(),
        "cpus_kept_awake": measured.awake,
        "repeats": tally.repeats,
        "gaps": tally.gaps,
        "misses": tally.misses,
        "errors": measured.faults().iter().map(|(count, _)| count).sum::<u64>(),
        "faults": measured.faults().iter().map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>(),
    })
}
