//! What is to be done to a server, and how the program is told.

use std::net::Ipv4Addr;

use anyhow::{Result, anyhow, ensure};
use zeroserve_shared::load::{CHOICES_COUNT, Settings, TUPLE_BITS, choice, front};

use super::target::Request;
use crate::net::veth::SERVER_ADDRESS;

/// The first address of the clients. They are all on the client's end, but nobody has them.
pub(super) const CLIENTS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 128);

/// What is to be done to the server.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it listens.
    pub port: u16,
    /// What is asked for.
    pub requests: Vec<Request>,
    /// In what order: indices of `requests`. They are repeated over and over.
    pub choices: Vec<u32>,
    /// How many connections ask at the same time.
    pub connections: u32,
    /// How many requests are sent in a second; none for as many as are answered. Connections take
    /// turns; a request whose connection is busy is not sent, but counted.
    pub rate: Option<u32>,
    /// How many further connections only ever send SYNs, the next as soon as one is answered.
    pub flood: u32,
    /// How many further connections ask once and then stay idle.
    pub idle: u32,
    /// Whether each request has a connection of its own.
    pub closes: bool,
    /// One response in so many is checked to its last byte, at random.
    pub checked_every: u32,
    /// The time of one request in so many is taken, at random. To read the clock takes as long as a
    /// fourth of all that the client does. That of a new connection is always taken.
    pub timed_every: u32,
    /// The CPU that the client runs on.
    pub client_cpu: usize,
    /// The CPU that the server runs on.
    pub server_cpu: usize,
}

/// The plan's choices, as often as the map has room for, with marks.
pub(super) fn choices(plan: &Plan, targets: usize) -> Result<Vec<u32>> {
    ensure!(
        !plan.choices.is_empty() && plan.choices.iter().all(|one| (*one as usize) < targets),
        "every choice is one of the requests"
    );
    let mut random = vec![0; CHOICES_COUNT as usize * 8];
    getrandom::fill(&mut random).map_err(|error| anyhow!("no random numbers: {error}"))?;
    let marks = random.chunks_exact(8).map(|bytes| {
        let number = |at: usize| u32::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let is_timed = number(0).is_multiple_of(plan.timed_every.max(1));
        let is_checked = number(4).is_multiple_of(plan.checked_every.max(1));
        [(is_timed, choice::IS_TIMED), (is_checked, choice::IS_CHECKED)]
            .into_iter()
            .fold(0, |marks, (is_set, mark)| if is_set { marks | mark } else { marks })
    });
    Ok(plan.choices.iter().cycle().zip(marks).map(|(one, marks)| one | marks).collect())
}

/// What the program has to know, with the hardware addresses of server and client.
pub(super) fn settings(plan: &Plan, link: [[u8; 6]; 2], slots: u32) -> Result<Settings> {
    let random = getrandom::u32().map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(Settings {
        front: front(link),
        server: SERVER_ADDRESS.octets(),
        client: CLIENTS.octets(),
        slot_mask: slots - 1,
        first_tuple: random & ((1 << TUPLE_BITS) - 1) & !(slots - 1),
        port: plan.port,
        mss: 1460,
        window: u16::MAX,
        window_shift: 0,
        closes: u8::from(plan.closes),
    })
}
