//! A running load: begins, is measured, ends.

use std::{
    net::SocketAddr,
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use zeroserve_shared::load::{ADDRESS_BITS, Connection, Fault, MAX_SLOTS, Tally, order, state};

use super::{
    arrivals::Arrivals,
    awake::Awake,
    latency::Latency,
    orders::Orders,
    plan::{self, Plan},
    priority::First,
    target,
    threads::{self, Thread},
};
use crate::{
    kernel::{Generator, PassThrough},
    net::{PrivateNetwork, neighbours, veth::SERVER_ADDRESS},
};

/// How often connections are looked after.
const TICK: Duration = Duration::from_millis(50);
/// How often it is looked whether requests are due where their rate is given.
const PACE: Duration = Duration::from_micros(10);
/// How many connections are looked after at a time. All at once would take as long as many requests.
const SLICE: u32 = 16;
/// How long nothing happens before something is sent again, at first: as Linux has it. Each time it
/// doubles.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the program has for a few orders: many times what it needs.
const BREATH: Duration = Duration::from_micros(200);
/// How many orders are sent before the program has had time for them: a quarter of what a veth
/// pair queues.
const ORDERS_AT_ONCE: usize = 64;
/// How many connections are opened before others are.
const OPENED_AT_ONCE: usize = 64;
/// How long a load may take to open all its connections.
const OPENING: Duration = Duration::from_secs(120);

/// What happened while it was watched.
#[derive(Clone, Debug)]
pub struct Measured {
    /// For how long that was.
    pub duration: Duration,
    /// What was counted.
    pub tally: Tally,
    /// From request to complete response; from SYN on where each has a connection of its own.
    pub latency: Latency,
    /// CPU time of the server's side: of the thread that processes its packets, and of the threads
    /// that were named.
    pub server: Duration,
    /// CPU time of the thread that processes the client's packets.
    pub client: Duration,
    /// Whether the CPUs were kept from sleeping meanwhile.
    pub awake: bool,
}

impl Measured {
    /// Requests answered in a second.
    pub fn requests_per_s(&self) -> f64 {
        self.tally.responses as f64 / self.duration.as_secs_f64()
    }

    /// CPU time of the server's side for each request, in nanoseconds.
    pub fn server_ns_per_request(&self) -> f64 {
        self.server.as_nanos() as f64 / self.tally.responses.max(1) as f64
    }

    /// CPU time of the client's packets for each request, in nanoseconds.
    pub fn client_ns_per_request(&self) -> f64 {
        self.client.as_nanos() as f64 / self.tally.responses.max(1) as f64
    }

    /// What went wrong, if anything: how often, and what.
    pub fn faults(&self) -> Vec<(u64, &'static str)> {
        let counted = Fault::ALL.iter().zip(self.tally.faults);
        counted.filter(|(_, count)| *count > 0).map(|((_, what), count)| (count, *what)).collect()
    }
}

/// A running load. Ends, resetting its connections, when dropped.
pub struct Driver {
    generator: Generator,
    orders: Orders,
    connections: u32,
    flood: u32,
    idle: u32,
    rate: Option<u32>,
    closes: bool,
    /// The connection that asks next, where they are told when.
    next: u32,
    watched: Vec<Watched>,
    server: Vec<Thread>,
    client: Thread,
}

/// A connection as it was when it was looked at last.
#[derive(Clone, Copy, Default)]
struct Watched {
    progress: (u32, u32, u32),
    /// Since when nothing has happened.
    since: Option<Instant>,
    /// For how long that may be before something is sent again.
    patience: Duration,
}

impl Driver {
    /// Learns what the server answers, attaches the program to the client's end and opens the
    /// connections. `threads` are those of the server whose CPU time counts, beside the one that
    /// processes its packets.
    ///
    /// # Errors
    ///
    /// Where the server does not answer as expected, or the kernel refuses.
    pub fn start(network: &mut PrivateNetwork, plan: &Plan, threads: &[Thread]) -> Result<Self> {
        ensure!(plan.connections > 0, "there is nothing to do without connections");
        let all = plan.connections + plan.flood + plan.idle;
        let slots = all.next_power_of_two();
        ensure!(slots <= MAX_SLOTS, "there can be {MAX_SLOTS} connections");
        let address = SocketAddr::new(SERVER_ADDRESS.into(), plan.port);
        let (requests, closes) = (&plan.requests, plan.closes);
        let if_index = network.veth.client_index;
        if network.veth.pass_through.is_none() {
            // An earlier load had its program there.
            let program = network.client.run(|| PassThrough::attach(if_index))??;
            network.veth.pass_through = Some(program);
        }
        let targets = network.client.run(|| target::learn(address, requests, closes))??;
        let choices = plan::choices(plan, targets.len())?;
        let link = neighbours::introduce(network, plan::CLIENTS, 32 - ADDRESS_BITS as u8)?;
        let settings = plan::settings(plan, link, slots)?;
        network.veth.pass_through = None;
        let generator =
            network.client.run(|| Generator::attach(if_index, settings, &targets, &choices))??;
        let client = threads::thread_of(&network.client, &network.veth.client)?;
        client.pin(plan.client_cpu)?;
        let packets = threads::thread_of(&network.server, &network.veth.server)?;
        packets.pin(plan.server_cpu)?;
        let mut server = threads.to_vec();
        server.push(packets);
        let if_index = network.veth.server_index;
        let orders = network.server.run(|| Orders::open(if_index, [link[1], link[0]]))??;
        let watched = vec![Watched::default(); all as usize];
        let Plan { connections, flood, idle, rate, closes, .. } = *plan;
        let next = 0;
        let mut driver = Self {
            generator,
            orders,
            connections,
            flood,
            idle,
            rate,
            closes,
            next,
            watched,
            server,
            client,
        };
        driver.open()?;
        Ok(driver)
    }

    /// Opens all connections, the idle ones first.
    fn open(&mut self) -> Result<()> {
        let began = Instant::now();
        let active = self.connections + self.flood;
        // A few at a time: what a server has not accepted yet it keeps in a queue, and drops what
        // that has no room for.
        let windows = |slots: Range<u32>| {
            let end = slots.end;
            slots
                .step_by(OPENED_AT_ONCE)
                .map(move |slot| slot..end.min(slot + OPENED_AT_ONCE as u32))
        };
        for slots in windows(active..active + self.idle).chain(windows(0..active)) {
            while self.look_after(slots.clone())? > 0 {
                let tally = self.generator.tally()?;
                if tally.faults.iter().any(|count| *count > 0) || began.elapsed() > OPENING {
                    bail!("not all connections could be opened: {tally:?}");
                }
                // Orders need no answer, so nothing tells when they have been obeyed.
                thread::sleep(BREATH);
            }
        }
        Ok(())
    }

    /// Lets it run for a while and says what happened.
    ///
    /// # Errors
    ///
    /// Where the counters cannot be read.
    pub fn measure(&mut self, duration: Duration) -> Result<Measured> {
        let (tally, latency) = (self.generator.tally()?, self.generator.latency()?);
        let (server, client) = (self.server_time()?, self.client.run_time()?);
        let awake = Awake::new().context("cannot keep the CPUs from sleeping")?;
        let _first = self
            .rate
            .is_some()
            .then(|| First::new(self.server.iter().chain([&self.client])))
            .transpose()?;
        let began = Instant::now();
        match self.rate {
            Some(rate) => self.run_at(rate, duration, &tally)?,
            None => self.run(duration)?,
        }
        let duration = began.elapsed();
        let (server, client) = (self.server_time()? - server, self.client.run_time()? - client);
        let tally = difference(&self.generator.tally()?, &tally);
        let latency = Latency::since(&latency, &self.generator.latency()?);
        Ok(Measured { duration, tally, latency, server, client, awake: awake.is_some() })
    }

    /// Looks after the connections, each of which asks again as soon as it has its answer.
    fn run(&mut self, duration: Duration) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < duration {
            self.look_after(0..self.connections + self.flood)?;
            thread::sleep(TICK.min(duration.saturating_sub(began.elapsed())));
        }
        Ok(())
    }

    /// Has connections ask, so many times in a second, and looks after them meanwhile.
    fn run_at(&mut self, rate: u32, duration: Duration, before: &Tally) -> Result<()> {
        let obeyed = |tally: &Tally| tally.requests + tally.misses;
        let obeyed_before = obeyed(before);
        let all = self.connections + self.flood;
        let slices = all.div_ceil(SLICE);
        let mut arrivals = Arrivals::new(rate);
        let (mut asked, mut looked) = (0, 0);
        let began = Instant::now();
        while began.elapsed() < duration {
            let elapsed = began.elapsed();
            if elapsed > TICK * looked / slices {
                let first = looked % slices * SLICE;
                self.look_after(first..all.min(first + SLICE))?;
                looked += 1;
            }
            // More than a few that wait would fill the queue that responses come through.
            let obeyed = obeyed(&self.generator.tally()?) - obeyed_before;
            let most = (obeyed + ORDERS_AT_ONCE as u64).saturating_sub(asked);
            let due = arrivals.due(began.elapsed(), most);
            for _ in 0..due {
                self.orders.send(order::ASK, self.next)?;
                self.next = (self.next + 1) % self.connections;
            }
            asked += due;
            thread::sleep(PACE);
        }
        Ok(())
    }

    fn server_time(&self) -> Result<Duration> {
        self.server.iter().map(|thread| thread.run_time()).sum()
    }

    /// Opens connections that are closed, and has repeated what was not answered. Returns how many
    /// were not open yet.
    fn look_after(&mut self, slots: Range<u32>) -> Result<usize> {
        let connections = self.generator.connections(slots.clone())?;
        let (mut missing, mut sent) = (0, 0);
        for (slot, connection) in slots.zip(&connections) {
            let is_flood = (self.connections..self.connections + self.flood).contains(&slot);
            let is_idle = slot >= self.connections + self.flood;
            // Of these some are being opened at any time.
            let reopens = self.closes || is_flood;
            missing += usize::from(match connection.state {
                state::CLOSED => true,
                state::OPENING => !reopens,
                state::IDLE => false,
                _ => is_idle,
            });
            let what = if connection.state == state::CLOSED {
                self.opening(slot)
            } else if self.watched[slot as usize].is_overdue(connection) {
                order::REPEAT
            } else {
                continue;
            };
            self.orders.send(what, slot)?;
            sent += 1;
            if sent % ORDERS_AT_ONCE == 0 {
                thread::sleep(BREATH);
            }
        }
        Ok(missing)
    }

    /// The order that opens a connection.
    fn opening(&self, slot: u32) -> u32 {
        if slot >= self.connections + self.flood {
            order::OPEN_ORDERED
        } else if slot >= self.connections {
            order::OPEN_FLOOD
        } else if self.rate.is_some() {
            order::OPEN_ORDERED
        } else {
            order::OPEN_STEADY
        }
    }

    /// Resets all connections, so that the server has not to keep them. Twice, because nobody
    /// acknowledges a reset.
    fn close(&mut self) -> Result<()> {
        for _ in 0..2 {
            for slot in 0..self.watched.len() as u32 {
                self.orders.send(order::RESET, slot)?;
                if slot as usize % ORDERS_AT_ONCE == ORDERS_AT_ONCE - 1 {
                    thread::sleep(BREATH);
                }
            }
            thread::sleep(TICK);
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            eprintln!("zeroserve-tui: cannot end the load properly: {error:#}");
        }
    }
}

impl Watched {
    /// Whether nothing has happened for too long.
    fn is_overdue(&mut self, connection: &Connection) -> bool {
        let progress = (connection.tuple, connection.send_next, connection.receive_next);
        let now = Instant::now();
        let since = self.since.unwrap_or(now);
        if progress != self.progress || connection.state == state::IDLE || self.since.is_none() {
            *self = Self { progress, since: Some(now), patience: PATIENCE };
            return false;
        }
        if now - since < self.patience {
            return false;
        }
        self.patience *= 2;
        true
    }
}

fn difference(later: &Tally, earlier: &Tally) -> Tally {
    let mut words: [u64; size_of::<Tally>() / 8] = zerocopy::transmute!(*later);
    let before: [u64; size_of::<Tally>() / 8] = zerocopy::transmute!(*earlier);
    for (word, before) in words.iter_mut().zip(before) {
        *word -= before;
    }
    zerocopy::transmute!(words)
}
