//! The guard of a trial: what it puts back when its console is gone, and what it leaves alone.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Stdio},
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use zeroserve_tests::{
    Host,
    binary::{self, Terminal},
};

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

/// A console that has something on trial, and its guard.
fn console_with_a_trial(host: &Host) -> Result<(Terminal, Pid)> {
    host.write("site/a.txt", b"a few words")?;
    host.json(&["serve", "IFACE", "--root", "DIR/site"])?;
    let mut console = Terminal::start(host.console(&["IFACE"]))?;
    console.wait_for("a.txt")?;
    console.keys("d")?;
    console.wait_for("Remove this?")?;
    console.keys("t")?;
    console.wait_for("taken back in")?;
    assert_eq!(get(host, "/a.txt")?.0, 404);
    let guard = child_of(console.child.id())?;
    Ok((console, guard))
}

/// The only child of a process.
fn child_of(process: u32) -> Result<Pid> {
    let mut children = String::new();
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        children += &fs::read_to_string(task?.path().join("children"))?;
    }
    let mut children = children.split_whitespace();
    let child = children.next().context("no child")?.parse()?;
    assert_eq!(children.next(), None, "more than one child");
    Ok(Pid::from_raw(child))
}

#[test]
fn when_console_and_guard_are_killed_the_next_command_takes_back_what_was_on_trial() -> Result<()> {
    let host = Host::new()?;
    let (mut console, guard) = console_with_a_trial(&host)?;
    kill(guard, Signal::SIGKILL)?;
    // As long as the console lives it is up to the console.
    let report = host.run(&["status", "IFACE"])?;
    assert!(report.status.success());
    assert_eq!(get(&host, "/a.txt")?.0, 404);

    binary::send(&console.child, Signal::SIGKILL)?;
    console.child.wait()?;
    let report = host.run(&["status", "IFACE"])?;
    let said = String::from_utf8_lossy(&report.stderr).into_owned();
    assert!(said.contains("taken back: what was on trial at /a.txt, because"), "{said}");
    assert_eq!(get(&host, "/a.txt")?, (200, b"a few words".to_vec()));
    // Once only: somebody may want it gone by now.
    host.json(&["remove", "IFACE", "/a.txt"])?;
    let report = host.run(&["status", "IFACE"])?;
    assert_eq!(String::from_utf8_lossy(&report.stderr), "");
    assert_eq!(get(&host, "/a.txt")?.0, 404);
    Ok(())
}

#[test]
fn what_was_kept_stays_also_if_the_guard_was_killed_before() -> Result<()> {
    let host = Host::new()?;
    let (mut console, guard) = console_with_a_trial(&host)?;
    kill(guard, Signal::SIGKILL)?;
    console.keys("K")?;
    console.wait_for("kept: removed /a.txt")?;
    console.keys("ql")?;
    console.wait_for_end()?;
    let report = host.run(&["status", "IFACE"])?;
    assert_eq!(String::from_utf8_lossy(&report.stderr), "");
    assert_eq!(get(&host, "/a.txt")?.0, 404);
    Ok(())
}
