//! How long the programs take, path by path. A benchmark: it measures and prints, and never fails
//! because of a time.
//!
//! Single runs on single frames (`BPF_PROG_TEST_RUN`) show one path each; the kernel's statistics
//! under load show what the programs take in their place, the egress program included, which cannot
//! be run on its own. Each manner of measuring takes time itself, which an empty program measured in
//! the same manner shows. A program that always does the same says how fast the machine is: ratios to
//! it can be compared between machines and days.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf,
    programs::{ProgramInfo, Xdp, loaded_programs},
    sys::{Stats, enable_stats},
};
use clap::Parser;
use etherparse::TcpHeader;
use serde_json::{Map, Value, json};
use zeroserve_shared::{
    load::{EMPTY_PROGRAM, REFERENCE_PROGRAM},
    map::{EGRESS_PROGRAM, HANDOFF_PROGRAM, XDP_PROGRAM},
    reason::Verdict,
};
use zeroserve_tests::{
    bench::{self, Bench},
    compare::{Context, Name, Server, site::Site, workloads},
    frames::{LINUX_OPTIONS, REQUEST, frame, later, syn, tcp},
    lab::noise,
    machine,
    paths::{CHROMIUM, NUMBERED, Request, not_ours},
    require_root,
};
use zeroserve_tui::load::Driver;

/// The load generator's object, which has the program to compare with.
const GENERATOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ebpf/load.o");

/// Measures the programs path by path.
#[derive(Parser)]
struct Options {
    /// How often each path is run
    #[arg(long, default_value_t = 5000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// How long the programs are watched under each load
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    seconds: f64,
    /// Where to write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What an earlier run wrote, to compare ratios with
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

/// How often a frame is run where it is run many times over: enough for the clock reads around all of
/// them not to count.
const REPEATED: u32 = 1_000_000;

/// What paths take, measured in one manner.
struct Figures {
    /// In which manner.
    title: &'static str,
    /// What an empty program takes.
    empty_ns: f64,
    /// What each path takes, what measuring takes included.
    paths: Vec<Figure>,
}

/// What a path takes.
struct Figure {
    path: String,
    ns: f64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    require_root();
    let before = options.against.as_ref().map(read_ratios).transpose()?;
    let mut others = Ebpf::load_file(GENERATOR).context(GENERATOR)?;
    let plain = frame(tcp(0), &[]);
    let reference = load(&mut others, REFERENCE_PROGRAM)?;
    let reference_ns = median_ns(options.runs, || Ok(bench::time(reference, &plain)?.0))?;
    println!("reference program: {reference_ns:.0} ns\n");
    let empty = load(&mut others, EMPTY_PROGRAM)?;
    let mut all = Vec::new();
    for measure in [single_runs, repeated_runs, under_load] {
        let figures = measure(&options, empty)?;
        figures.print(reference_ns, before.as_ref());
        all.push(figures);
    }
    let sizes = sizes()?;
    println!("{:42} {:>12} {:>10} {:>10}", "programs", "instructions", "verified", "bytes");
    for (program, Size { instructions, verified, native_bytes }) in &sizes {
        println!("{program:42} {instructions:12} {verified:10} {native_bytes:10}");
    }
    if let Some(file) = &options.json {
        let figures: Vec<Value> =
            all.iter().flat_map(|figures| figures.values(reference_ns)).collect();
        let size = |one: &Size| {
            json!({
                "instructions": one.instructions,
                "verified_instructions": one.verified,
                "native_bytes": one.native_bytes,
            })
        };
        let programs: Map<String, Value> =
            sizes.iter().map(|(program, one)| ((*program).to_owned(), size(one))).collect();
        let all = json!({
            "about": machine::about()?,
            "reference_ns": reference_ns,
            "figures": figures,
            "programs": programs,
        });
        fs::write(file, format!("{all:#}\n")).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Loads one of the programs to compare with.
fn load<'a>(object: &'a mut Ebpf, name: &str) -> Result<&'a Xdp> {
    let program: &mut Xdp = object.program_mut(name).context(name.to_owned())?.try_into()?;
    program.load()?;
    Ok(program)
}

/// The median of what so many runs took.
fn median_ns(runs: u32, mut run: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let mut all = (0..runs).map(|_| run()).collect::<Result<Vec<_>>>()?;
    all.sort_unstable();
    Ok(all[all.len() / 2].as_nanos() as f64)
}

/// Each path on frames of its own, a system call for each run.
fn single_runs(options: &Options, empty: &Xdp) -> Result<Figures> {
    let runs = options.runs;
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 272))?;
    let mut paths = Vec::new();
    let mut constant = |bench: &mut Bench, path: &str, frame: &[u8], verdict: Verdict| {
        let ns = median_ns(runs, || {
            let (taken, returned, _) = bench.time(frame)?;
            ensure!(returned == verdict as u32, "{path}: the verdict is {returned}");
            Ok(taken)
        })?;
        paths.push(Figure { path: path.to_owned(), ns });
        anyhow::Ok(())
    };
    let plain = frame(tcp(0), &[]);
    let empty_ns = median_ns(runs, || Ok(bench::time(empty, &plain)?.0))?;
    for (path, frame) in not_ours()? {
        constant(&mut bench, path, &frame, Verdict::Pass)?;
    }
    constant(&mut bench, "SYN", &frame(syn(&LINUX_OPTIONS), &[]), Verdict::Tx)?;
    let next = bench.open()?;
    constant(&mut bench, "bare ACK", &frame(next, &[]), Verdict::Drop)?;
    for (path, request) in [
        ("hit", Request::Same(REQUEST)),
        ("hit, never asked before", Request::Numbered(NUMBERED)),
        ("miss", Request::Same(b"GET /none HTTP/1.1\r\nHost: lab\r\n\r\n")),
        ("hit, Chromium's request", Request::Same(CHROMIUM)),
        ("hit, Chromium's, never asked before", Request::Numbered(CHROMIUM)),
    ] {
        let ns = requests(&mut bench, runs, &request).with_context(|| path.to_owned())?;
        paths.push(Figure { path: path.to_owned(), ns });
    }
    Ok(Figures { title: "single runs", empty_ns, paths })
}

/// What has to pass without being changed, so that the same frame can be run again.
fn repeated_runs(_: &Options, empty: &Xdp) -> Result<Figures> {
    let mut bench = Bench::new()?;
    let plain = frame(tcp(0), &[]);
    let empty_ns = bench::time_repeated(empty, &plain, REPEATED)?.0.as_nanos() as f64;
    let mut paths = Vec::new();
    for (path, frame) in not_ours()? {
        let (taken, returned) = bench.time_repeated(&frame, REPEATED)?;
        ensure!(returned == Verdict::Pass as u32, "{path}: the verdict is {returned}");
        let path = format!("{path}, over and over");
        paths.push(Figure { path, ns: taken.as_nanos() as f64 });
    }
    Ok(Figures { title: "a million runs in a system call", empty_ns, paths })
}

/// One request after the other on a connection.
fn requests(bench: &mut Bench, runs: u32, request: &Request) -> Result<f64> {
    let mut next = bench.open()?;
    let mut number = 0;
    let median = median_ns(runs, || {
        number += 1;
        let request = request.bytes(number)?;
        let ask = frame(TcpHeader { psh: true, ..next.clone() }, &request);
        let (taken, returned, answer_bytes) = bench.time(&ask)?;
        ensure!(returned == Verdict::Tx as u32, "the verdict is {returned}");
        next = later(&next, request.len() as u32);
        let answered = answer_bytes - frame(next.clone(), &[]).len() as u32;
        next.acknowledgment_number = next.acknowledgment_number.wrapping_add(answered);
        Ok(taken)
    });
    // The next connection has the same ends.
    bench.time(&frame(TcpHeader { rst: true, ..next }, &[]))?;
    median
}

/// Where client and server run.
const CLIENT_CPU: usize = 0;
const SERVER_CPU: usize = 1;

/// What the programs take under load, by the kernel's statistics.
fn under_load(options: &Options, empty: &Xdp) -> Result<Figures> {
    let site = Site::create()?;
    let mut server = Server::start(Name::Zeroserve, &site, SERVER_CPU)?;
    let ours = latest()?;
    let _statistics = enable_stats(Stats::RunTime)?;
    bench::time_repeated(empty, &frame(tcp(0), &[]), REPEATED)?;
    let info = empty.info()?;
    let empty_ns = info.run_time().as_nanos() as f64 / info.run_count() as f64;
    let mut paths = Vec::new();
    for (title, name, client_cpu) in [
        ("small", "small", CLIENT_CPU),
        ("small, client there too", "small", SERVER_CPU),
        ("connections", "connections", CLIENT_CPU),
        ("window", "window", CLIENT_CPU),
        ("library", "library", CLIENT_CPU),
    ] {
        let context = Context { client_cpu, server_cpu: SERVER_CPU, ..Context::default() };
        let found = workloads::WORKLOADS.iter().find(|workload| workload.name == name);
        let plan = found.context(name)?.plan(&server, &site, &context)?;
        let mut driver = Driver::start(server.network(), &plan, &[])?;
        let before = run_times(&ours)?;
        let measured = driver.measure(Duration::from_secs_f64(options.seconds))?;
        ensure!(
            measured.faults().is_empty(),
            "not every answer was right: {:?}",
            measured.faults()
        );
        for (program, (time, runs)) in run_times(&ours)? {
            let (time_before, runs_before) = before.get(&program).copied().unwrap_or_default();
            let runs = runs - runs_before;
            if runs > 1000 {
                let ns = (time - time_before).as_nanos() as f64 / runs as f64;
                paths.push(Figure { path: format!("{title}: {program}, each run"), ns });
            }
        }
    }
    Ok(Figures { title: "under load, by the kernel's statistics", empty_ns, paths })
}

/// How large a program is.
struct Size {
    /// Instructions of BPF, as the kernel has translated them.
    instructions: u32,
    /// Instructions that the verifier went through.
    verified: u32,
    /// Bytes of what the machine runs.
    native_bytes: u32,
}

/// How large the programs are. How many instructions each path runs through only a machine with a
/// counter for them could tell.
fn sizes() -> Result<BTreeMap<&'static str, Size>> {
    // Loads them; they are gone with it.
    let _bench = Bench::new()?;
    let mut sizes = BTreeMap::new();
    for program in loaded_programs() {
        // Others on this machine come and go.
        let Ok(program) = program else { continue };
        let programs = [XDP_PROGRAM, EGRESS_PROGRAM, HANDOFF_PROGRAM];
        let Some(wanted) = known(&program, &programs) else {
            continue;
        };
        let unknown = "this kernel does not say how large programs are";
        let size = Size {
            instructions: program.size_translated().context(unknown)? / BYTES_PER_INSTRUCTION,
            verified: program.verified_instruction_count().context(unknown)?,
            native_bytes: program.size_jitted(),
        };
        sizes.insert(wanted, size);
    }
    Ok(sizes)
}

/// Bytes of an instruction of BPF.
const BYTES_PER_INSTRUCTION: u32 = 8;

/// The numbers of the server's programs. There may be others of that name on this machine; ours were
/// loaded last.
fn latest() -> Result<BTreeMap<&'static str, u32>> {
    let mut latest = BTreeMap::new();
    for program in loaded_programs() {
        // Others on this machine come and go.
        let Ok(program) = program else { continue };
        if let Some(name) = known(&program, &[XDP_PROGRAM, EGRESS_PROGRAM]) {
            latest.insert(name, program.id());
        }
    }
    Ok(latest)
}

/// Which of these names a program has. The kernel keeps 15 bytes of a name.
fn known(program: &ProgramInfo, names: &[&'static str]) -> Option<&'static str> {
    let name = program.name_as_str()?;
    names.iter().copied().find(|wanted| name == &wanted[..wanted.len().min(15)])
}

/// How long programs have run, and how often.
fn run_times(
    programs: &BTreeMap<&'static str, u32>,
) -> Result<BTreeMap<&'static str, (Duration, u64)>> {
    let mut times = BTreeMap::new();
    for program in loaded_programs() {
        let Ok(program) = program else { continue };
        if let Some((name, _)) = programs.iter().find(|(_, id)| **id == program.id()) {
            times.insert(*name, (program.run_time(), program.run_count()));
        }
    }
    Ok(times)
}

impl Figures {
    fn print(&self, reference_ns: f64, before: Option<&Ratios>) {
        let Self { title, empty_ns, paths } = self;
        println!("{title:42} {:>8} {:>11} {:>8} {:>10}", "ns", "over empty", "ratio", "before");
        println!("{:42} {empty_ns:8.0}", "an empty program");
        for Figure { path, ns } in paths {
            let earlier = before.and_then(|ratios| ratios.get(path.as_str()));
            let earlier = earlier.map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let over = ns - empty_ns;
            println!("{path:42} {ns:8.0} {over:11.0} {:8.2} {earlier:>10}", ns / reference_ns);
        }
        println!();
    }

    fn values(&self, reference_ns: f64) -> impl Iterator<Item = Value> {
        self.paths.iter().map(move |Figure { path, ns }| {
            let ratio = ns / reference_ns;
            json!({ "path": path, "ns": ns, "empty_ns": self.empty_ns, "ratio": ratio })
        })
    }
}

type Ratios = BTreeMap<String, f64>;

/// The ratios of an earlier run.
fn read_ratios(file: &PathBuf) -> Result<Ratios> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let all: Value = serde_json::from_str(&text)?;
    let figures = all["figures"].as_array().context("there are no figures in it")?;
    let ratio = |one: &Value| Some((one["path"].as_str()?.to_owned(), one["ratio"].as_f64()?));
    Ok(figures.iter().filter_map(ratio).collect())
}
