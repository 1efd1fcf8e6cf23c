//! Who is connected: flows, summed up by client.
//!
//! The kernel counts in each flow and forgets it with the flow, so all of this is of connections that
//! are open.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use zeroserve_shared::response::MAX_RESPONSE_BYTES;

use crate::server::{FlowInfo, FlowState, Flows};

/// Flows read at most: a bound on what looking costs.
pub(crate) const FLOWS_READ: usize = 16_384;

/// What was read longer ago than this tells nothing of a rate of now.
const LONGEST_SPAN: Duration = Duration::from_secs(10);

/// What a client's rows are named by: its address, and the VLANs it comes through.
pub(crate) type ClientKey = (IpAddr, [u16; 2]);

/// The flows of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) key: ClientKey,
    pub(crate) flows: u64,
    pub(crate) sending: u64,
    pub(crate) recovering: u64,
    /// Requests answered in its flows.
    pub(crate) requests: u64,
    /// Segments sent again in its flows.
    pub(crate) repairs: u64,
    /// Bytes delivered since the flows were read before, of those that were there already.
    pub(crate) delivered_bytes: u64,
    pub(crate) in_flight_bytes: u64,
    /// Bytes of its responses that it has not acknowledged yet.
    pub(crate) to_go_bytes: u64,
}

impl Client {
    /// Its address, and its VLANs if there are any.
    pub(crate) fn name(&self) -> String {
        let (address, vlans) = self.key;
        match vlans {
            [0, 0] => address.to_string(),
            [0, inner] => format!("{address} vlan {inner}"),
            [outer, inner] => format!("{address} vlan {outer}.{inner}"),
        }
    }
}

/// What clients are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientSort {
    Flows,
    Requests,
    Bytes,
    Repairs,
    InFlight,
}

impl ClientSort {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Flows => Self::Requests,
            Self::Requests => Self::Bytes,
            Self::Bytes => Self::Repairs,
            Self::Repairs => Self::InFlight,
            Self::InFlight => Self::Flows,
        }
    }

    /// Which column it goes by.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Requests => "requests",
            Self::Bytes => "bytes/s",
            Self::Repairs => "repairs",
            Self::InFlight => "in flight",
        }
    }
}

/// Who is connected.
#[derive(Debug)]
pub(crate) struct FlowsPanel {
    /// What was read last, or why nothing can be; none before.
    pub(crate) read: Option<Result<Flows, String>>,
    /// By client, in the order of the rows.
    pub(crate) clients: Vec<Client>,
    /// The time in which those bytes were delivered; zero if it is not known yet.
    pub(crate) span: Duration,
    pub(crate) sort: ClientSort,
    pub(crate) selected: usize,
    pub(crate) offset: usize,
    /// The client that somebody selected.
    chosen: Option<ClientKey>,
    /// Whether flows were asked for and have not come.
    pub(crate) asked: bool,
}

impl FlowsPanel {
    pub(crate) fn new() -> Self {
        Self {
            read: None,
            clients: Vec::new(),
            span: Duration::ZERO,
            sort: ClientSort::Flows,
            selected: 0,
            offset: 0,
            chosen: None,
            asked: false,
        }
    }

    /// Takes what was read. If rows keep their order, those that are new come last.
    pub(crate) fn take(&mut self, read: Result<Flows, String>, keep_order: bool) {
        let mut before = self.read.take().and_then(Result::ok).unwrap_or_default();
        let mut clients = match &read {
            Ok(read) => {
                self.span = read.taken.saturating_sub(before.taken);
                if before.flows.is_empty() || self.span > LONGEST_SPAN {
                    (self.span, before) = (Duration::ZERO, Flows::default());
                }
                clients(&read.flows, &before.flows)
            }
            Err(_) => Vec::new(),
        };
        if keep_order {
            let known = self.clients.iter().enumerate();
            let rows: HashMap<_, _> = known.map(|(row, client)| (client.key, row)).collect();
            clients.sort_by_key(|client| rows.get(&client.key).copied().unwrap_or(usize::MAX));
        } else {
            order(&mut clients, self.sort);
        }
        self.clients = clients;
        self.read = Some(read);
        self.find_chosen();
    }

    /// Sorts by the next column.
    pub(crate) fn sort_next(&mut self) {
        self.sort = self.sort.next();
        order(&mut self.clients, self.sort);
        self.find_chosen();
    }

    fn find_chosen(&mut self) {
        let row = self.chosen.and_then(|key| self.clients.iter().position(|row| row.key == key));
        self.selected = row.unwrap_or(0);
    }

    /// Moves the selection by so many rows.
    pub(crate) fn step(&mut self, rows: isize) {
        let last = self.clients.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(rows).min(last);
        self.chosen = self.clients.get(self.selected).map(|client| client.key);
    }

    /// The flows of a client, those that have most in flight first.
    pub(crate) fn flows_of(&self, key: ClientKey) -> Vec<FlowInfo> {
        let Some(Ok(read)) = &self.read else { return Vec::new() };
        let mut flows: Vec<_> =
            read.flows.iter().filter(|flow| client_key(flow) == key).copied().collect();
        flows.sort_by_key(|flow| {
            (flow.state, std::cmp::Reverse(flow.in_flight_bytes), flow.client.port())
        });
        flows
    }
}

/// What has been delivered in a flow since it was read before; none if that was another connection with
/// the same port: it has had fewer requests, or its numbers are far from there.
fn delivered(before: &FlowInfo, now: &FlowInfo) -> Option<u64> {
    let begun = now.requests.checked_sub(before.requests)?;
    let bytes = u64::from(now.delivered_to.wrapping_sub(before.delivered_to));
    (bytes <= (u64::from(begun) + 1) * u64::from(MAX_RESPONSE_BYTES)).then_some(bytes)
}

fn client_key(flow: &FlowInfo) -> ClientKey {
    (flow.client.ip(), flow.vlans)
}

/// Sums flows up by client.
fn clients(flows: &[FlowInfo], before: &[FlowInfo]) -> Vec<Client> {
    let name = |flow: &FlowInfo| -> (SocketAddr, [u16; 2]) { (flow.client, flow.vlans) };
    let before: HashMap<_, _> = before.iter().map(|flow| (name(flow), flow)).collect();
    let mut clients = BTreeMap::new();
    for flow in flows {
        let key = client_key(flow);
        let client = clients.entry(key).or_insert(Client {
            key,
            flows: 0,
            sending: 0,
            recovering: 0,
            requests: 0,
            repairs: 0,
            delivered_bytes: 0,
            in_flight_bytes: 0,
            to_go_bytes: 0,
        });
        client.flows += 1;
        client.sending += u64::from(flow.state == FlowState::Sending);
        client.recovering += u64::from(flow.state == FlowState::Recovering);
        client.requests += u64::from(flow.requests);
        client.repairs += u64::from(flow.repairs);
        let known = before.get(&name(flow));
        client.delivered_bytes += known.and_then(|known| delivered(known, flow)).unwrap_or(0);
        client.in_flight_bytes += u64::from(flow.in_flight_bytes);
        client.to_go_bytes += u64::from(flow.response_bytes - flow.delivered_bytes);
    }
    clients.into_values().collect()
}

/// Largest first; equals by their addresses, as they are.
fn order(clients: &mut [Client], sort: ClientSort) {
    clients.sort_by_key(|client| {
        let weight = match sort {
            ClientSort::Flows => client.flows,
            ClientSort::Requests => client.requests,
            ClientSort::Bytes => client.delivered_bytes,
            ClientSort::Repairs => client.repairs,
            ClientSort::InFlight => client.in_flight_bytes,
        };
        (std::cmp::Reverse(weight), client.key)
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{server::Server as _, simulated::Simulated};

    fn flows(samples: u32, limit: usize) -> Flows {
        let mut server = Simulated::new(1);
        (0..samples).for_each(|_| drop(server.sample().unwrap()));
        server.flows(limit).unwrap()
    }

    proptest! {
        #[test]
        fn clients_add_up_to_the_flows_however_they_are_sorted(limit in 0usize..700, turns in 0..6) {
            let read = flows(3, limit);
            let mut panel = FlowsPanel::new();
            panel.take(Ok(read.clone()), false);
            (0..turns).for_each(|_| panel.sort_next());
            let sum = |pick: fn(&Client) -> u64| panel.clients.iter().map(pick).sum::<u64>();
            prop_assert_eq!(sum(|client| client.flows), read.flows.len() as u64);
            let in_flight: u64 = read.flows.iter().map(|flow| u64::from(flow.in_flight_bytes)).sum();
            prop_assert_eq!(sum(|client| client.in_flight_bytes), in_flight);
            let requests: u64 = read.flows.iter().map(|flow| u64::from(flow.requests)).sum();
            prop_assert_eq!(sum(|client| client.requests), requests);
            let repairs: u64 = read.flows.iter().map(|flow| u64::from(flow.repairs)).sum();
            prop_assert_eq!(sum(|client| client.repairs), repairs);
            let listed: usize = panel.clients.iter().map(|c| panel.flows_of(c.key).len()).sum();
            prop_assert_eq!(listed, read.flows.len());
        }
    }

    #[test]
    fn what_is_delivered_is_told_by_the_numbers_also_where_they_wrap() {
        let mut panel = FlowsPanel::new();
        let mut read = flows(1, 1);
        let mut go_on = |delivered_to, requests, seconds| {
            (read.flows[0].delivered_to, read.flows[0].requests) = (delivered_to, requests);
            read.taken = Duration::from_secs(seconds);
            panel.take(Ok(read.clone()), false);
            (panel.clients[0].delivered_bytes, panel.span.as_secs())
        };
        assert_eq!(go_on(u32::MAX - 99, 3, 10), (0, 0), "nothing is known of the time before");
        assert_eq!(go_on(400, 5, 12), (500, 2));
        assert_eq!(go_on(400, 5, 13), (0, 1));
        assert_eq!(go_on(500, 4, 14), (0, 1), "another connection with the same port");
        assert_eq!(go_on(3_000_000_000, 4, 15), (0, 1), "and another one");
        assert_eq!(go_on(3_000_000_001, 4, 16), (1, 1));
    }

    #[test]
    fn the_selection_stays_on_its_client_and_frozen_rows_where_they_are() {
        let mut panel = FlowsPanel::new();
        panel.take(Ok(flows(1, 600)), false);
        panel.step(3);
        let chosen = panel.clients[3].key;
        panel.sort_next();
        assert_eq!(panel.clients[panel.selected].key, chosen);
        let before: Vec<_> = panel.clients.iter().map(|client| client.key).collect();
        panel.take(Ok(flows(9, 600)), true);
        let after: Vec<_> = panel.clients.iter().map(|client| client.key).collect();
        assert_eq!(before, after);
    }
}
