//! Single requests and packets that were seen lately.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use zeroserve_shared::{reason::Reason, refusal::Refusal};

use super::super::field::Field;
use crate::observe::{Packet, Request, Seen};

/// The least time between two packets, or two requests, that one CPU shows to the console: a bound
/// on what looking costs, and more than anybody can read.
pub(crate) const GAP: Duration = Duration::from_millis(5);

/// Requests that are kept.
const REQUESTS_KEPT: usize = 1_000;

/// Packets that are kept of each reason.
const PACKETS_KEPT: usize = 128;

/// The requests that were seen lately.
#[derive(Debug, Default)]
pub(crate) struct RequestsPanel {
    /// Newest first.
    all: VecDeque<Request>,
    /// Those on view by scrolling: indices into `all`.
    pub(crate) rows: Vec<usize>,
    pub(crate) selected: usize,
    pub(crate) offset: usize,
    pub(crate) filter: Field,
    /// Whether keys go to the filter.
    pub(crate) typing: bool,
    /// Why nothing can be seen, if so.
    pub(crate) trouble: Option<String>,
}

impl RequestsPanel {
    /// The request of a row.
    pub(crate) fn at(&self, row: usize) -> Option<&Request> {
        self.all.get(*self.rows.get(row)?)
    }

    /// How many are kept, whatever the filter says.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The last ones that were refused for this, newest first.
    pub(crate) fn refused(&self, refusal: Refusal) -> impl Iterator<Item = &Request> {
        self.all.iter().filter(move |request| request.refusal == Some(refusal))
    }

    /// Takes newer requests, the oldest first. Somebody who has gone down to one stays on it.
    fn take(&mut self, requests: Vec<Request>) {
        let stays = self.selected > 0;
        let newer = requests.iter().filter(|request| self.matches(request)).count();
        for request in requests {
            self.all.push_front(request);
        }
        self.all.truncate(REQUESTS_KEPT);
        self.lay_out();
        if stays {
            self.step(newer as isize);
            self.offset += newer;
        }
    }

    /// Lays the rows out by the filter.
    pub(crate) fn lay_out(&mut self) {
        let rows = (0..self.all.len()).filter(|index| self.matches(&self.all[*index]));
        self.rows = rows.collect();
        self.selected = self.selected.min(self.rows.len().saturating_sub(1));
    }

    /// Whether every word of the filter is somewhere in its line.
    fn matches(&self, request: &Request) -> bool {
        let filter = self.filter.text();
        if filter.trim().is_empty() {
            return true;
        }
        let line = request.to_string().to_lowercase();
        filter.to_lowercase().split_whitespace().all(|word| line.contains(word))
    }

    /// Moves the selection by so many rows.
    pub(crate) fn step(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(rows).min(last);
    }
}

/// What was seen lately.
#[derive(Debug, Default)]
pub(crate) struct Sights {
    pub(crate) requests: RequestsPanel,
    /// By the number of the reason, newest first.
    packets: BTreeMap<u32, VecDeque<Packet>>,
    /// Whether something was asked for and has not come.
    pub(crate) asked: bool,
}

impl Sights {
    /// The last packets that left for a reason, newest first.
    pub(crate) fn packets(&self, reason: Reason) -> impl DoubleEndedIterator<Item = &Packet> {
        self.packets.get(&(reason as u32)).into_iter().flatten()
    }

    /// Takes what was seen since the last time.
    pub(crate) fn take(&mut self, seen: Seen) {
        for packet in seen.packets {
            let kept = self.packets.entry(packet.reason as u32).or_default();
            kept.push_front(packet);
            kept.truncate(PACKETS_KEPT);
        }
        self.requests.trouble = None;
        self.requests.take(seen.requests);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{observe::Wanted, server::Server as _, simulated::Simulated};

    fn seen(times: u32) -> (Sights, usize) {
        let mut server = Simulated::new(1);
        let wanted =
            Wanted { requests: true, reasons: vec![Reason::ResetByPeer], gap: Duration::ZERO };
        let (mut sights, mut requests) = (Sights::default(), 0);
        for _ in 0..times {
            let _ = server.sample().unwrap();
            let more = server.observe(&wanted).unwrap();
            requests += more.requests.len();
            sights.take(more);
        }
        (sights, requests)
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let (sights, came) = seen(1_000);
        assert!(came > REQUESTS_KEPT);
        assert_eq!(sights.requests.len(), REQUESTS_KEPT);
        assert_eq!(sights.packets(Reason::ResetByPeer).count(), PACKETS_KEPT);
        assert_eq!(sights.packets(Reason::NotIp).count(), 0, "nobody asked for these");
        let times: Vec<_> = sights.packets(Reason::ResetByPeer).map(|packet| packet.time).collect();
        assert!(times.is_sorted_by(|newer, older| newer > older));
    }

    #[test]
    fn whoever_reads_a_request_stays_on_it_while_others_come() {
        let (mut sights, _) = seen(10);
        sights.requests.step(5);
        let read = sights.requests.at(sights.requests.selected).cloned();
        let (newer, _) = seen(3);
        let newer = newer.requests.all.into_iter().rev().collect();
        sights.take(Seen { requests: newer, ..Seen::default() });
        assert_eq!(sights.requests.at(sights.requests.selected).cloned(), read);
    }

    #[test]
    fn every_word_of_the_filter_must_be_in_the_line() {
        let (mut sights, _) = seen(100);
        sights.requests.filter.insert("404 Php");
        sights.requests.lay_out();
        assert!(!sights.requests.rows.is_empty());
        assert!(sights.requests.rows.len() < sights.requests.len());
        let rows = 0..sights.requests.rows.len();
        assert!(rows.into_iter().all(|row| sights.requests.at(row).unwrap().status == 404));
    }
}
