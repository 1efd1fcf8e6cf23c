//! A bad wire, with the kernel's own TCP as the client: everything arrives, and arrives whole.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use zeroserve_tests::{
    Wire,
    fetch::fetch,
    lab::{check_books, noise, rendered},
    wire::{Counts, Impairment},
};
use zeroserve_tui::{
    demo::client::Connection,
    kernel::AttachOptions,
    server::{Change, Server},
};

/// Sizes of files: one segment, a burst, many round trips.
const SIZES: [usize; 3] = [200, 10_000, 900_000];

/// How many transfers there are in each test, all sizes together.
const TRANSFERS: usize = 48;

/// How many of them go on at a time.
const PARALLEL: usize = 12;

/// Fetches every file several times over a wire that is equally bad both ways. Returns what
/// became of the frames to the server and to the client.
fn transfers(seed: u64, impairment: Impairment) -> Result<[Counts; 2]> {
    let wire = Wire::create(true)?;
    let mut live = wire.attach()?;
    let bodies = SIZES.map(|bytes| noise(bytes as u64, bytes));
    for body in &bodies {
        let path = format!("/{}", body.len()).parse()?;
        live.apply(Change::Add(path, rendered(body)))?;
    }
    let relay = wire.join(seed, impairment, impairment)?;
    let address = wire.server_at(AttachOptions::DEFAULT_PORT);
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let client = || {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= TRANSFERS {
                return;
            }
            let body = &bodies[turn % bodies.len()];
            let path = format!("/{}", body.len());
            if let Err(error) = wire.client.run(|| fetch(address, &path, body)).flatten() {
                let failure = format!("{path}: {error:#}");
                failures.lock().expect("nobody panics with the lock held").push(failure);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(client);
        }
    });
    let failures = failures.into_inner()?;
    assert!(failures.is_empty(), "of {TRANSFERS} transfers failed:\n{}", failures.join("\n"));
    let counts = relay.stop().context("the wire broke")?;
    let totals = live.sample()?.totals();
    // Connections are made once each, and whatever the wire repeats makes no further request.
    assert_eq!(totals.requests, TRANSFERS as u64);
    check_books(&totals);
    Ok(counts)
}

#[test]
fn transfers_complete_where_1_percent_is_lost() -> Result<()> {
    let counts = transfers(1, Impairment { lost: 0.01, ..Impairment::default() })?;
    assert!(counts.iter().all(|way| way.lost > 0), "{counts:?}");
    Ok(())
}

#[test]
fn transfers_complete_where_5_percent_is_lost() -> Result<()> {
    let counts = transfers(2, Impairment { lost: 0.05, ..Impairment::default() })?;
    assert!(counts.iter().all(|way| way.lost > 0), "{counts:?}");
    Ok(())
}

#[test]
fn transfers_complete_where_5_percent_is_lost_on_a_long_way() -> Result<()> {
    let delay = Duration::from_millis(10);
    let counts = transfers(3, Impairment { lost: 0.05, delay, ..Impairment::default() })?;
    assert!(counts.iter().all(|way| way.lost > 0), "{counts:?}");
    Ok(())
}

#[test]
fn a_connection_knows_its_requests_and_the_segments_sent_again_in_it() -> Result<()> {
    let wire = Wire::create(true)?;
    let mut live = wire.attach()?;
    let body = noise(9, 300_000);
    live.apply(Change::Add("/a".parse()?, rendered(&body)))?;
    let impairment = Impairment { lost: 0.02, ..Impairment::default() };
    let relay = wire.join(7, impairment, impairment)?;
    let address = wire.server_at(AttachOptions::DEFAULT_PORT);
    let mut connection = wire.client.run(|| Connection::open(address))??;
    for _ in 0..10 {
        assert!(connection.get("/a")?.body == body, "the body is damaged");
    }
    relay.stop().context("the wire broke")?;
    let flows = live.flows(10)?.flows;
    let totals = live.sample()?.totals();
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].requests, 10);
    assert!(totals.segments_repaired > 0, "nothing was lost");
    assert_eq!(u64::from(flows[0].repairs), totals.segments_repaired);
    Ok(())
}

#[test]
fn transfers_complete_where_frames_overtake_each_other() -> Result<()> {
    let (delay, hold) = (Duration::from_millis(1), Duration::from_millis(2));
    let counts = transfers(4, Impairment { held_back: 0.2, hold, delay, ..Impairment::default() })?;
    assert!(counts.iter().all(|way| way.held_back > 0), "{counts:?}");
    Ok(())
}

#[test]
fn transfers_complete_where_frames_come_twice() -> Result<()> {
    let counts = transfers(5, Impairment { duplicated: 0.2, ..Impairment::default() })?;
    assert!(counts.iter().all(|way| way.duplicated > 0), "{counts:?}");
    Ok(())
}

#[test]
fn transfers_complete_where_everything_happens_at_once() -> Result<()> {
    let counts = transfers(
        6,
        Impairment {
            lost: 0.03,
            duplicated: 0.05,
            held_back: 0.1,
            hold: Duration::from_millis(4),
            delay: Duration::from_millis(3),
        },
    )?;
    for way in counts {
        assert!(way.lost > 0 && way.duplicated > 0 && way.held_back > 0, "{counts:?}");
    }
    Ok(())
}
