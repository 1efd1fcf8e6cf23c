//! The guard of a trial: what it puts back when its console is gone, and what it leaves alone.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Stdio},
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use zeroserve_tests::Host;

/// A guard that has read what is served at paths.
fn guard(host: &Host, paths: &[&str], seconds: &str) -> Result<(Child, ChildStdin)> {
    let mut guard = host.console(&["guard", "IFACE", seconds]);
    let mut guard = guard.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = guard.stdin.take().context("no standard input")?;
    writeln!(line, "{}\n", paths.join("\n"))?;
    let mut answer = String::new();
    let answers = guard.stdout.take().context("no standard output")?;
    BufReader::new(answers).read_line(&mut answer)?;
    assert_eq!(answer, "ready\n");
    Ok((guard, line))
}

fn get(host: &Host, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut connection = host.connect()?;
    let response = connection.get(path)?;
    Ok((response.status, response.body.to_vec()))
}

/// A host on which everything that can be done to a path is on trial.
fn on_trial() -> Result<(Host, Child, ChildStdin)> {
    let host = Host::new()?;
    host.write("site/replaced", b"first")?;
    host.write("site/removed", b"gone soon")?;
    host.json(&["serve", "IFACE", "--root", "DIR/site"])?;
    let (guard, line) = guard(&host, &["/replaced", "/removed", "/added"], "600")?;
    change(&host)?;
    Ok((host, guard, line))
}

/// What is on trial.
fn change(host: &Host) -> Result<()> {
    host.write("other", b"second")?;
    host.json(&["replace", "IFACE", "/replaced", "DIR/other"])?;
    host.json(&["remove", "IFACE", "/removed"])?;
    host.json(&["add", "IFACE", "/added", "DIR/other"])?;
    assert_eq!(get(host, "/replaced")?, (200, b"second".to_vec()));
    Ok(())
}

fn is_as_before(host: &Host) -> Result<()> {
    assert_eq!(get(host, "/replaced")?, (200, b"first".to_vec()));
    assert_eq!(get(host, "/removed")?, (200, b"gone soon".to_vec()));
    assert_eq!(get(host, "/added")?.0, 404);
    Ok(())
}

#[test]
fn when_the_console_is_gone_what_was_on_trial_is_taken_back() -> Result<()> {
    let (host, mut guard, line) = on_trial()?;
    drop(line);
    assert_eq!(guard.wait()?.code(), Some(10));
    is_as_before(&host)
}

#[test]
fn when_the_console_does_not_run_what_was_on_trial_is_taken_back_in_time() -> Result<()> {
    let host = Host::new()?;
    host.write("site/replaced", b"first")?;
    host.write("site/removed", b"gone soon")?;
    host.json(&["serve", "IFACE", "--root", "DIR/site"])?;
    let (mut guard, _line) = guard(&host, &["/replaced", "/removed", "/added"], "3")?;
    let process = Pid::from_raw(guard.id().try_into()?);
    // So that the time is over after the changes, however long these take.
    kill(process, Signal::SIGSTOP)?;
    change(&host)?;
    kill(process, Signal::SIGCONT)?;
    assert_eq!(guard.wait()?.code(), Some(10));
    is_as_before(&host)
}

#[test]
fn when_the_console_says_that_it_is_over_nothing_is_touched() -> Result<()> {
    let (host, mut guard, mut line) = on_trial()?;
    writeln!(line, "over")?;
    assert_eq!(guard.wait()?.code(), Some(0));
    assert_eq!(get(&host, "/replaced")?, (200, b"second".to_vec()));
    assert_eq!(get(&host, "/removed")?.0, 404);
    assert_eq!(get(&host, "/added")?, (200, b"second".to_vec()));
    Ok(())
}
