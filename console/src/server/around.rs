//! What is around a server and in it, besides its counters and routes: the interface, the kernel's
//! own counters, the flows, how full the maps are.

use std::{
    borrow::Cow,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

/// What the counters of a server cannot tell. Read now and then, not with each sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// When it was read, on the clock of [`Sample::taken`](super::Sample::taken).
    pub taken: Duration,
    /// Kernel id of the XDP program that serves now, where that can be known.
    pub program_id: Option<u32>,
    /// The interface as it is now, where that can be known.
    pub interface: Option<InterfaceState>,
    /// What the interface counts, whoever had the packets.
    pub nic: Vec<KernelCounter>,
    /// What the kernel's own TCP/IP counts in the network namespace of the interface.
    pub stack: Vec<KernelCounter>,
    /// Who listens behind the server, on the same port: a process, or [`SOMEBODY`]; none if nobody
    /// does, or nobody is handed off to.
    pub listener: Option<String>,
    /// Flows there are, dead ones included until they are cleared away.
    pub flows: Option<Usage>,
    /// Version slots in use.
    pub versions: Option<Usage>,
    /// How long the XDP program has run, if the kernel measures that (`kernel.bpf_stats_enabled`).
    pub run_time: Option<RunTime>,
    /// Interfaces for which a server is pinned that no longer runs.
    pub stale: Vec<String>,
    /// Who else has the right to change the server from a console.
    pub pen: Option<Holder>,
    /// Why nobody can be kept from changing the server at the same time, if so.
    pub pen_trouble: Option<String>,
}

/// Somebody at another console, who holds the right to change the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The name of the user.
    pub user: String,
    /// The process, where it is known.
    pub pid: Option<u32>,
    /// The terminal, such as `pts/3`, where it is known.
    pub terminal: Option<String>,
    /// Since when, where it is known.
    pub since: Option<SystemTime>,
}

/// A listener whose process cannot be known.
pub const SOMEBODY: &str = "somebody";

/// An interface, as far as it can disturb a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceState {
    /// The largest packet it carries, in bytes, link-layer header not included.
    pub mtu_bytes: u32,
    /// Where XDP programs run on it: `native`, `generic`, `offloaded` or `several`.
    pub mode: Option<&'static str>,
    /// Kernel id of the XDP program on it; none if there is no single one.
    pub program_id: Option<u32>,
    /// Of a veth pair, whether an XDP program makes the far end take frames; none where the far
    /// end cannot be seen.
    pub peer_takes_frames: Option<bool>,
}

/// A counter of the kernel's, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelCounter {
    /// As the kernel names it, such as `rx_dropped` or `TcpExt.ListenDrops`; behind `driver.` as
    /// the driver names it.
    pub name: Cow<'static, str>,
    /// Its value. It only rises.
    pub value: u64,
    /// Whether it counts what was lost or broken, and so should stand still.
    pub is_loss: bool,
}

/// How full something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// How many there are.
    pub used: u32,
    /// How many there can be.
    pub capacity: u32,
}

impl Usage {
    /// Whether less than a tenth is left.
    pub fn is_nearly_full(self) -> bool {
        u64::from(self.used) * 10 >= u64::from(self.capacity) * 9
    }
}

/// How long a program has run in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTime {
    /// The sum over all runs.
    pub total: Duration,
    /// How often it ran.
    pub runs: u64,
}

/// Some of the flows there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// When they were read, on the clock of [`Sample::taken`](super::Sample::taken).
    pub taken: Duration,
    /// The flows that were read.
    pub flows: Vec<FlowInfo>,
    /// Whether there are more, which were not read.
    pub is_cut: bool,
}

/// A TCP connection that the XDP program owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowInfo {
    /// Address and port of the client.
    pub client: SocketAddr,
    /// Identifiers of the VLANs it came through, outer and inner; zero where there is none.
    pub vlans: [u16; 2],
    /// What it is doing.
    pub state: FlowState,
    /// The index of the route being served, or served last.
    pub route: u32,
    /// Bytes of the response being sent, and how many of them the client has acknowledged.
    pub response_bytes: u32,
    /// See `response_bytes`.
    pub delivered_bytes: u32,
    /// Bytes sent and not yet acknowledged.
    pub in_flight_bytes: u32,
    /// The sequence number up to which the client has everything. It rises by the bytes that are
    /// delivered, and wraps.
    pub delivered_to: u32,
    /// Responses begun, since the connection was opened.
    pub requests: u32,
    /// Segments sent again, since then.
    pub repairs: u32,
    /// Since a packet of it last came.
    pub quiet: Duration,
}

/// What a flow is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowState {
    /// Something was lost, and is being sent again.
    Recovering,
    /// A response is on its way.
    Sending,
    /// Waiting for the next request.
    Idle,
    /// The server behind has the connection.
    HandedOff,
}

impl FlowState {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recovering => "recovering",
            Self::Sending => "sending",
            Self::Idle => "idle",
            Self::HandedOff => "handed",
        }
    }
}
