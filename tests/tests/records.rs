//! Recordings and metrics of a real server: exact counts, without root where none is needed, and
//! whatever becomes of whoever writes them.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use zeroserve_tests::{
    Host,
    binary::{self, Terminal, wait_until},
    host::{ALL_CAPABILITIES, without_capabilities},
};
use zeroserve_tui::record::Recording;

/// A host that serves a file.
fn serving() -> Result<Host> {
    let host = Host::new()?;
    host.write("site/a.txt", b"first")?;
    host.json(&["serve", "IFACE", "--root", "DIR/site"])?;
    Ok(host)
}

/// Asks for the file so many times, on one connection.
fn ask(host: &Host, times: u32) -> Result<()> {
    let mut connection = host.connect()?;
    for _ in 0..times {
        ensure!(connection.get("/a.txt")?.status == 200);
    }
    Ok(())
}

/// What `replay --json` says, by a process without any capability.
fn report(host: &Host, file: &str) -> Result<Value> {
    let mut command = host.console(&["replay", file, "--json"]);
    without_capabilities(&mut command, ALL_CAPABILITIES);
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).with_context(|| text.to_string())
}

#[test]
fn a_recording_counts_exactly_what_happened_while_it_ran_and_opens_without_capabilities()
-> Result<()> {
    let host = serving()?;
    ask(&host, 7)?;
    let mut record = host.console(&["record", "IFACE", "-o", "DIR/a.zsr", "--json"]);
    let mut record = record.stdout(Stdio::piped()).spawn()?;
    let file = host.folder.path().join("a.zsr");
    wait_until("the first sample", || Ok(Recording::open(&file).is_ok()))?;
    ask(&host, 25)?;
    binary::send(&record, Signal::SIGINT)?;
    let document: Value =
        serde_json::from_reader(record.stdout.take().context("it has an output")?)?;
    ensure!(record.wait()?.success());
    assert_eq!(document["ended"], "interrupted");

    let report = report(&host, "DIR/a.zsr")?;
    assert_eq!(report["totals"]["requests"], 25);
    assert_eq!(report["interface"], host.interface());
    assert_eq!(report["samples"], document["samples"]);
    assert_eq!(report["damage"], Value::Null);
    let text = host.run(&["replay", "DIR/a.zsr"])?;
    assert!(String::from_utf8(text.stdout)?.contains("requests    25"));
    let again = host.run(&["record", "IFACE", "--for", "1s", "-o", "DIR/a.zsr"])?;
    assert_eq!(again.status.code(), Some(4), "a file is not written over");
    Ok(())
}

#[test]
fn a_recording_ends_when_its_time_is_over() -> Result<()> {
    let host = serving()?;
    let document = host.json(&["record", "IFACE", "--for", "1200ms", "-o", "DIR/a.zsr"])?;
    assert_eq!(document["ended"], "time");
    assert!(document["samples"].as_u64() >= Some(2), "at the beginning and at the end");
    Ok(())
}

#[test]
fn a_console_that_is_killed_leaves_a_black_box_that_opens() -> Result<()> {
    let host = serving()?;
    let mut terminal = Terminal::start(host.console(&["IFACE"]))?;
    terminal.wait_for("SERVING")?;
    let file = host.state.path().join("zeroserve").join(format!("{}.zsr", host.interface()));
    let requests = |file| -> Result<u64> {
        let recording = Recording::open(file)?;
        let last = recording.events().last().context("a sample")?;
        Ok(last.outcome.map_err(anyhow::Error::msg)?.totals().requests)
    };
    wait_until("the black box begins", || Ok(Recording::open(&file).is_ok()))?;
    ask(&host, 12)?;
    wait_until("the requests are recorded", || Ok(requests(&file)? == 12))?;
    binary::send(&terminal.child, Signal::SIGKILL)?;
    terminal.child.wait()?;
    assert_eq!(Recording::open(&file)?.damage, None);

    // The next console goes on in the same file, and one key saves both.
    let mut command = host.console(&["IFACE"]);
    command.current_dir(host.folder.path());
    let mut terminal = Terminal::start(command)?;
    terminal.wait_for("SERVING")?;
    ask(&host, 3)?;
    wait_until("the requests are recorded", || Ok(requests(&file)? == 15))?;
    terminal.keys("W")?;
    terminal.wait_for("saved")?;
    terminal.keys("ql")?;
    terminal.child.wait()?;
    let saved = std::fs::read_dir(host.folder.path())?.flatten().map(|entry| entry.path());
    let saved = saved.into_iter().find(|path| path.extension().is_some_and(|e| e == "zsr"));
    let saved = saved.context("a file is saved")?;
    assert_eq!(requests(&saved)?, 15);

    let mut replay = host.console(&["replay", &saved.display().to_string()]);
    without_capabilities(&mut replay, ALL_CAPABILITIES);
    let mut terminal = Terminal::start(replay)?;
    terminal.wait_for("REPLAY")?;
    terminal.keys("e")?;
    terminal.wait_for(" 15  ")?;
    terminal.keys("q")?;
    ensure!(terminal.child.wait()?.success());
    Ok(())
}

#[test]
fn what_is_no_recording_or_of_a_newer_format_is_refused_with_a_reason() -> Result<()> {
    let host = Host::new()?;
    host.write("a.txt", b"hello")?;
    host.write("new.zsr", b"ZSREC\r\n\x1a\x09\x00and more")?;
    for (file, code, kind, says) in [
        ("DIR/a.txt", 4, "no-recording", "is no recording"),
        ("DIR/new.zsr", 4, "other-version", "newer version"),
        ("DIR/missing", 1, "failed", "No such file"),
    ] {
        let output = host.console(&["replay", file, "--json"]).output()?;
        assert_eq!(output.status.code(), Some(code), "{file}");
        let failure: Value = serde_json::from_slice(&output.stdout)?;
        assert_eq!(failure["error"]["kind"], kind);
        let message = failure["error"]["message"].as_str().context("a message")?;
        assert!(message.contains(says), "{message}");
    }
    Ok(())
}

/// The value of the first series of a metric that has all of these labels.
fn metric(text: &str, name: &str, labels: &[&str]) -> Option<u64> {
    let line = text.lines().find(|line| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn metrics_are_printed_as_they_are_counted() -> Result<()> {
    let host = serving()?;
    ask(&host, 9)?;
    let packets = || -> Result<u64> {
        let status = host.json(&["status", "IFACE"])?;
        status["totals"]["packets_in"].as_u64().context("no packets")
    };
    // Somebody may still be saying goodbye.
    let before = packets()?;
    let output = host.run(&["metrics", "IFACE"])?;
    let after = packets()?;
    ensure!(output.status.success());
    let text = String::from_utf8(output.stdout)?;
    let path = ["path=\"/a.txt\""];
    assert_eq!(metric(&text, "zeroserve_route_requests_total", &path), Some(9));
    let by_cpu = text.lines().filter(|line| line.starts_with("zeroserve_received_packets_total{"));
    let sum: u64 = by_cpu.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
    assert!(before > 9 && (before..=after).contains(&sum), "{before} {sum} {after}");
    assert!(text.ends_with("# EOF\n"));
    Ok(())
}

/// Ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn metrics_are_offered_on_loopback_and_outlast_the_server() -> Result<()> {
    let host = serving()?;
    let open = host.run(&["metrics", "IFACE", "--listen", "0.0.0.0:0"])?;
    assert_eq!(open.status.code(), Some(4));
    assert!(String::from_utf8(open.stderr)?.contains("--public"));

    let mut endpoint = host.console(&["metrics", "IFACE", "--listen", "127.0.0.1:0"]);
    let mut endpoint = Ends(endpoint.stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(endpoint.0.stdout.take().context("an output")?).read_line(&mut line)?;
    let url = line.trim().rsplit(' ').next().context("an address")?.to_owned();
    let scrape = || -> Result<(bool, String)> {
        let accept = "Accept: application/openmetrics-text";
        let mut curl = host.network.server.command("curl");
        let output = curl.args(["-sS", "--fail-with-body", "-H", accept, &url]).output()?;
        Ok((output.status.success(), String::from_utf8(output.stdout)?))
    };
    ask(&host, 4)?;
    let requests = |text: &str| metric(text, "zeroserve_route_requests_total", &["/a.txt"]);
    assert_eq!(requests(&scrape()?.1), Some(4));
    ask(&host, 4)?;
    assert_eq!(requests(&scrape()?.1), Some(8));
    host.json(&["stop", "IFACE"])?;
    let (ok, says) = scrape()?;
    assert!(!ok && !says.is_empty(), "{says}");
    host.json(&["serve", "IFACE", "--root", "DIR/site"])?;
    assert_eq!(requests(&scrape()?.1), Some(0), "the new server is found");
    binary::send(&endpoint.0, Signal::SIGTERM)?;
    ensure!(endpoint.0.wait()?.success());
    Ok(())
}
