//! The events between a client and a server, on a virtual clock in microseconds.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    Down, Up,
    client::{Client, Habits},
    link::Link,
    server::Server,
};

/// What happens.
enum Event {
    AtServer(Up),
    AtClient(Down),
}

/// What is simulated.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) up: Link,
    pub(super) down: Link,
    pub(super) habits: Habits,
    /// Bytes of the responses, each to a request of its own.
    pub(super) responses: Vec<usize>,
    /// Whether the server closes after the last.
    pub(super) closes: bool,
    /// Sequence number of the first response's first byte.
    pub(super) first: u32,
    /// Window of the handshake's last segment.
    pub(super) first_window: u32,
    /// How many flows seem to share the server's queue.
    pub(super) crowd: u32,
    /// When it is given up.
    pub(super) limit_us: u64,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Report {
    /// When the last response was complete at the client.
    pub(super) complete_us: u64,
    /// Segments with payload that the server sent.
    pub(super) segments: u32,
    /// Bytes in them.
    pub(super) bytes: u64,
    /// How many of those segments it had sent before.
    pub(super) repairs: u32,
    /// Bytes that reached the client more than once.
    pub(super) bytes_twice: usize,
    /// How often the client's timer ran out.
    pub(super) client_timeouts: u32,
    /// How often the server took everything for lost.
    pub(super) server_timeouts: u32,
    /// Frames for the client that were lost.
    pub(super) lost: u64,
}

impl World {
    /// A clean path and a client with room, which asks for one response.
    pub(super) fn new(seed: u64, round_trip_us: u64, response_bytes: usize) -> Self {
        Self {
            seed,
            up: Link::new(round_trip_us / 2),
            down: Link::new(round_trip_us / 2),
            habits: Habits {
                buffer_bytes: 3 << 20,
                window_shift: 7,
                reads_per_ms: None,
                gathers_us: 0,
                probes: false,
                parts_count: true,
                sack: true,
                round_trip_us,
                refused: Vec::new(),
                tells_of_room: false,
            },
            responses: vec![response_bytes],
            closes: false,
            first: 1,
            first_window: 64240,
            crowd: 0,
            limit_us: 600_000_000,
        }
    }

    /// Sets the loss of both directions.
    pub(super) fn with_loss(mut self, loss: f64) -> Self {
        self.up.loss = loss;
        self.down.loss = loss;
        self
    }

    /// Simulates it until the client has everything and the server knows.
    ///
    /// # Panics
    ///
    /// If a rule is broken, a byte is wrong or the time is up.
    pub(super) fn run(&self) -> Report {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let responses: Vec<Vec<u8>> = self
            .responses
            .iter()
            .map(|bytes| (0..*bytes).map(|_| random.u8(..)).collect())
            .collect();
        let mine = random.u32(..);
        let shift = self.habits.window_shift;
        let window = self.first_window.min(self.habits.buffer_bytes) >> shift << shift;
        let mut client = Client::new(self.habits.clone(), &responses, mine, self.first, window);
        let mut server = Server::new(&responses, self.first, mine, window, shift, self.closes);
        server.crowd = self.crowd;
        let (mut up, mut down) = (self.up.clone(), self.down.clone());
        let mut events = BinaryHeap::new();
        let mut waiting = Vec::new();
        let mut complete_us = None;
        let mut now_us = 0;
        client.request(now_us);
        loop {
            for segment in client.out.drain(..) {
                for at_us in up.carry(now_us, &mut random) {
                    events.push(Reverse((at_us, waiting.len())));
                    waiting.push(Some(Event::AtServer(segment.clone())));
                }
            }
            if client.ends.is_empty() {
                complete_us.get_or_insert(now_us);
            }
            if client.is_content() && (!self.closes || client.closed) {
                break;
            }
            let wakes_at_us = client.wakes_at_us().unwrap_or(u64::MAX);
            let next_us = events.peek().map_or(u64::MAX, |Reverse((at_us, _))| *at_us);
            now_us = wakes_at_us.min(next_us);
            assert!(
                now_us < self.limit_us,
                "seed {}: stuck at {} of {:?} bytes with {:?}",
                self.seed,
                client.received,
                self.responses,
                server.flow
            );
            if wakes_at_us < next_us {
                client.wake(now_us);
                continue;
            }
            let Some(Reverse((_, index))) = events.pop() else { continue };
            match waiting[index].take() {
                Some(Event::AtServer(segment)) => {
                    for segment in server.receive(&segment, now_us) {
                        for at_us in down.carry(now_us, &mut random) {
                            events.push(Reverse((at_us, waiting.len())));
                            waiting.push(Some(Event::AtClient(segment.clone())));
                        }
                    }
                }
                Some(Event::AtClient(segment)) => client.receive(segment, now_us),
                None => {}
            }
        }
        Report {
            complete_us: complete_us.unwrap_or(now_us),
            segments: server.segments,
            bytes: server.bytes,
            repairs: server.repairs,
            bytes_twice: client.bytes_twice,
            client_timeouts: client.timeouts,
            server_timeouts: server.timeouts,
            lost: down.lost,
        }
    }
}
