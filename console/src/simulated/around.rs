//! What is around a simulated server, and the flows it has: made up, and the same on every run.

use std::{net::SocketAddr, time::Duration};

use zeroserve_shared::{
    counters::Counters,
    reason::{Reason, Verdict},
};

use crate::server::{
    FlowInfo, FlowState, Flows, InterfaceState, KernelCounter, RouteInfo, RunTime, Surroundings,
    Usage,
};

/// Nanoseconds that the program takes for a packet.
const NS_PER_PACKET: u64 = 312;

/// Clients that have flows.
const CLIENTS: u64 = 40;

/// Flows of all of them.
const FLOWS: u64 = 600;

/// Surroundings in which nothing is wrong.
pub(super) fn calm() -> Surroundings {
    Surroundings {
        program_id: Some(42),
        interface: Some(InterfaceState {
            mtu_bytes: 1500,
            mode: Some("native"),
            program_id: Some(42),
            peer_takes_frames: Some(true),
        }),
        flows: Some(Usage { used: FLOWS as u32, capacity: 65_536 }),
        versions: Some(Usage { used: 31, capacity: 32_768 }),
        run_time: Some(RunTime { total: Duration::ZERO, runs: 0 }),
        ..Surroundings::default()
    }
}

/// The surroundings after so much traffic.
pub(super) fn now(around: &Surroundings, taken: Duration, totals: &Counters) -> Surroundings {
    let counter =
        |name: &'static str, value, is_loss| KernelCounter { name: name.into(), value, is_loss };
    let plain = |name, value| counter(name, value, false);
    let loss = |name, value| counter(name, value, true);
    let passed = totals.verdicts[Verdict::Pass as usize];
    let runs = totals.packets_in;
    let mut now = around.clone();
    now.taken = taken;
    now.run_time = around
        .run_time
        .map(|_| RunTime { total: Duration::from_nanos(runs * NS_PER_PACKET), runs });
    now.nic = vec![
        plain("rx_packets", totals.packets_in),
        plain("tx_packets", totals.packets_out),
        loss("rx_dropped", totals.packets_in / 200_000),
        loss("tx_dropped", 0),
        loss("rx_missed_errors", 0),
        plain("driver.rx_queue_*_xdp_packets", totals.packets_in),
        loss("driver.rx_queue_*_drops", totals.packets_in / 400_000),
    ];
    now.stack = vec![
        plain("Tcp.InSegs", totals.reasons[Reason::OtherPort as usize]),
        loss("Tcp.RetransSegs", passed / 900),
        loss("TcpExt.ListenDrops", 0),
    ];
    now
}

/// Some hundred flows, of which the first client has most.
pub(super) fn flows(
    routes: &[&RouteInfo],
    sample: u64,
    taken: Duration,
    silent: bool,
    limit: usize,
) -> Flows {
    let served: Vec<_> = routes.iter().filter(|route| route.source.is_some()).collect();
    let all = (0..FLOWS).map(|number| {
        let client = if number % 3 == 0 { 0 } else { number * 7 % CLIENTS };
        let route = served[number as usize % served.len()];
        let state = match (number + sample) % 50 {
            _ if silent => FlowState::Idle,
            0 => FlowState::Recovering,
            1..12 => FlowState::Sending,
            _ => FlowState::Idle,
        };
        let response_bytes = if state == FlowState::Idle { 0 } else { route.response_bytes };
        let delivered_bytes = response_bytes / 2;
        FlowInfo {
            client: SocketAddr::from(([198, 18, 0, 10 + client as u8], 40_000 + number as u16)),
            vlans: if client == 3 { [0, 7] } else { [0, 0] },
            state,
            route: route.index,
            response_bytes,
            delivered_bytes,
            in_flight_bytes: (response_bytes - delivered_bytes).min(92_672),
            // Beyond four gigabytes it wraps.
            delivered_to: (sample * requests_per_sample(number) * 1_500) as u32,
            requests: (sample * requests_per_sample(number)) as u32,
            repairs: (sample * u64::from(number % 11 == 0)) as u32,
            quiet: Duration::from_millis(number * 37 % 20_000),
        }
    });
    Flows { taken, flows: all.take(limit).collect(), is_cut: limit < FLOWS as usize }
}

/// How many requests come in a flow from one sample to the next.
fn requests_per_sample(flow: u64) -> u64 {
    1 + flow % 5
}

/// A response with the head that goes with it and a body of so many bytes.
pub(super) fn response(info: &RouteInfo) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {} OK\r\nDate: {}\r\nServer: zeroserve\r\nContent-Type: {}\r\nContent-Length: \
         {}\r\n",
        info.status,
        "\0".repeat(29),
        info.content_type,
        info.body_bytes
    )
    .into_bytes();
    let head_bytes = (info.response_bytes - info.body_bytes) as usize;
    // A field that makes the head as long as it is said to be.
    let rest = head_bytes - bytes.len() - "X-Padding: \r\n\r\n".len();
    bytes.extend(format!("X-Padding: {}\r\n\r\n", "0".repeat(rest)).bytes());
    bytes.resize(info.response_bytes as usize, b'z');
    bytes
}
