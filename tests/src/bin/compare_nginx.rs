//! Compares this server with nginx, in one run and on the same machine. A benchmark: it measures
//! and prints, and never fails because of a time.
//!
//! nginx is measured three times: on a veth pair without any XDP program, on one with a program that
//! passes everything, and behind this server, which has none of the files there. A veth interface with
//! an XDP program on it loses segmentation offload and copies what comes into pages, so the second is
//! what any XDP program costs, and the distance from there to the third is what this one costs.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};
use aya::programs::loaded_programs;
use clap::Parser;
use zeroserve_shared::{
    config::OnMiss,
    map::{EGRESS_PROGRAM, XDP_PROGRAM},
};
use zeroserve_tests::{
    Lab, Nginx,
    lab::noise,
    nginx, require_program, require_root,
    wrk::{self, Measured},
};
use zeroserve_tui::{
    demo::PrivateServer,
    kernel::{MissChoice, PassThrough},
    net::{Namespace, PrivateNetwork},
};

/// The files, with how many connections ask for each.
const FILES: [(&str, usize, u32); 2] = [("small", 272, 32), ("large", 945_000, 32)];

/// Compares Zeroserve with nginx over a veth pair in network namespaces of its own.
#[derive(Parser)]
struct Options {
    /// How often each server is measured with each file; the servers take turns
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: u32,
    /// How long each measurement lasts
    #[arg(long, default_value_t = 5, value_name = "S")]
    seconds: u32,
}

/// A server to be measured.
struct Contestant<'a> {
    name: &'static str,
    client: &'a Namespace,
    origin: String,
}

impl<'a> Contestant<'a> {
    /// The nginx in a network.
    fn nginx(name: &'static str, network: &'a PrivateNetwork) -> Self {
        let origin = format!("http://{}", network.server_at(nginx::PORT));
        Self { name, client: &network.client, origin }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    require_root();
    require_program("wrk");
    let mut lab = Lab::new()?;
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("site"))?;
    for (name, bytes, _) in FILES {
        let body = noise(1, bytes);
        lab.publish(&format!("/{name}"), &body)?;
        fs::write(folder.path().join("site").join(name), &body)?;
    }
    let mut plain = PrivateNetwork::create("benc")?;
    plain.veth.pass_through = None;
    let passed = PrivateNetwork::create("benp")?;
    let index = passed.veth.server_index;
    let _program = passed.server.run(|| PassThrough::attach(index))??;
    let (_front, behind) = PrivateServer::start_with("benb", |options| {
        options.port = nginx::PORT;
        options.on_miss = MissChoice::Always(OnMiss::HandOff);
    })?;
    let start = |network: &PrivateNetwork, name| {
        let (own, site) = (folder.path().join(name), folder.path().join("site"));
        Nginx::start(&network.server, &own, &site)
    };
    let _running =
        [start(&plain, "alone")?, start(&passed, "passed")?, start(&behind.network, "behind")?];
    let contestants = [
        Contestant {
            name: "zeroserve",
            client: lab.client(),
            origin: format!("http://{}", lab.server.address()),
        },
        Contestant::nginx("nginx, no XDP", &plain),
        Contestant::nginx("nginx, XDP passes", &passed),
        Contestant::nginx("nginx, behind", &behind.network),
    ];
    describe(&options)?;
    for (name, bytes, connections) in FILES {
        let measured = measure(&contestants, &options, name, connections)?;
        report(&contestants, &measured, bytes, connections);
    }
    Ok(())
}

/// Measures every contestant in every round, so that what disturbs the machine disturbs all.
fn measure(
    contestants: &[Contestant<'_>],
    options: &Options,
    file: &str,
    connections: u32,
) -> Result<Vec<Vec<Measured>>> {
    let mut measured = vec![Vec::new(); contestants.len()];
    for round in 1..=options.rounds {
        for (contestant, results) in contestants.iter().zip(&mut measured) {
            let url = format!("{}/{file}", contestant.origin);
            let wrk = contestant.client.command("wrk");
            let result = wrk::run(wrk, connections, options.seconds, &url)
                .with_context(|| format!("{}, round {round}", contestant.name))?;
            eprintln!(
                "{file}, round {round}, {}: {:.0} requests/s",
                contestant.name, result.requests_per_s
            );
            results.push(result);
        }
    }
    Ok(measured)
}

/// Prints the medians over the rounds, and how they compare with the first contestant's.
fn report(
    contestants: &[Contestant<'_>],
    measured: &[Vec<Measured>],
    bytes: usize,
    connections: u32,
) {
    let column = |results: &[Measured], field: fn(&Measured) -> f64| {
        median(results.iter().map(field).collect())
    };
    println!("\n{bytes} bytes, {connections} connections, keep-alive; medians over the rounds");
    println!(
        "{:18} {:>12} {:>10} {:>9} {:>9} {:>7}",
        "", "requests/s", "MB/s", "p50 ms", "p99 ms", "ratio"
    );
    let mut first = None;
    for (contestant, results) in contestants.iter().zip(measured) {
        let requests_per_s = column(results, |one| one.requests_per_s);
        let (p50, p99) = (column(results, |one| one.p50_ms), column(results, |one| one.p99_ms));
        let ratio = *first.get_or_insert(requests_per_s) / requests_per_s;
        let megabytes_per_s = requests_per_s * bytes as f64 / 1e6;
        println!(
            "{:18} {requests_per_s:12.0} {megabytes_per_s:10.1} {p50:9.3} {p99:9.3} {ratio:6.2}x",
            contestant.name
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Says what is measured, on what, and what the programs cost the verifier.
fn describe(options: &Options) -> Result<()> {
    let Options { rounds, seconds } = options;
    let kernel = nix::sys::utsname::uname()?;
    println!(
        "Linux {}, {} CPUs",
        kernel.release().display(),
        std::thread::available_parallelism()?
    );
    println!("wrk -t1, {seconds} s each, {rounds} rounds in which the servers take turns.");
    println!("Client and server in two network namespaces, connected by a veth pair.");
    println!("nginx: tests/nginx.conf, one worker a CPU, files in its open-file cache.");
    println!("ratio: zeroserve's requests/s divided by this line's.");
    println!("\ninstructions that the verifier walked through:");
    // Other servers may run on this machine; ours was loaded last. The kernel keeps 15 bytes of a
    // program's name.
    let mut counts = BTreeMap::new();
    for program in loaded_programs() {
        let program = program?;
        let name = program.name_as_str().unwrap_or_default().to_owned();
        counts.insert(name, program.verified_instruction_count());
    }
    for name in [XDP_PROGRAM, EGRESS_PROGRAM] {
        if let Some(Some(count)) = counts.get(name.get(..15).unwrap_or(name)) {
            println!("{name:18} {count:>12}");
        }
    }
    Ok(())
}
