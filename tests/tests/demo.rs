//! The demo, as its users run it.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use serde_json::Value;
use zeroserve_tests::{
    binary::{self, Terminal},
    require_root,
    traces::Traces,
};

fn demo(arguments: &[&str]) -> Command {
    require_root();
    let mut command = Command::new(binary::path());
    command.arg("demo").args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn the_report_of_a_demo_without_a_console_says_that_everything_was_right() -> Result<()> {
    let child = demo(&["--headless", "--seconds", "2", "--json"]).spawn()?;
    let pid = child.id();
    let output = child.wait_with_output()?;
    let progress = String::from_utf8_lossy(&output.stderr);
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {progress}\n{report}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let number = |pointer: &str| {
        let value = report.pointer(pointer).and_then(Value::as_f64);
        value.with_context(|| format!("no {pointer} in {report:#}"))
    };
    assert!(number("/requests")? > 0.0, "{report:#}");
    assert!(number("/requests_per_s")? > 0.0);
    assert!(number("/body_bytes")? > number("/requests")?);
    assert!(number("/duration_s")? >= 2.0);
    assert!(number("/latency_us/p50")? > 0.0);
    assert!(number("/latency_us/p50")? <= number("/latency_us/p99")?);
    assert!(number("/latency_us/p99")? <= number("/latency_us/max")?);
    assert_eq!(number("/errors")?, 0.0, "{report:#}");
    assert_eq!(number("/server/requests")?, number("/requests")?);
    assert_eq!(number("/server/unaccounted_packets")?, 0.0);
    assert_eq!(number("/server/unexplained_packets")?, 0.0);
    let verdicts = report.pointer("/server/verdicts").and_then(Value::as_object);
    let sum: f64 = verdicts.context("no verdicts")?.values().filter_map(Value::as_f64).sum();
    assert_eq!(sum, number("/server/packets_in")?);
    assert_eq!(Traces::of(pid)?, Traces::default());
    Ok(())
}

#[test]
fn a_demo_serves_another_folder_when_told_to() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("a b.txt"), "only this")?;
    let root = folder.path().display().to_string();
    let output = demo(&["--headless", "--seconds", "1", "--json", "--root", &root]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let requests = report["requests"].as_u64().context("no requests")?;
    assert_eq!(report["body_bytes"].as_u64(), Some(requests * "only this".len() as u64));
    Ok(())
}

#[test]
fn a_demo_of_an_empty_folder_fails_and_says_why() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().display().to_string();
    let output = demo(&["--headless", "--seconds", "1", "--root", &root]).output()?;
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("nothing to serve"), "{errors}");
    Ok(())
}

#[test]
fn a_demo_that_a_signal_ends_leaves_no_trace() -> Result<()> {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut child = demo(&["--headless", "--seconds", "60", "--json"]).spawn()?;
        let progress = BufReader::new(child.stderr.take().context("no standard error")?);
        // The last thing it says before the load begins.
        let mut lines = progress.lines();
        let begins = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(" for 60 s")));
        begins.context("the demo ended before its load began")??;
        let traces = Traces::of(child.id())?;
        assert_eq!(traces.namespaces.len(), 2, "{traces:?}");
        assert_eq!(traces.pins.len(), 1, "{traces:?}");
        binary::send(&child, signal)?;
        let status = child.wait()?;
        assert_eq!(status.signal(), Some(signal as i32), "{status}");
        assert_eq!(Traces::of(child.id())?, Traces::default(), "after {signal}");
    }
    Ok(())
}

#[test]
fn the_console_of_a_demo_ends_on_sigterm_and_leaves_no_trace() -> Result<()> {
    require_root();
    let mut command = Command::new(binary::path());
    command.arg("demo");
    let mut terminal = Terminal::start(command)?;
    let pid = terminal.child.id();
    terminal.wait_for(&format!("demo{pid}"))?;
    terminal.wait_for("/s")?;
    binary::send(&terminal.child, Signal::SIGTERM)?;
    terminal.child.wait()?;
    assert_eq!(Traces::of(pid)?, Traces::default());
    Ok(())
}
