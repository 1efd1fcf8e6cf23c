//! A TCP client like that of Linux, as far as a server can tell.

use std::collections::VecDeque;

use super::{Down, MSS, REQUEST_BYTES, Up};
use crate::wire::{
    options::{MAX_BLOCKS, SackBlock},
    sequence::{after, distance},
};

/// Shortest retransmission timeout (Linux, `TCP_RTO_MIN`).
const SHORTEST_TIMEOUT_US: u64 = 200_000;

/// Longest retransmission timeout (Linux, `TCP_RTO_MAX`).
const LONGEST_TIMEOUT_US: u64 = 120_000_000;

/// Longest delay of an acknowledgment.
const DELAY_US: u64 = 40_000;

/// How a client behaves.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    /// Bytes that it buffers for its reader.
    pub(super) buffer_bytes: u32,
    /// Shift of its window.
    pub(super) window_shift: u8,
    /// Bytes that it reads in a millisecond; all at once if there is no number.
    pub(super) reads_per_ms: Option<u32>,
    /// For how long it gathers frames before it looks at them (GRO); not at all if zero.
    pub(super) gathers_us: u64,
    /// Whether it probes before its timeout, after two round trips or 8 ms (TLP). Linux does
    /// not if one segment is all that is open, and that is what a request mostly is.
    pub(super) probes: bool,
    /// Whether a part of a segment acknowledged starts its timer anew, without back-off.
    pub(super) parts_count: bool,
    /// Whether it tells of ranges beyond a gap, and of what came twice.
    pub(super) sack: bool,
    /// The round-trip time it has measured.
    pub(super) round_trip_us: u64,
    /// Which of the segments with payload, counted from 0, it has no memory for: it takes the
    /// acknowledgment from them and nothing else (Linux, `tcp_ack` before `tcp_data_queue`).
    pub(super) refused: Vec<usize>,
    /// Whether it says that it has room again after that.
    pub(super) tells_of_room: bool,
}

/// The client.
pub(super) struct Client {
    habits: Habits,
    /// What should arrive, all responses one after the other.
    expected: Vec<u8>,
    /// Where each response ends in it.
    pub(super) ends: VecDeque<usize>,
    /// Which of its bytes have arrived.
    have: Vec<bool>,
    /// Sequence number of its first byte.
    first: u32,
    /// Bytes received in order.
    pub(super) received: usize,
    /// Bytes read.
    read: usize,
    /// The end of the windows offered so far.
    offered: usize,
    /// Bytes acknowledged.
    acknowledged: usize,
    /// Whether the server has closed the connection.
    pub(super) closed: bool,
    /// Ranges beyond the gap, the most recent first.
    blocks: Vec<SackBlock>,
    /// What came twice.
    twice: Option<SackBlock>,
    owes_at_us: Option<u64>,
    reads_at_us: Option<u64>,
    /// Frames that it has not looked at.
    gathered: Vec<Down>,
    gathered_until_us: Option<u64>,
    sent_from: u32,
    sent_to: u32,
    timer_us: Option<u64>,
    timeout_us: u64,
    may_probe: bool,
    /// Segments with payload that have come.
    taken: usize,
    /// How often its timer ran out.
    pub(super) timeouts: u32,
    /// Bytes that arrived more than once.
    pub(super) bytes_twice: usize,
    /// What it sends.
    pub(super) out: Vec<Up>,
}

impl Client {
    pub(super) fn new(
        habits: Habits,
        responses: &[Vec<u8>],
        mine: u32,
        theirs: u32,
        window: u32,
    ) -> Self {
        let mut end = 0;
        let ends = responses.iter().map(|response| {
            end += response.len();
            end
        });
        let ends = ends.collect();
        let expected = responses.concat();
        Self {
            timeout_us: SHORTEST_TIMEOUT_US + habits.round_trip_us,
            have: vec![false; expected.len()],
            habits,
            expected,
            ends,
            first: theirs,
            received: 0,
            read: 0,
            offered: window as usize,
            acknowledged: 0,
            closed: false,
            blocks: Vec::new(),
            twice: None,
            owes_at_us: None,
            reads_at_us: None,
            gathered: Vec::new(),
            gathered_until_us: None,
            sent_from: mine,
            sent_to: mine,
            timer_us: None,
            may_probe: true,
            taken: 0,
            timeouts: 0,
            bytes_twice: 0,
            out: Vec::new(),
        }
    }

    /// Whether it has all it wants, and all it sent is acknowledged.
    pub(super) fn is_content(&self) -> bool {
        self.ends.is_empty() && self.sent_from == self.sent_to
    }

    /// Sends a request.
    pub(super) fn request(&mut self, now_us: u64) {
        let sequence = self.sent_to;
        self.sent_to = sequence.wrapping_add(REQUEST_BYTES);
        self.may_probe = true;
        self.arm(now_us);
        self.send(sequence, REQUEST_BYTES);
    }

    /// When it wants to act by itself.
    pub(super) fn wakes_at_us(&self) -> Option<u64> {
        [self.timer_us, self.owes_at_us, self.reads_at_us, self.gathered_until_us]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now_us: u64) {
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now_us);
        if due(self.gathered_until_us) {
            self.gathered_until_us = None;
            self.look(now_us);
        }
        if due(self.reads_at_us) {
            self.reads_at_us = None;
            self.read_on(now_us);
        }
        if due(self.owes_at_us) {
            self.acknowledge();
        }
        if due(self.timer_us) {
            self.repeat(now_us);
        }
    }

    /// Takes a frame from the wire.
    pub(super) fn receive(&mut self, frame: Down, now_us: u64) {
        self.gathered.push(frame);
        if self.habits.gathers_us == 0 {
            self.look(now_us);
        } else {
            self.gathered_until_us.get_or_insert(now_us + self.habits.gathers_us);
        }
    }

    /// Looks at what has been gathered; frames that continue each other count as one (GRO).
    fn look(&mut self, now_us: u64) {
        let mut whole: Option<Down> = None;
        for frame in std::mem::take(&mut self.gathered) {
            match &mut whole {
                Some(before)
                    if before.sequence.wrapping_add(before.payload.len() as u32)
                        == frame.sequence
                        && before.acknowledgment == frame.acknowledgment
                        && !before.fin
                        && !frame.payload.is_empty()
                        && before.payload.len() + frame.payload.len() < 1 << 16 =>
                {
                    before.payload.extend(frame.payload);
                    before.fin = frame.fin;
                }
                _ => {
                    if let Some(before) = whole.replace(frame) {
                        self.take(&before, now_us);
                    }
                }
            }
        }
        if let Some(last) = whole {
            self.take(&last, now_us);
        }
    }

    fn take(&mut self, frame: &Down, now_us: u64) {
        self.take_acknowledgment(frame.acknowledgment, now_us);
        if !frame.payload.is_empty() {
            self.taken += 1;
            if self.habits.refused.contains(&(self.taken - 1)) {
                if self.habits.tells_of_room {
                    // As Linux: no window at once (`ICSK_ACK_NOMEM`), and then what its reader has made room for.
                    self.acknowledge();
                    self.out.last_mut().expect("just sent").window = 0;
                    self.acknowledge();
                }
                return;
            }
            self.take_payload(frame, now_us);
        }
        let end = frame.sequence.wrapping_add(frame.payload.len() as u32);
        if frame.fin && distance(end, self.first) == self.received as i32 {
            assert_eq!(self.received, self.expected.len(), "closed before the end");
            self.closed = true;
            self.acknowledge();
        }
        self.read_on(now_us);
    }

    fn take_acknowledgment(&mut self, acknowledgment: u32, now_us: u64) {
        assert!(!after(acknowledgment, self.sent_to), "acknowledged what was not sent");
        if !after(acknowledgment, self.sent_from) {
            return;
        }
        let whole = distance(self.sent_to, acknowledgment) % REQUEST_BYTES as i32 == 0;
        self.sent_from = acknowledgment;
        if self.sent_from == self.sent_to {
            self.timer_us = None;
        }
        if whole || self.habits.parts_count {
            self.timeout_us = SHORTEST_TIMEOUT_US + self.habits.round_trip_us;
            self.may_probe = true;
            if self.sent_from != self.sent_to {
                self.arm(now_us);
            }
        }
    }

    fn take_payload(&mut self, frame: &Down, now_us: u64) {
        let ahead = distance(frame.sequence, self.first);
        let start = usize::try_from(ahead).expect("before the first response");
        let end = start + frame.payload.len();
        assert!(end <= self.offered, "{start}..{end} is beyond the window, {}", self.offered);
        assert!(frame.payload == self.expected[start..end], "damaged: {start}..{end}");
        let known = self.have[start..end].iter().filter(|have| **have).count();
        self.bytes_twice += known;
        self.have[start..end].fill(true);
        let range = SackBlock {
            left: frame.sequence,
            right: frame.sequence.wrapping_add(frame.payload.len() as u32),
        };
        if known == frame.payload.len() {
            self.twice = Some(range);
            return self.acknowledge();
        }
        if start > self.received {
            self.note(range);
            return self.acknowledge();
        }
        if start < self.received {
            self.twice = Some(SackBlock { left: range.left, right: self.next() });
        }
        let had_gap = !self.blocks.is_empty();
        while self.received < self.have.len() && self.have[self.received] {
            self.received += 1;
        }
        let next = self.next();
        self.blocks.retain(|block| after(block.right, next));
        if had_gap || start < self.acknowledged || self.owed() > usize::from(MSS) {
            self.acknowledge();
        } else {
            self.owes_at_us.get_or_insert(now_us + DELAY_US);
        }
    }

    /// The next sequence number that it expects.
    fn next(&self) -> u32 {
        self.first.wrapping_add(self.received as u32)
    }

    fn owed(&self) -> usize {
        self.received - self.acknowledged
    }

    /// Takes note of a range beyond the gap, as `tcp_sack_new_ofo_skb` does: what does not fit
    /// the header is forgotten.
    fn note(&mut self, mut range: SackBlock) {
        self.blocks.retain(|block| {
            let apart = after(range.left, block.right) || after(block.left, range.right);
            if !apart {
                if after(range.left, block.left) {
                    range.left = block.left;
                }
                if after(block.right, range.right) {
                    range.right = block.right;
                }
            }
            apart
        });
        self.blocks.insert(0, range);
        self.blocks.truncate(MAX_BLOCKS);
    }

    /// Lets the reader read, and asks for the next response once one is complete.
    fn read_on(&mut self, now_us: u64) {
        let ready = self.received - self.read;
        match self.habits.reads_per_ms {
            None => self.read = self.received,
            Some(_) if ready > 0 && self.reads_at_us.is_none() => {
                let most = self.habits.reads_per_ms.map_or(0, |bytes| bytes as usize);
                self.read += ready.min(most);
                if self.read < self.received {
                    self.reads_at_us = Some(now_us + 1000);
                }
            }
            Some(_) => {}
        }
        let remaining = self.offered - self.received;
        let window = self.window();
        if window > 0 && window >= 2 * remaining && window > remaining && self.received > 0 {
            self.acknowledge();
        }
        if self.ends.front().is_some_and(|end| *end <= self.read) {
            self.ends.pop_front();
            if !self.ends.is_empty() {
                self.request(now_us);
            }
        }
    }

    /// The window to offer: never less than before, and not just a little more
    /// (RFC 9293 section 3.8.6.2.2).
    fn window(&self) -> usize {
        let buffer = self.habits.buffer_bytes as usize;
        let free = buffer - (self.received - self.read);
        let remaining = self.offered - self.received;
        let unit = 1 << self.habits.window_shift;
        let free = free.min(usize::from(u16::MAX) * unit) / unit * unit;
        if free < usize::from(MSS).min(buffer / 2) || free < remaining { remaining } else { free }
    }

    fn acknowledge(&mut self) {
        self.send(self.sent_to, 0);
    }

    fn send(&mut self, sequence: u32, payload_bytes: u32) {
        let window = self.window();
        self.offered = self.received + window;
        self.acknowledged = self.received;
        self.owes_at_us = None;
        let mut blocks: Vec<_> = self.twice.take().into_iter().collect();
        blocks.extend(self.blocks.iter().copied());
        blocks.truncate(if self.habits.sack { MAX_BLOCKS } else { 0 });
        self.out.push(Up {
            sequence,
            payload_bytes,
            acknowledgment: self.next().wrapping_add(u32::from(self.closed)),
            window: (window >> self.habits.window_shift) as u16,
            blocks,
        });
    }

    fn arm(&mut self, now_us: u64) {
        let probe_us = (2 * self.habits.round_trip_us).max(8000);
        let probes = self.habits.probes && self.may_probe && probe_us < self.timeout_us;
        self.timer_us = Some(now_us + if probes { probe_us } else { self.timeout_us });
    }

    /// Its timer ran out: sends the open part of its oldest request again.
    fn repeat(&mut self, now_us: u64) {
        if self.habits.probes && self.may_probe {
            self.may_probe = false;
        } else {
            self.timeout_us = (2 * self.timeout_us).min(LONGEST_TIMEOUT_US);
        }
        self.timeouts += 1;
        self.arm(now_us);
        let open = distance(self.sent_to, self.sent_from) as u32;
        let part =
            if open.is_multiple_of(REQUEST_BYTES) { REQUEST_BYTES } else { open % REQUEST_BYTES };
        self.send(self.sent_from, part);
    }
}
