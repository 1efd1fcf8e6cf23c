//! Compares this server with others under the load generator, in one run and on the same machine.
//! A benchmark: it measures and prints. It fails where an answer was wrong, never because of a
//! time.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use serde_json::{Value, json};
use zeroserve_tests::{
    compare::{
        Context, Name, Report, Server, Workload, published, report::Results, site::Site, workloads,
    },
    machine, require_root,
};
use zeroserve_tui::load::{Driver, Measured, threads::Thread};

/// How long a load runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// How long the machine itself is watched at most, in seconds. A thread that goes first for a whole second is
/// held back by the kernel (`kernel.sched_rt_runtime_us`).
const MOST_WATCHED_S: f64 = 0.5;

const METHOD: &str = "\
Each server has two network namespaces and a veth pair of its own. The client is an XDP program at
the client's end: it answers each response with the next request, checks every status and length,
and each byte of one response in 64, and takes the time of one request in eight. Threaded NAPI: a
kernel thread for each end of the pair, the client's on one CPU, the server's and its worker on the
other. CPU ns: CPU time of the server's threads for each request, that of packets included. nginx:
tests/nginx.conf, one worker; behind: the same behind Zeroserve, which serves /small; h2o:
tests/h2o.conf, one thread; varnish: tests/varnish.vcl, one pool of threads, everything in memory. What
they send are segments of at most 1500 bytes, as of any server whose client has an XDP program. The
client's window is 64 KB, and it takes ports again within seconds, so hosts keep nothing of
connections that are over (tcp_max_tw_buckets). No CPU sleeps meanwhile (/dev/cpu_dma_latency, where the
kernel has it): waking one takes longer than an answer, in a virtual machine above all, and would be
booked to the server. At half of a peak, requests go out at random, as from many clients that know nothing
of each other, whether answers come or not; client and server run ahead of whatever else the machine
does, on one CPU, so that no latency is that between two. The machine itself: before each round a thread
does nothing there but read the clock, and what it misses tells how long one in 1000 would wait for the
machine alone. Servers take turns in every round; figures are medians, +- is half of the distance from
the least to the most. ratio: requests per core, over those of nginx in the same round, and of these
the median; the part of the load that is kept beside a flood likewise.";

/// Compares servers under the load generator, in network namespaces of their own.
#[derive(Parser)]
struct Options {
    /// Workloads; all if none is named
    #[arg(value_name = "WORKLOAD")]
    workloads: Vec<String>,
    /// Print what workloads there are
    #[arg(long)]
    list: bool,
    /// Servers; one that is not installed is left out
    #[arg(long, value_delimiter = ',', default_value = "zeroserve,nginx,h2o,varnish,behind")]
    servers: Vec<Name>,
    /// How often each server is measured under each workload
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each measurement lasts
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    seconds: f64,
    /// The CPU of the client
    #[arg(long, default_value_t = 0, value_name = "CPU")]
    client_cpu: usize,
    /// The CPU of the servers; that of the client, too, to see what one core does
    #[arg(long, default_value_t = 1, value_name = "CPU")]
    server_cpu: usize,
    /// Where to write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write assets/benchmark.json, and with it the chart and README's tables
    #[arg(long, conflicts_with = "json")]
    record: bool,
    /// Measure nothing, and make the chart and README's tables of assets/benchmark.json
    #[arg(long, conflicts_with_all = ["json", "record"])]
    redraw: bool,
}

/// Where README is.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn main() -> Result<()> {
    let options = Options::parse();
    if options.list {
        for workload in workloads::WORKLOADS {
            println!("{:14} {}", workload.name, workload.about);
        }
        return Ok(());
    }
    if options.redraw {
        return redraw();
    }
    require_root();
    ensure!((0.1..=60.0).contains(&options.seconds), "a measurement lasts 0.1 to 60 seconds");
    let chosen = chosen(&options.workloads, &options.servers)?;
    let site = Site::create()?;
    // What looks after the load is not to disturb the servers.
    Thread::of(0).pin(options.client_cpu)?;
    // Before nginx starts, which inherits the limit.
    let idle_connections = workloads::idle_connections()?;
    let (installed, left_out) = installed(&options.servers);
    let servers = installed.iter().map(|name| {
        Server::start(*name, &site, options.server_cpu).with_context(|| name.text().to_owned())
    });
    let mut servers: Vec<Server> = servers.collect::<Result<_>>()?;
    let about = about(&options, idle_connections, &left_out)?;
    println!("{}\n\n{METHOD}", about["machine"].as_str().unwrap_or_default());
    let Options { client_cpu, server_cpu, .. } = options;
    let mut context = Context { client_cpu, server_cpu, idle: idle_connections, peaks: Vec::new() };
    let recorded =
        options.record.then(|| PathBuf::from(format!("{REPOSITORY}/assets/benchmark.json")));
    let file = recorded.or_else(|| options.json.clone());
    let mut report = Report::default();
    for workload in chosen {
        if workload.needs_peaks() && context.peaks.is_empty() {
            context.peaks = peaks(&mut servers, &site, &context, &options)?;
        }
        let results = run(&workload, &mut servers, &site, &context, &options);
        if workload.name == "small" {
            context.peaks = peaks_of(&results);
        }
        report.add(results);
        // As it goes: whatever ends it early, what has been measured is kept.
        if let Some(file) = &file {
            fs::write(file, format!("{:#}\n", report.json(about.clone())))
                .with_context(|| file.display().to_string())?;
        }
    }
    let faults = report.faults();
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    if options.record { redraw() } else { Ok(()) }
}

/// What each server did at most.
fn peaks_of(results: &[Results]) -> Vec<(Name, f64)> {
    let measured = results.iter().filter(|one| !one.rounds.is_empty());
    measured.map(|one| (one.server, one.spread(Measured::requests_per_s).median)).collect()
}

/// Makes the chart and README's tables of what was measured last.
fn redraw() -> Result<()> {
    let text = fs::read_to_string(format!("{REPOSITORY}/assets/benchmark.json"))?;
    let all: Value = serde_json::from_str(&text)?;
    fs::write(format!("{REPOSITORY}/assets/benchmark.svg"), published::chart(&all)?)?;
    let readme = format!("{REPOSITORY}/README.md");
    let text = published::with_tables(&fs::read_to_string(&readme)?, &published::tables(&all)?)?;
    Ok(fs::write(readme, text)?)
}

/// The servers that are there, and a sentence about each that is not.
fn installed(names: &[Name]) -> (Vec<Name>, Vec<String>) {
    let (mut there, mut left_out) = (Vec::new(), Vec::new());
    for name in names {
        let Some(package) = name.missing() else {
            there.push(*name);
            continue;
        };
        let text = name.text();
        let why = format!(
            "{text} is left out: it is not installed; on Debian: apt-get install {package}"
        );
        eprintln!("{why}");
        left_out.push(why);
    }
    (there, left_out)
}

/// The workloads of these names, or all that say something about one of the servers.
fn chosen(names: &[String], servers: &[Name]) -> Result<Vec<Workload>> {
    let is_for_one = |workload: &Workload| servers.iter().any(|server| workload.is_for(*server));
    if names.is_empty() {
        return Ok(workloads::WORKLOADS.into_iter().filter(is_for_one).collect());
    }
    let find = |name: &String| {
        let found = workloads::WORKLOADS.into_iter().find(|workload| workload.name == name);
        let found = found.with_context(|| {
            format!("there is no workload {name}; --list prints those there are")
        })?;
        ensure!(
            is_for_one(&found),
            "{name} is for other servers: --servers behind,nginx, or without"
        );
        Ok(found)
    };
    names.iter().map(find).collect()
}

/// What each server does at most, where that was not measured anyway.
fn peaks(
    servers: &mut [Server],
    site: &Site,
    context: &Context,
    options: &Options,
) -> Result<Vec<(Name, f64)>> {
    let small = chosen(&["small".to_owned()], &options.servers)?;
    let Some(small) = small.first() else { bail!("there is no such workload") };
    Ok(peaks_of(&run(small, servers, site, context, options)))
}

/// Measures every server in every round, so that what disturbs the machine disturbs all. One that fails
/// is left out from there on.
fn run(
    workload: &Workload,
    servers: &mut [Server],
    site: &Site,
    context: &Context,
    options: &Options,
) -> Vec<Results> {
    let begin = |server: &Server| Results {
        workload: *workload,
        server: server.name,
        rounds: Vec::new(),
        alone: Vec::new(),
        waits: Vec::new(),
        failure: None,
    };
    let mut servers: Vec<&mut Server> =
        servers.iter_mut().filter(|server| workload.is_for(server.name)).collect();
    let mut results: Vec<Results> = servers.iter().map(|server| begin(server)).collect();
    for round in 1..=options.rounds {
        for (server, results) in servers.iter_mut().zip(&mut results) {
            if results.failure.is_some() {
                continue;
            }
            let name = server.name.text();
            match measure_round(workload, server, results, site, context, options) {
                Ok(rate) => {
                    eprintln!("{}, round {round}, {name}: {rate:.0} requests/s", workload.name);
                }
                Err(error) => {
                    eprintln!("{}, round {round}, {name}: {error:#}", workload.name);
                    results.failure = Some(format!("round {round}: {error:#}"));
                }
            }
        }
    }
    results
}

/// Measures a server once, and says how many requests it answered in a second.
fn measure_round(
    workload: &Workload,
    server: &mut Server,
    results: &mut Results,
    site: &Site,
    context: &Context,
    options: &Options,
) -> Result<f64> {
    if let Some(alone) = workload.without_flood() {
        results.alone.push(measure(&alone, server, site, context, options)?);
    }
    if workload.needs_peaks() {
        let duration = Duration::from_secs_f64(options.seconds.min(MOST_WATCHED_S));
        results.waits.push(machine::wait_p999(context.server_cpu, duration)?);
    }
    let measured = measure(workload, server, site, context, options)?;
    let rate = measured.requests_per_s();
    results.rounds.push(measured);
    Ok(rate)
}

fn measure(
    workload: &Workload,
    server: &mut Server,
    site: &Site,
    context: &Context,
    options: &Options,
) -> Result<Measured> {
    let plan = workload.plan(server, site, context)?;
    let threads = server.threads.clone();
    let mut driver = Driver::start(server.network(), &plan, &threads)?;
    driver.measure(WARM_UP)?;
    driver.measure(Duration::from_secs_f64(options.seconds))
}

/// What it is measured on, and how.
fn about(options: &Options, idle_connections: u32, left_out: &[String]) -> Result<Value> {
    let mut about = machine::about()?;
    let how = json!({
        "versions": versions(options),
        "left_out": left_out,
        "idle_connections_of_a_process": idle_connections,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "client_cpu": options.client_cpu,
        "server_cpu": options.server_cpu,
        "method": METHOD,
    });
    if let (Some(about), Value::Object(how)) = (about.as_object_mut(), how) {
        about.extend(how);
    }
    Ok(about)
}

/// What the servers say of their versions, where they are there.
fn versions(options: &Options) -> Value {
    let version = |name: &Name| {
        let (program, argument) = match name {
            Name::Zeroserve => return Some((name.text(), env!("CARGO_PKG_VERSION").to_owned())),
            Name::Behind | Name::Nginx => ("nginx", "-v"),
            Name::H2o => ("h2o", "-v"),
            Name::Varnish => ("varnishd", "-V"),
        };
        let output = Command::new(program).arg(argument).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let first = String::from_utf8_lossy(&text).lines().next()?.to_owned();
        Some((name.text(), first))
    };
    options.servers.iter().filter_map(version).collect::<BTreeMap<_, _>>().into_iter().collect()
}
