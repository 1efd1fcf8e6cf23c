//! Clients that ask for everything that was published and check every answer.
//!
//! Each connection is a thread with a blocking socket: on a veth pair the answer is there before
//! `write` returns, so a thread hardly ever waits and needs no event loop.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use super::client::Connection;
use crate::{
    content::{Rendered, RoutePath, redirect::percent_encode},
    net::Namespace,
};

/// A client that has failed so often gives up.
const MAX_ERRORS: u64 = 20;

/// Latencies are told apart up to here; what takes longer is counted as this.
const LONGEST_NS: u64 = 60_000_000_000;

/// How many times in one round files of a size are asked for: `(up to so many bytes, times)`.
const WEIGHTS: [(u32, usize); 4] = [(4 << 10, 32), (64 << 10, 8), (1 << 20, 2), (u32::MAX, 1)];

/// A path and what must come back.
#[derive(Clone)]
pub struct Target {
    /// The request target, percent-encoded.
    pub path: String,
    /// What was published there.
    pub published: Arc<Rendered>,
}

impl Target {
    /// The target for a route.
    pub fn new(path: &RoutePath, published: Arc<Rendered>) -> Self {
        Self { path: percent_encode(path.path()), published }
    }
}

/// What the clients saw.
pub struct Outcome {
    /// Answers that were right in every byte.
    pub requests: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Answers that were wrong or did not come.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// From sending a request to the last byte of its answer, in nanoseconds.
    pub latency_ns: Histogram<u64>,
    /// From the start to the end of the load.
    pub duration: Duration,
}

impl Outcome {
    fn new() -> Self {
        Self {
            requests: 0,
            body_bytes: 0,
            errors: 0,
            first_error: None,
            latency_ns: Histogram::new_with_max(LONGEST_NS, 3).expect("a sound range"),
            duration: Duration::ZERO,
        }
    }

    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.body_bytes += other.body_bytes;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.latency_ns += other.latency_ns;
    }
}

/// Running clients. They stop when this is dropped.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Result<Outcome>>>,
    started: Instant,
}

impl Load {
    /// Starts so many clients in a network namespace.
    ///
    /// # Errors
    ///
    /// Where a thread cannot be started.
    pub fn start(
        namespace: &Namespace,
        server: SocketAddr,
        targets: &[Target],
        connections: usize,
    ) -> Result<Self> {
        let round: Arc<[Target]> = round(targets).into();
        let mut load = Self {
            stop: Arc::new(AtomicBool::new(false)),
            clients: Vec::with_capacity(connections),
            started: Instant::now(),
        };
        for number in 0..connections {
            let (stop, round) = (load.stop.clone(), round.clone());
            // Clients begin at different places, or they would all fetch the same file at once.
            let first = number * round.len() / connections;
            load.clients.push(namespace.spawn(&format!("client {number}"), move || {
                ask(server, round.iter().cycle().skip(first), &stop)
            })?);
        }
        Ok(load)
    }

    /// Waits until each client has the answer it is waiting for, and adds up what they saw.
    ///
    /// # Errors
    ///
    /// Where a client could not enter its namespace.
    pub fn stop(mut self) -> Result<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        let mut outcome = Outcome::new();
        for client in self.clients.drain(..) {
            let seen = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            outcome.add(seen.context("a client did not start")?);
        }
        outcome.duration = self.started.elapsed();
        Ok(outcome)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The order of one round: small files often, large ones seldom, evenly mixed.
fn round(targets: &[Target]) -> Vec<Target> {
    let most = WEIGHTS[0].1;
    let mut round = Vec::new();
    for pass in 0..most {
        for (number, target) in targets.iter().enumerate() {
            let bytes = target.published.body_bytes();
            let times =
                WEIGHTS.iter().find(|(limit, _)| bytes <= *limit).map_or(1, |found| found.1);
            // Files of one size take turns over the passes.
            if (pass + number) % (most / times) == 0 {
                round.push(target.clone());
            }
        }
    }
    round
}

/// Asks for one target after the other until told to stop.
fn ask<'a>(
    server: SocketAddr,
    mut targets: impl Iterator<Item = &'a Target>,
    stop: &AtomicBool,
) -> Outcome {
    let mut outcome = Outcome::new();
    let mut open = None;
    while !stop.load(Ordering::Relaxed) && outcome.errors < MAX_ERRORS {
        let Some(target) = targets.next() else { break };
        match fetch(&mut open, server, target) {
            Ok(latency) => {
                outcome.requests += 1;
                outcome.body_bytes += u64::from(target.published.body_bytes());
                let latency_ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                outcome.latency_ns.saturating_record(latency_ns);
            }
            Err(error) => {
                open = None;
                outcome.errors += 1;
                outcome.first_error.get_or_insert_with(|| format!("GET {}: {error}", target.path));
            }
        }
    }
    outcome
}

/// Fetches one target and checks it. Opens a connection where there is none.
fn fetch(
    open: &mut Option<Connection>,
    server: SocketAddr,
    target: &Target,
) -> io::Result<Duration> {
    let connection = match open {
        Some(connection) => connection,
        None => open.insert(Connection::open(server)?),
    };
    let sent = Instant::now();
    let response = connection.get(&target.path)?;
    let latency = sent.elapsed();
    let published = &target.published;
    let wrong = |what: String| Err(io::Error::other(what));
    if response.status != published.status {
        return wrong(format!("the status is {}, not {}", response.status, published.status));
    }
    let body = published.body();
    if response.body.len() != body.len() {
        return wrong(format!("the body has {} bytes, not {}", response.body.len(), body.len()));
    }
    if response.body != body {
        let at = response.body.iter().zip(body).position(|(came, due)| came != due);
        return wrong(format!("byte {} of the body is not what was published", at.unwrap_or(0)));
    }
    if response.closes {
        *open = None;
    }
    Ok(latency)
}

#[cfg(test)]
mod tests {
    use zeroserve_shared::route::{FORMS, Form};

    use super::*;

    fn target(path: &str, body_bytes: usize) -> Target {
        let published = Rendered {
            bytes: vec![0; body_bytes],
            head_bytes: 0,
            forms: [Form { bytes: body_bytes as u32, ..Form::default() }; FORMS],
            status: 200,
            ..Rendered::default()
        };
        Target { path: path.into(), published: Arc::new(published) }
    }

    #[test]
    fn a_round_asks_for_every_file_and_for_small_ones_more_often() {
        let targets =
            [target("/s", 10), target("/m", 9000), target("/l", 900_000), target("/x", 9 << 20)];
        let round = round(&targets);
        let times = |path| round.iter().filter(|target| target.path == path).count();
        assert_eq!([times("/s"), times("/m"), times("/l"), times("/x")], [32, 8, 2, 1]);
    }

    #[test]
    fn latencies_of_several_clients_are_put_together() {
        let mut sum = Outcome::new();
        for latency_ns in [20_000, 30_000, 90_000_000_000] {
            let mut one = Outcome::new();
            one.latency_ns.saturating_record(latency_ns);
            sum.add(one);
        }
        let at = |quantile| sum.latency_ns.value_at_quantile(quantile) / 1_000;
        assert_eq!((at(0.3), at(0.6), sum.latency_ns.len()), (20, 30, 3));
        assert!(sum.latency_ns.max() >= LONGEST_NS);
    }
}
