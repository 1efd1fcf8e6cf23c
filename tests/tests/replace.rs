//! Replacing and removing under load: every answer is wholly of one version.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, ensure};
use zeroserve_tests::{
    Lab,
    lab::{check_books, noise, rendered},
    transfer::{Transfer, UNBUFFERED_BYTES},
};
use zeroserve_tui::{
    demo::client::Connection,
    server::{Change, ChangeError, Server},
};

/// How many times a file is replaced at least.
const REPLACEMENTS: u64 = 1000;
/// How long wrk runs.
const WRK_S: u64 = 10;

/// The body of a version: its number, and bytes that no other version has. Sizes differ from one
/// version to the next, and so does the class they are stored in.
fn version(number: u64) -> Vec<u8> {
    let bytes = [700, 9_000, 150_000, 40_000][number as usize % 4] + number as usize;
    let mut body = noise(number, bytes);
    body[..8].copy_from_slice(&number.to_le_bytes());
    body
}

/// Asks for the file until told to stop, and returns how many different versions it has seen.
fn check_versions(mut connection: Connection, over: &AtomicBool) -> Result<u64> {
    let (mut seen, mut newest) = (0, None);
    while !over.load(Ordering::Relaxed) {
        let response = connection.get("/file")?;
        ensure!(response.status == 200, "the status is {}", response.status);
        let (number, _) = response.body.split_first_chunk().context("a body without a number")?;
        let number = u64::from_le_bytes(*number);
        ensure!(number < 1 << 32, "the number is {number:#x}, which no version has");
        ensure!(response.body == version(number), "version {number} is damaged");
        ensure!(Some(number) >= newest, "version {number} came after {newest:?}");
        seen += u64::from(Some(number) > newest);
        newest = Some(number);
    }
    Ok(seen)
}

#[test]
fn a_thousand_replacements_under_load_damage_no_answer() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/file", &version(0))?;
    let mut wrk = lab.command("wrk");
    wrk.args(["-t1", "-c8", &format!("-d{WRK_S}s"), &lab.url("/file")]);
    let mut wrk = wrk.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let over = Arc::new(AtomicBool::new(false));
    let mut checkers = Vec::new();
    for _ in 0..2 {
        let (connection, over) = (lab.connect()?, Arc::clone(&over));
        checkers.push(thread::spawn(move || check_versions(connection, &over)));
    }
    let mut number = 0;
    let mut outcome = Ok(());
    while outcome.is_ok() && (number < REPLACEMENTS || wrk.try_wait()?.is_none()) {
        number += 1;
        outcome = lab.replace("/file", &version(number));
    }
    over.store(true, Ordering::Relaxed);
    let wrk = wrk.wait_with_output()?;
    outcome.with_context(|| format!("replacement {number}"))?;
    for checker in checkers {
        let seen = checker.join().expect("a checker does not panic")?;
        assert!(seen > 10, "a checking client saw only {seen} versions");
    }
    let report = String::from_utf8_lossy(&wrk.stdout);
    ensure!(wrk.status.success(), "wrk failed: {}", String::from_utf8_lossy(&wrk.stderr));
    assert!(report.contains("Requests/sec"), "{report}");
    assert!(!report.contains("Non-2xx"), "{report}");
    assert!(!report.contains("Socket errors"), "{report}");
    assert_eq!(lab.route("/file")?.version, number as u32 + 1);
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn other_routes_come_and_go_during_transfers_without_a_trace_in_them() -> Result<()> {
    let mut lab = Lab::new()?;
    let body = noise(1, 8 << 20);
    lab.publish("/file", &body)?;
    let over = AtomicBool::new(false);
    let mut connection = lab.connect()?;
    let transfers = thread::scope(|scope| {
        let transfers = scope.spawn(|| -> Result<u64> {
            let mut transfers = 0;
            while !over.load(Ordering::Relaxed) {
                ensure!(connection.get("/file")?.body == body, "transfer {transfers} is damaged");
                transfers += 1;
            }
            Ok(transfers)
        });
        let changes = (0..200).try_for_each(|round| -> Result<()> {
            let path = format!("/other/{}", round % 7);
            lab.publish(&path, &noise(round, 20_000))?;
            lab.replace(&path, &noise(round, 200))?;
            lab.remove(&path)
        });
        over.store(true, Ordering::Relaxed);
        changes.and(transfers.join().expect("no panic"))
    });
    // The connection is still open: what the kernel knows about it may tell why it stopped.
    let transfers = transfers.or_else(|error| Err(error).context(lab.evidence()?))?;
    assert!(transfers > 0);
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn a_transfer_ends_with_the_version_it_began_with() -> Result<()> {
    let mut lab = Lab::new()?;
    let old = rendered(&noise(1, UNBUFFERED_BYTES));
    lab.live.apply(Change::Add("/file".parse()?, Arc::clone(&old)))?;
    let transfer = Transfer::begin(lab.connect()?, "/file")?;
    lab.replace("/file", b"new")?;
    assert_eq!(lab.connect()?.get("/file")?.body, b"new");
    transfer.finish(&old)
}

#[test]
fn a_transfer_of_what_is_removed_meanwhile_is_completed() -> Result<()> {
    let mut lab = Lab::new()?;
    let old = rendered(&noise(1, UNBUFFERED_BYTES));
    lab.live.apply(Change::Add("/file".parse()?, Arc::clone(&old)))?;
    let transfer = Transfer::begin(lab.connect()?, "/file")?;
    lab.remove("/file")?;
    assert_eq!(lab.connect()?.get("/file")?.status, 404);
    // The slots of what is retired may be wanted by then.
    for round in 0..50 {
        lab.publish(&format!("/{round}"), &noise(round, 300_000))?;
    }
    transfer.finish(&old)
}

#[test]
fn changes_that_do_not_fit_what_is_there_are_refused_and_change_nothing() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/file", b"old")?;
    let file = || "/file".parse();
    let nothing = || "/nothing".parse();
    let taken = lab.live.apply(Change::Add(file()?, rendered(b"new")));
    assert!(matches!(taken, Err(ChangeError::PathTaken { bytes: 3, .. })), "{taken:?}");
    let missing = lab.live.apply(Change::Replace(nothing()?, rendered(b"new")));
    assert!(matches!(missing, Err(ChangeError::NoSuchRoute(_))), "{missing:?}");
    let missing = lab.live.apply(Change::Remove(nothing()?));
    assert!(matches!(missing, Err(ChangeError::NoSuchRoute(_))), "{missing:?}");
    let mut connection = lab.connect()?;
    assert_eq!(connection.get("/file")?.body, b"old");
    assert_eq!(connection.get("/nothing")?.status, 404);
    Ok(())
}
