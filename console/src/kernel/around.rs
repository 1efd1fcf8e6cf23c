//! What is around the server: the interface, the kernel's own counters, how full the maps are, and
//! the flows there are.

use std::{borrow::Cow, fs, io, net::IpAddr, net::Ipv6Addr, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use zeroserve_shared::{
    config::OnMiss,
    flow::{Flow, FlowKey, HANDED, RECOVERING},
    map::LINK,
};

use super::{
    clock,
    live::Live,
    pen::Pen,
    pins,
    sys::{Link, Program},
};
use crate::{
    net::{
        driver, listeners,
        watch::{self, Watched},
    },
    server::{
        FlowInfo, FlowState, Flows, InterfaceState, KernelCounter, SOMEBODY, Surroundings, Usage,
    },
};

/// The counters of the kernel's TCP/IP that are shown: the table in `/proc`, the name there, the
/// name here, and whether it counts losses.
const STACK: [(&str, &str, &str, bool); 9] = [
    ("Ip:", "InDiscards", "Ip.InDiscards", true),
    ("Ip:", "InHdrErrors", "Ip.InHdrErrors", true),
    ("Tcp:", "InSegs", "Tcp.InSegs", false),
    ("Tcp:", "InErrs", "Tcp.InErrs", true),
    ("Tcp:", "OutRsts", "Tcp.OutRsts", false),
    ("Tcp:", "RetransSegs", "Tcp.RetransSegs", true),
    ("TcpExt:", "ListenDrops", "TcpExt.ListenDrops", true),
    ("TcpExt:", "ListenOverflows", "TcpExt.ListenOverflows", true),
    ("TcpExt:", "TCPBacklogDrop", "TcpExt.TCPBacklogDrop", true),
];

/// Counters of the driver that are shown at most: those that have counted anything.
const DRIVER_COUNTERS: usize = 200;

impl Live {
    /// Looks around. What cannot be known is left out: a counter less is no reason to fail.
    pub(super) fn look_around(&mut self) -> anyhow::Result<Surroundings> {
        let state = self.link.state()?;
        // The interface may lie in another network namespace than this process.
        let watched = watch::look(self.identity.if_index).unwrap_or_default();
        let watched = watched.filter(|watched| watched.interface.name == self.identity.interface);
        let program = self.program.take().filter(|(id, _)| *id == state.program_id);
        let program =
            program.or_else(|| Some((state.program_id, Program::open(state.program_id).ok()?)));
        let run_time = program.as_ref().filter(|_| self.is_measured());
        let run_time = run_time.and_then(|(_, program)| program.run_time().ok().flatten());
        self.program = program;
        let flow_capacity = self.identity.flow_capacity;
        let waiting = self.ledger.as_ref().map_or(0, |ledger| ledger.retired.len());
        let pen = self.pen.as_mut().and_then(Pen::take);
        let pen_trouble = self.pen.as_ref().and_then(Pen::trouble);
        Ok(Surroundings {
            taken: clock::monotonic(),
            program_id: Some(state.program_id),
            interface: watched.as_ref().map(interface_state),
            nic: watched.as_ref().map(nic_counters).unwrap_or_default(),
            stack: watched.as_ref().map(|_| stack_counters()).unwrap_or_default(),
            listener: watched.is_some().then(|| self.listener()).flatten(),
            flows: Some(Usage { used: self.maps.flows.used() as u32, capacity: flow_capacity }),
            versions: Some(Usage {
                used: (self.view.served() + waiting) as u32,
                capacity: self.maps.version_table.capacity()?,
            }),
            run_time,
            stale: stale(&self.identity.interface).unwrap_or_default(),
            pen,
            pen_trouble,
        })
    }

    /// Has the kernel measure how long programs run, as long as this exists, or no longer.
    pub(super) fn measure_run_time(&mut self, wanted: bool) -> anyhow::Result<()> {
        self.measuring = match wanted {
            true => Some(aya::sys::enable_stats(aya::sys::Stats::RunTime).context(
                "the kernel does not measure programs; that takes Linux 5.8 and CAP_SYS_ADMIN",
            )?),
            false => None,
        };
        Ok(())
    }

    /// Whether the kernel measures now: what it has measured before says nothing of today.
    fn is_measured(&self) -> bool {
        let always = || fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled");
        self.measuring.is_some() || always().is_ok_and(|value| value.trim() == "1")
    }

    /// Who listens behind the server, if that matters.
    fn listener(&mut self) -> Option<String> {
        if self.identity.on_miss != OnMiss::HandOff {
            return None;
        }
        let addresses: Vec<IpAddr> =
            self.identity.addresses.iter().filter_map(|text| text.parse().ok()).collect();
        let socket = listeners::socket(self.identity.port, &addresses).ok()??;
        // To find the process all of them have to be looked through.
        if self.behind.as_ref().is_none_or(|known| known.socket != socket) {
            self.behind = Some(socket.with_process());
        }
        let process = self.behind.as_ref().and_then(|known| known.process.clone());
        Some(process.unwrap_or_else(|| SOMEBODY.into()))
    }

    /// The flows there are, but no more than `limit` of them.
    pub(super) fn read_flows(&self, limit: usize) -> anyhow::Result<Flows> {
        let read = self.maps.read_flows(limit + 1)?;
        let is_cut = read.len() > limit;
        let now = clock::monotonic();
        let flows = read.iter().take(limit).map(|(key, flow)| flow_info(key, flow, now)).collect();
        Ok(Flows { taken: now, flows, is_cut })
    }
}

fn interface_state(watched: &Watched) -> InterfaceState {
    let xdp = watched.interface.xdp;
    InterfaceState {
        mtu_bytes: watched.interface.mtu_bytes,
        mode: xdp.map(|xdp| xdp.mode.name()),
        program_id: xdp.map(|xdp| xdp.program_id).filter(|id| *id != 0),
        peer_takes_frames: watched.peer_has_program,
    }
}

fn nic_counters(watched: &Watched) -> Vec<KernelCounter> {
    let all = &watched.counters;
    let counter =
        |name, value, is_loss| KernelCounter { name: Cow::Borrowed(name), value, is_loss };
    let plain = |name, value| counter(name, value, false);
    let loss = |name, value| counter(name, value, true);
    let mut counters = vec![
        plain("rx_packets", all.rx_packets),
        plain("tx_packets", all.tx_packets),
        loss("rx_dropped", all.rx_dropped),
        loss("tx_dropped", all.tx_dropped),
        loss("rx_errors", all.rx_errors),
        loss("tx_errors", all.tx_errors),
        loss("rx_missed_errors", all.rx_missed_errors),
        loss("rx_fifo_errors", all.rx_fifo_errors),
        loss("rx_crc_errors", all.rx_crc_errors),
    ];
    // Many drivers have none.
    let by_driver = driver::counters(&watched.interface.name).unwrap_or_default();
    let counted = by_driver.into_iter().filter(|(_, value)| *value > 0);
    counters.extend(counted.take(DRIVER_COUNTERS).map(|(name, value)| {
        let is_loss = tells_of_loss(&name);
        KernelCounter { name: Cow::Owned(format!("driver.{name}")), value, is_loss }
    }));
    counters
}

/// Whether a driver calls something so that it should stand still. What XDP drops is told by XDP.
fn tells_of_loss(name: &str) -> bool {
    const WORDS: [&str; 10] =
        ["drop", "discard", "err", "miss", "fail", "crc", "fifo", "no_buf", "nobuf", "timeout"];
    !name.contains("xdp_drop") && WORDS.iter().any(|word| name.contains(word))
}

/// What the TCP/IP of this thread's network namespace counts.
fn stack_counters() -> Vec<KernelCounter> {
    let tables = ["snmp", "netstat"].map(|name| {
        fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
    });
    let value =
        |table: &str, wanted: &str| tables.iter().find_map(|text| table_value(text, table, wanted));
    STACK
        .iter()
        .filter_map(|(table, wanted, name, is_loss)| {
            let (name, value) = (Cow::Borrowed(*name), value(table, wanted)?);
            Some(KernelCounter { name, value, is_loss: *is_loss })
        })
        .collect()
}

/// A value of a table that has a line of names and, below it, one of values.
fn table_value(text: &str, table: &str, wanted: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.split(' ').next() == Some(table));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(name, _)| *name == wanted)?.1.parse().ok()
}

/// Interfaces for which a server is pinned that no longer runs.
fn stale(interface: &str) -> io::Result<Vec<String>> {
    let others = pins::served_interfaces()?.into_iter().filter(|other| other != interface);
    Ok(others
        .filter(|other| {
            let link = Link::open(&pins::folder(other).join(LINK));
            // What may not be opened is another's and may be alive.
            link.is_ok_and(|link| link.state().is_ok_and(|state| state.if_index.is_none()))
        })
        .collect())
}

fn flow_info(key: &FlowKey, flow: &Flow, now: Duration) -> FlowInfo {
    let address = IpAddr::V6(Ipv6Addr::from(key.remote)).to_canonical();
    let client = SocketAddr::new(address, u16::from_be_bytes(key.remote_port));
    let is_sending = !flow.version.is_none();
    let state = match (is_sending, flow.flags & RECOVERING != 0) {
        _ if flow.window_shift & HANDED != 0 => FlowState::HandedOff,
        (true, true) => FlowState::Recovering,
        (true, false) => FlowState::Sending,
        (false, _) => FlowState::Idle,
    };
    let response_bytes = if is_sending { flow.response_bytes } else { 0 };
    let delivered = flow.send_unacknowledged.wrapping_sub(flow.response_start);
    let quiet_ms = (now.as_millis() as u32).wrapping_sub(flow.touched_ms);
    FlowInfo {
        client,
        vlans: key.vlans.map(u16::from_be_bytes),
        state,
        route: flow.route,
        response_bytes,
        delivered_bytes: delivered.min(response_bytes),
        in_flight_bytes: if is_sending {
            flow.send_next.wrapping_sub(flow.send_unacknowledged)
        } else {
            0
        },
        delivered_to: flow.send_unacknowledged,
        requests: flow.requests,
        repairs: flow.repairs.into(),
        // A packet that came while this was read is newer than the clock.
        quiet: Duration::from_millis(if quiet_ms > u32::MAX / 2 { 0 } else { quiet_ms.into() }),
    }
}

#[cfg(test)]
mod tests {
    use zeroserve_shared::{config::mapped, route::VersionId};

    use super::*;

    #[test]
    fn a_value_is_found_below_its_name_in_its_own_table() {
        let text = "Ip: Forwarding InDiscards\nIp: 1 7\nTcp: InSegs InErrs\nTcp: 5 6\n";
        assert_eq!(table_value(text, "Ip:", "InDiscards"), Some(7));
        assert_eq!(table_value(text, "Tcp:", "InErrs"), Some(6));
        assert_eq!(table_value(text, "Tcp:", "InDiscards"), None);
    }

    #[test]
    fn a_counter_of_a_driver_is_a_loss_by_its_name() {
        for loss in ["rx_queue_*_drops", "rx_missed_errors", "rx_no_buffer_count", "tx_fifo"] {
            assert!(tells_of_loss(loss), "{loss}");
        }
        for plain in ["rx_packets", "rx_queue_*_xdp_packets", "rx_queue_*_xdp_drops"] {
            assert!(!tells_of_loss(plain), "{plain}");
        }
    }

    #[test]
    fn every_counter_of_the_stack_exists_on_this_kernel() {
        assert_eq!(stack_counters().len(), STACK.len());
    }

    #[test]
    fn a_flow_in_the_middle_of_a_response_tells_what_is_delivered_and_what_is_out() {
        let key = FlowKey {
            remote: mapped([198, 18, 0, 2]),
            local: mapped([198, 18, 0, 1]),
            remote_port: 40_000u16.to_be_bytes(),
            local_port: 80u16.to_be_bytes(),
            vlans: [[0, 0], 7u16.to_be_bytes()],
        };
        let flow = Flow {
            version: VersionId::new(3, 1),
            flags: RECOVERING,
            response_start: u32::MAX - 99,
            send_unacknowledged: 100,
            send_next: 3_000,
            response_bytes: 10_000,
            touched_ms: u32::MAX,
            requests: 12,
            repairs: 3,
            ..Flow::default()
        };
        // The clock has wrapped since it was touched.
        let now = Duration::from_millis((1 << 32) + 41);
        let info = flow_info(&key, &flow, now);
        assert_eq!(info.client.to_string(), "198.18.0.2:40000");
        assert_eq!(info.vlans, [0, 7]);
        assert_eq!(info.state, FlowState::Recovering);
        assert_eq!((info.delivered_bytes, info.in_flight_bytes), (200, 2_900));
        assert_eq!((info.delivered_to, info.requests, info.repairs), (100, 12, 3));
        assert_eq!(info.quiet, Duration::from_millis(42));
        let idle = Flow { version: VersionId::NONE, ..flow };
        let info = flow_info(&key, &idle, now);
        assert_eq!(
            (info.state, info.response_bytes, info.in_flight_bytes),
            (FlowState::Idle, 0, 0)
        );
    }
}
