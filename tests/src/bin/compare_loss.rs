//! Compares this server with nginx over a bad wire, in one run and on the same machine. A
//! benchmark: it measures and prints, and never fails because of a time.

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};
use zeroserve_tests::{
    Nginx, Wire,
    fetch::{Times, fetch},
    lab::{noise, rendered},
    nginx,
    wire::{Counts, Impairment},
};
use zeroserve_tui::{
    kernel::AttachOptions,
    server::{Change, Server},
};

/// Compares Zeroserve with nginx over wires that lose and delay frames.
#[derive(Parser)]
struct Options {
    /// Frames lost, in per cent each way
    #[arg(long, value_delimiter = ',', default_value = "0.1,1,5,10", value_name = "PERCENT")]
    loss: Vec<f64>,
    /// Round-trip times that the wire adds
    #[arg(long, value_delimiter = ',', default_value = "0,50", value_name = "MS")]
    rtt: Vec<u64>,
    /// Sizes of the files
    #[arg(long, value_delimiter = ',', default_value = "200,10000,900000", value_name = "BYTES")]
    size: Vec<usize>,
    /// How many transfers from each server make a line, each over a connection of its own
    #[arg(long, default_value_t = 100, value_name = "N")]
    transfers: usize,
    /// How many transfers go on at a time [default: 8 with a round-trip time, 4 without]
    #[arg(long, value_name = "N")]
    parallel: Option<usize>,
    /// Frames that arrive twice, in per cent each way
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    duplicate: f64,
    /// Frames that are held back for up to 5 ms, in per cent each way
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    reorder: f64,
    /// What the wires' dice begin with
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// When the clock starts
    #[arg(long, value_enum, default_value_t = Since::Request)]
    since: Since,
    /// Congestion control of nginx's kernel [default: as this machine has it]
    #[arg(long, value_name = "NAME")]
    congestion: Option<String>,
    /// Measure one server alone
    #[arg(long, value_name = "zeroserve|nginx")]
    only: Option<String>,
    /// Print JSON, with the time of every transfer
    #[arg(long)]
    json: bool,
}

/// When the clock starts. A SYN or its answer that is lost costs a second, the client's timer, with
/// any server, so that with few transfers chance would decide the 95th percentile.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Since {
    /// Before the connection is made
    Connect,
    /// Once it is there
    Request,
}

/// A server at the far end of a wire.
struct Contestant {
    name: &'static str,
    wire: Wire,
    port: u16,
}

/// A line of the table.
struct Cell {
    loss_percent: f64,
    rtt_ms: u64,
    bytes: usize,
    results: Vec<Measured>,
}

/// What one server did in a cell.
struct Measured {
    name: &'static str,
    times: Vec<Times>,
    failures: Vec<String>,
    to_server: Counts,
    to_client: Counts,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let site = folder.path().join("site");
    fs::create_dir(&site)?;
    let zeroserve = Contestant {
        name: "zeroserve",
        wire: Wire::create(true)?,
        port: AttachOptions::DEFAULT_PORT,
    };
    let nginx = Contestant { name: "nginx", wire: Wire::create(false)?, port: nginx::PORT };
    if let Some(name) = &options.congestion {
        nginx.wire.set_congestion_control(name)?;
    }
    let mut bodies = BTreeMap::new();
    let mut live = zeroserve.wire.attach()?;
    for bytes in &options.size {
        let body = noise(*bytes as u64, *bytes);
        live.apply(Change::Add(format!("/{bytes}").parse()?, rendered(&body)))?;
        fs::write(site.join(bytes.to_string()), &body)?;
        bodies.insert(*bytes, body);
    }
    let _running = Nginx::start(&nginx.wire.server, &folder.path().join("nginx"), &site)?;
    let congestion_control = nginx.wire.congestion_control()?;
    let mut contestants = vec![zeroserve, nginx];
    contestants.retain(|one| options.only.as_ref().is_none_or(|only| only == one.name));
    if !options.json {
        describe(&options, &congestion_control)?;
    }
    let mut cells = Vec::new();
    for (rtt_ms, loss_percent) in
        options.rtt.iter().flat_map(|rtt_ms| options.loss.iter().map(move |loss| (*rtt_ms, *loss)))
    {
        for (bytes, body) in &bodies {
            let cell = measure(&options, &contestants, loss_percent, rtt_ms, body)
                .with_context(|| format!("{loss_percent} %, {rtt_ms} ms, {bytes} bytes"))?;
            if options.json {
                cells.push(as_json(&cell, options.since));
            } else {
                report(&cell, options.since);
            }
        }
    }
    if options.json {
        let all = json!({ "congestion_control": congestion_control, "cells": cells });
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    drop(live);
    Ok(())
}

/// Measures all servers in a cell. Each of several clients takes the servers in turns, so that
/// what disturbs the machine disturbs all.
fn measure(
    options: &Options,
    contestants: &[Contestant],
    loss_percent: f64,
    rtt_ms: u64,
    body: &[u8],
) -> Result<Cell> {
    let impairment = Impairment {
        lost: loss_percent / 100.0,
        duplicated: options.duplicate / 100.0,
        held_back: options.reorder / 100.0,
        hold: Duration::from_millis(5),
        delay: Duration::from_micros(rtt_ms * 1000 / 2),
    };
    let mut relays = Vec::new();
    for contestant in contestants {
        relays.push(contestant.wire.join(options.seed, impairment, impairment)?);
    }
    let parallel = options.parallel.unwrap_or(if rtt_ms > 0 { 8 } else { 4 });
    let path = format!("/{}", body.len());
    let next = AtomicUsize::new(0);
    let client = || -> Vec<(usize, Result<Times>)> {
        let mut fetched = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= options.transfers {
                return fetched;
            }
            for offset in 0..contestants.len() {
                let index = (turn + offset) % contestants.len();
                let Contestant { wire, port, .. } = &contestants[index];
                let address = wire.server_at(*port);
                let times = wire.client.run(|| fetch(address, &path, body));
                fetched.push((index, times.and_then(|times| times)));
            }
        }
    };
    let fetched: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..parallel).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .map(|client| client.join().map_err(|_| anyhow!("a client panicked")))
            .collect::<Result<_>>()
    })?;
    let mut results = Vec::new();
    for (contestant, relay) in contestants.iter().zip(relays) {
        let [to_server, to_client] = relay.stop()?;
        let (times, failures) = (Vec::new(), Vec::new());
        results.push(Measured { name: contestant.name, times, failures, to_server, to_client });
    }
    for (index, times) in fetched.into_iter().flatten() {
        match times {
            Ok(times) => results[index].times.push(times),
            Err(error) => results[index].failures.push(format!("{error:#}")),
        }
    }
    Ok(Cell { loss_percent, rtt_ms, bytes: body.len(), results })
}

/// The middle, the 95th percentile and the longest of some transfers, in milliseconds.
fn summary(measured: &Measured, since: Since) -> [f64; 3] {
    let mut all_ms: Vec<f64> =
        measured.times.iter().map(|times| elapsed_ms(times, since)).collect();
    all_ms.sort_by(f64::total_cmp);
    // The nearest rank: the smallest that so large a share does not exceed.
    let rank = |share: f64| {
        let index = (share * all_ms.len() as f64).ceil() as usize;
        all_ms.get(index.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    };
    [rank(0.5), rank(0.95), rank(1.0)]
}

fn elapsed_ms(times: &Times, since: Since) -> f64 {
    let elapsed = match since {
        Since::Connect => times.done,
        Since::Request => times.done - times.connected,
    };
    elapsed.as_secs_f64() * 1000.0
}

/// Says what is measured, on what, and heads the table.
fn describe(options: &Options, congestion_control: &str) -> Result<()> {
    let kernel = nix::sys::utsname::uname()?;
    let cpus = thread::available_parallelism()?;
    println!(
        "Linux {}, {cpus} CPUs. Client, wire and server in a network",
        kernel.release().display()
    );
    println!("namespace each, connected by veth pairs; the wire is a process that carries frames");
    println!(
        "and loses some, seed {}, the same share each way. No segmentation offload, no",
        options.seed
    );
    println!(
        "checksum offload, MTU 1500. Each line: {} transfers from each server,",
        options.transfers
    );
    println!(
        "servers in turns, a new connection each, bodies compared; clients are Linux sockets."
    );
    println!(
        "nginx: tests/nginx.conf, {congestion_control}, no XDP program on its veth pair, nothing"
    );
    println!("remembered from one connection to the next (tcp_no_metrics_save).");
    println!(
        "Times in ms from {} until the last byte is there. ratio: zeroserve / nginx.",
        match options.since {
            Since::Connect => "before connecting",
            Since::Request => "the request",
        }
    );
    println!(
        "\n{:>6} {:>6} {:>8}   {:^35}   {:^35}   {:^20}",
        "loss", "RTT", "size", "zeroserve", "nginx", "ratio"
    );
    let columns = format!("{:>9} {:>9} {:>9} {:>5}", "median", "p95", "longest", "fail");
    println!(
        "{:>6} {:>6} {:>8}   {columns}   {columns}   {:>6} {:>6} {:>6}",
        "%", "ms", "bytes", "median", "p95", "long."
    );
    Ok(())
}

/// Prints a line, and below it what went wrong.
fn report(cell: &Cell, since: Since) {
    print!("{:6} {:6} {:8}", cell.loss_percent, cell.rtt_ms, cell.bytes);
    let summaries: Vec<_> = cell.results.iter().map(|one| summary(one, since)).collect();
    for (measured, [median, p95, longest]) in cell.results.iter().zip(&summaries) {
        print!("   {median:9.2} {p95:9.2} {longest:9.2} {:5}", measured.failures.len());
    }
    if let [ours, theirs] = &summaries[..] {
        let ratio = |index: usize| ours[index] / theirs[index];
        print!("   {:6.2} {:6.2} {:6.2}", ratio(0), ratio(1), ratio(2));
    }
    println!();
    for measured in &cell.results {
        let mut reasons = BTreeMap::<_, u32>::new();
        for failure in &measured.failures {
            *reasons.entry(failure).or_default() += 1;
        }
        for (failure, count) in reasons {
            println!("       {}: {count} x {failure}", measured.name);
        }
        let overruns = measured.to_server.overruns + measured.to_client.overruns;
        if overruns > 0 {
            println!("       {}: the wire was too slow for {overruns} frames", measured.name);
        }
    }
}

fn as_json(cell: &Cell, since: Since) -> Value {
    let servers = cell.results.iter().map(|measured| {
        let [median_ms, p95_ms, longest_ms] = summary(measured, since);
        let ms = |field: fn(&Times) -> Duration| -> Vec<f64> {
            measured.times.iter().map(|times| field(times).as_secs_f64() * 1000.0).collect()
        };
        json!({
            "name": measured.name,
            "median_ms": median_ms,
            "p95_ms": p95_ms,
            "longest_ms": longest_ms,
            "failures": measured.failures,
            "connected_ms": ms(|times| times.connected),
            "done_ms": ms(|times| times.done),
            "frames_to_server": measured.to_server.frames,
            "frames_to_client": measured.to_client.frames,
            "overruns": measured.to_server.overruns + measured.to_client.overruns,
        })
    });
    json!({
        "loss_percent": cell.loss_percent,
        "rtt_ms": cell.rtt_ms,
        "bytes": cell.bytes,
        "servers": servers.collect::<Vec<_>>(),
    })
}
