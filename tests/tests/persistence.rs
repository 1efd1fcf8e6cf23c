//! The server outlives its console, and ends when told to.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context, Result};
use aya::programs::loaded_programs;
use nix::sys::signal::Signal;
use serde_json::Value;
use zeroserve_shared::map::PIN_ROOT;
use zeroserve_tests::{
    Host,
    binary::{self, Terminal, wait_until},
    lab::{noise, sha256},
    transfer::{Transfer, UNBUFFERED_BYTES},
};
use zeroserve_tui::{
    content::{Rendered, ResponseOptions},
    kernel::PassThrough,
    net::interfaces,
};

fn route<'a>(status: &'a Value, path: &str) -> Result<&'a Value> {
    let routes = status["routes"].as_array().context("no routes")?;
    let found = routes.iter().find(|route| route["path"] == path);
    found.with_context(|| format!("no {path} in {status:#}"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a program of that id is loaded.
fn is_loaded(id: u64) -> bool {
    loaded_programs().filter_map(Result::ok).any(|program| u64::from(program.id()) == id)
}

fn pins(host: &Host) -> bool {
    Path::new(PIN_ROOT).join(host.interface()).exists()
}

/// Opens the console on the folder, on a terminal, and waits until it shows a route.
fn open_console(host: &Host, shows: &str) -> Result<Terminal> {
    let mut terminal = Terminal::start(host.console(&["IFACE", "--root", "DIR"]))?;
    terminal.wait_for(host.interface())?;
    terminal.wait_for(shows)?;
    Ok(terminal)
}

#[test]
fn a_killed_console_leaves_the_server_and_its_transfers_to_go_on() -> Result<()> {
    let host = Host::new()?;
    let large = host.write("large.bin", &noise(1, UNBUFFERED_BYTES))?;
    let small = host.write("small.txt", b"still here")?;
    let mut terminal = open_console(&host, "large.bin")?;
    let transfer = Transfer::begin(host.connect()?, "/large.bin")?;
    terminal.child.kill()?;
    terminal.child.wait()?;
    transfer.finish(&Rendered::file(&large, &ResponseOptions::default())?)?;
    assert_eq!(host.connect()?.get("/small.txt")?.body, b"still here");

    // A console started now knows all that the first one did.
    let status = host.json(&["status", "IFACE"])?;
    let found = route(&status, "/small.txt")?;
    assert_eq!(found["source"].as_str().map(Path::new), Some(fs::canonicalize(small)?.as_path()));
    assert_eq!(found["body_bytes"], 10);
    assert_eq!(found["body_sha256"], hexadecimal(&sha256(b"still here")));
    assert_eq!(found["requests"], 1);
    let found = route(&status, "/large.bin")?;
    assert_eq!(found["body_bytes"], UNBUFFERED_BYTES);
    assert_eq!(found["requests"], 1);
    assert_eq!(status["totals"]["requests"], 2);
    assert_eq!(status["totals"]["unaccounted_packets"], 0);

    // And it may change what is served.
    host.write("other.txt", b"something new")?;
    host.json(&["replace", "IFACE", "/small.txt", "DIR/other.txt"])?;
    assert_eq!(host.connect()?.get("/small.txt")?.body, b"something new");
    Ok(())
}

#[test]
fn a_console_that_is_told_to_end_leaves_the_server_running() -> Result<()> {
    let host = Host::new()?;
    host.write("small.txt", b"still here")?;
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut terminal = open_console(&host, "small.txt")?;
        binary::send(&terminal.child, signal)?;
        terminal.child.wait()?;
        assert_eq!(host.connect()?.get("/small.txt")?.body, b"still here", "after {signal}");
    }
    Ok(())
}

#[test]
fn stopping_during_a_transfer_leaves_nothing() -> Result<()> {
    let host = Host::new()?;
    host.write("large.bin", &noise(1, UNBUFFERED_BYTES))?;
    host.json(&["serve", "IFACE", "--root", "DIR"])?;
    let status = host.json(&["status", "IFACE"])?;
    let program = status["program_id"].as_u64().context("no program_id")?;
    assert!(is_loaded(program));
    assert!(pins(&host));
    let transfer = Transfer::begin(host.connect()?, "/large.bin")?;
    host.json(&["stop", "IFACE"])?;
    assert!(!pins(&host));
    let interface = host.network.server.run(|| interfaces::find(host.interface()))??;
    assert!(interface.context("the interface is gone")?.xdp.is_none());
    wait_until("the program is unloaded", || Ok(!is_loaded(program)))?;
    // The kernel answers for the port again, and nobody listens there.
    let refused = host.connect().err().context("somebody still answers")?;
    let refused = refused.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    drop(transfer);
    Ok(())
}

#[test]
fn a_server_that_was_stopped_can_be_started_again() -> Result<()> {
    let host = Host::new()?;
    host.write("small.txt", b"here")?;
    for _ in 0..3 {
        host.json(&["serve", "IFACE", "--root", "DIR"])?;
        assert_eq!(host.connect()?.get("/small.txt")?.body, b"here");
        host.json(&["stop", "IFACE"])?;
        assert!(!pins(&host));
    }
    Ok(())
}

#[test]
fn serving_again_publishes_anew_and_keeps_the_counters() -> Result<()> {
    let host = Host::new()?;
    host.write("small.txt", b"old")?;
    let first = host.json(&["serve", "IFACE", "--root", "DIR"])?;
    assert_eq!((&first["attached_now"], &first["added"]), (&true.into(), &1.into()));
    assert_eq!(host.connect()?.get("/small.txt")?.body, b"old");
    host.write("small.txt", b"new")?;
    let second = host.json(&["serve", "IFACE", "--root", "DIR"])?;
    assert_eq!((&second["attached_now"], &second["replaced"]), (&false.into(), &1.into()));
    assert_eq!(host.connect()?.get("/small.txt")?.body, b"new");
    let status = host.json(&["status", "IFACE"])?;
    let found = route(&status, "/small.txt")?;
    assert_eq!((&found["requests"], &found["version"]), (&2.into(), &2.into()));
    Ok(())
}

#[test]
fn another_xdp_program_is_left_alone_and_named() -> Result<()> {
    let host = Host::new()?;
    host.write("small.txt", b"here")?;
    let server = &host.network.server;
    let foreign = server.run(|| PassThrough::attach(host.network.veth.server_index))??;
    let output = host.run(&["serve", "IFACE", "--root", "DIR", "--json"])?;
    assert_eq!(output.status.code(), Some(4));
    let failure: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(failure["error"]["kind"], "foreign-program");
    let message = failure["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("zeroserve_pass"), "{message}");
    assert!(!pins(&host));
    let interface = server.run(|| interfaces::find(host.interface()))??;
    assert!(interface.context("the interface is gone")?.xdp.is_some());
    drop(foreign);
    host.json(&["serve", "IFACE", "--root", "DIR"])?;
    Ok(())
}
