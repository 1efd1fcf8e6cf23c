//! A TCP peer that is not Linux: dialogues with segments made by scapy.
//!
//! The dialogues are in `tests/dialogues/`, each with the section of the RFC that it checks.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zeroserve_tests::{
    Lab,
    lab::{check_books, noise},
    require_program,
};
use zeroserve_tui::net::Namespace;

/// The distribution's own Python, because scapy is installed for that one.
const PYTHON: &str = "/usr/bin/python3";

/// Runs the dialogues.
const RUNNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dialogues/run");

/// The files that dialogues ask for.
const FILES: [(&str, usize); 4] =
    [("small", 200), ("medium", 10_000), ("large", 100_000), ("huge", 1_000_000)];

/// The peer's addresses, as in `tests/dialogues/run`.
const PEER: &str = "198.18.0.100 lladdr 02:00:00:00:00:64";

/// Fewer dialogues than this mean that they were not found.
const LEAST_DIALOGUES: usize = 50;

#[test]
fn every_dialogue_goes_as_the_rfcs_say() -> Result<()> {
    let mut lab = Lab::new()?;
    for (seed, (name, bytes)) in FILES.into_iter().enumerate() {
        let body = noise(seed as u64, bytes);
        lab.publish(&format!("/{name}"), &body)?;
        std::fs::write(lab.folder.path().join(name), &body)?;
    }
    let network = &lab.server.network;
    let (ours, theirs) = (&network.veth.server, &network.veth.client);
    // The kernel resets what is passed up to it, and must know where.
    run(&network.server, "ip", &format!("neighbour add {PEER} dev {ours} nud permanent"))?;
    // The XDP program at the client's end turned it on, and it would merge segments.
    run(&network.client, "ethtool", &format!("-K {theirs} gro off"))?;
    let mut runner = network.client.command(PYTHON);
    // Without -B it would leave compiled modules in the source tree.
    runner.args(["-B", RUNNER, theirs]).arg(lab.folder.path()).stdout(Stdio::piped());
    let mut runner = runner.spawn().context(PYTHON)?;
    let output = BufReader::new(runner.stdout.take().context("no pipe")?);
    let (mut count, mut failures) = (0, Vec::new());
    for line in output.lines() {
        let dialogue: Value = serde_json::from_str(&line?).context("no JSON from the runner")?;
        count += 1;
        let text = |field: &str| dialogue[field].as_str().unwrap_or_default().to_owned();
        println!("{:6} s  {}", dialogue["seconds"], text("name"));
        if let Some(reason) = dialogue["known"].as_str() {
            println!("          known to fail: {reason}");
        }
        if dialogue["failed"] == true {
            let (name, checks, problem) = (text("name"), text("checks"), text("problem"));
            let transcript = dialogue["transcript"].as_array().into_iter().flatten();
            let lines: Vec<_> = transcript.filter_map(Value::as_str).collect();
            failures.push(format!("{name}\n({checks})\n{problem}\n{}\n", lines.join("\n")));
        }
    }
    let status = runner.wait()?;
    assert!(failures.is_empty(), "of {count} dialogues failed:\n\n{}", failures.join("\n"));
    ensure!(status.success(), "the runner ended with {status}; is python3-scapy installed?");
    assert!(count >= LEAST_DIALOGUES, "only {count} dialogues");
    check_books(&lab.totals()?);
    Ok(())
}

/// Runs a program in a namespace, which must succeed.
fn run(host: &Namespace, program: &str, arguments: &str) -> Result<()> {
    require_program(program);
    let output = host.command(program).args(arguments.split(' ')).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments}: {errors}");
    Ok(())
}
