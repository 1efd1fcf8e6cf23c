//! What the XDP program does around a flow, and the rules for everything it sends.

use std::collections::VecDeque;

use zeroserve_shared::{flow::Flow, map::MAX_BURST_SEGMENTS, route::VersionId};

use super::{
    Arrival, CLOSE, Down, FIN_SENT, MAX_BLOCKS, MSS, REQUEST_BYTES, SLOW_START_SEGMENTS, SackBlock,
    TIMED_OUT, Up, Work, acknowledge, acknowledgment_alone, begin, is_delivered, is_sending, plan,
    reminds, response_end,
};
use crate::{
    descriptor::segment,
    wire::{
        sequence::{after, distance, later},
        tcp::FIN,
    },
};

/// Milliseconds on the clock at the beginning: it wraps soon.
const CLOCK_MS: u32 = u32::MAX - 50;

/// The server's end of one connection.
pub(super) struct Server {
    pub(super) flow: Flow,
    work: Work,
    /// How many flows seem to share its queue.
    pub(super) crowd: u32,
    responses: VecDeque<Vec<u8>>,
    response: Vec<u8>,
    read_bytes: u32,
    closes: bool,
    /// The end of the windows seen so far.
    edge: u32,
    /// The end of what the client was ever known to hold.
    held_to: u32,
    /// Segments with payload that it has sent.
    pub(super) segments: u32,
    /// Bytes in them.
    pub(super) bytes: u64,
    /// How many of those segments had been sent before.
    pub(super) repairs: u32,
    /// How often everything counted as lost.
    pub(super) timeouts: u32,
}

impl Server {
    pub(super) fn new(
        responses: &[Vec<u8>],
        mine: u32,
        theirs: u32,
        window: u32,
        window_shift: u8,
        closes: bool,
    ) -> Self {
        let flow = Flow {
            receive_next: theirs,
            acknowledged: theirs,
            send_unacknowledged: mine,
            send_next: mine,
            unscaled_window: (window >> window_shift) as u16,
            slow_start_threshold: SLOW_START_SEGMENTS * u32::from(MSS),
            mss: MSS,
            window_shift,
            ..Flow::default()
        };
        Self {
            flow,
            work: Work::default(),
            crowd: 0,
            responses: responses.to_vec().into(),
            response: Vec::new(),
            read_bytes: 0,
            closes,
            edge: mine.wrapping_add(window),
            held_to: mine,
            segments: 0,
            bytes: 0,
            repairs: 0,
            timeouts: 0,
        }
    }

    /// Handles a segment, as `xdp::connection` does.
    pub(super) fn receive(&mut self, up: &Up, now_us: u64) -> Vec<Down> {
        if after(up.acknowledgment, self.flow.send_next) {
            return Vec::new();
        }
        let end = up.sequence.wrapping_add(up.payload_bytes);
        let before = self.flow.flags;
        self.take_acknowledgment(up, now_us);
        let flow = &self.flow;
        if flow.flags & FIN_SENT != 0 && flow.send_unacknowledged == flow.send_next {
            return Vec::new();
        }
        let out = if is_sending(flow) { self.continue_sending() } else { self.listen(up, end) };
        let gained = self.flow.flags & !before;
        self.timeouts += u32::from(gained & TIMED_OUT != 0);
        out
    }

    fn take_acknowledgment(&mut self, up: &Up, now_us: u64) {
        let mut blocks = [SackBlock::default(); MAX_BLOCKS];
        blocks[..up.blocks.len()].copy_from_slice(&up.blocks);
        let window = u32::from(up.window) << self.flow.window_shift;
        let repeats = after(self.flow.receive_next, up.sequence);
        let now_ms = CLOCK_MS.wrapping_add((now_us / 1000) as u32);
        self.work.arrival = Arrival {
            acknowledgment: up.acknowledgment,
            window,
            blocks,
            block_count: up.blocks.len() as u32,
            now_us: now_us as u32,
            now_ms,
            crowd: self.crowd,
            repeats: if up.payload_bytes > 0 {
                repeats
            } else {
                reminds(&self.flow, window, now_ms)
            },
        };
        let edge = up.acknowledgment.wrapping_add(self.work.arrival.window);
        if after(edge, self.edge) {
            self.edge = edge;
        }
        let held = up.blocks.iter().map(|block| block.right);
        self.held_to = held.fold(later(self.held_to, up.acknowledgment), later);
        acknowledge(&mut self.flow, &self.work.arrival);
        if is_delivered(&self.flow) {
            self.flow.version = VersionId::NONE;
        }
    }

    fn continue_sending(&mut self) -> Vec<Down> {
        let out = self.send();
        if !out.is_empty() || !self.work.arrival.repeats {
            return out;
        }
        if distance(self.flow.receive_next, self.flow.acknowledged) > 1 {
            self.flow.acknowledged = self.flow.acknowledged.wrapping_add(1);
        }
        self.bare(acknowledgment_alone(&self.flow), false)
    }

    fn listen(&mut self, up: &Up, end: u32) -> Vec<Down> {
        let ahead = distance(up.sequence, self.flow.receive_next);
        let brings = after(end, self.flow.receive_next);
        if ahead > 0 && brings {
            return Vec::new();
        }
        if self.flow.flags & (CLOSE | FIN_SENT) == 0 && brings {
            return self.read((up.payload_bytes as i32 + ahead) as u32);
        }
        let owes = self.flow.acknowledged != self.flow.receive_next || self.flow.flags & CLOSE != 0;
        if !owes && !(ahead < 0 && (up.payload_bytes == 0 || self.work.arrival.repeats)) {
            return Vec::new();
        }
        self.flow.acknowledged = self.flow.receive_next;
        if self.flow.flags & CLOSE == 0 {
            return self.bare(self.flow.acknowledged, false);
        }
        if self.flow.flags & FIN_SENT == 0 {
            self.flow.flags |= FIN_SENT;
            self.flow.send_next = self.flow.send_next.wrapping_add(1);
        }
        self.bare(self.flow.acknowledged, true)
    }

    /// Reads request bytes, and answers once there are enough of them.
    fn read(&mut self, payload_bytes: u32) -> Vec<Down> {
        let bytes = payload_bytes.min(REQUEST_BYTES - self.read_bytes);
        self.flow.receive_next = self.flow.receive_next.wrapping_add(bytes);
        self.read_bytes += bytes;
        if self.read_bytes < REQUEST_BYTES {
            self.flow.acknowledged = self.flow.receive_next;
            return self.bare(self.flow.acknowledged, false);
        }
        self.read_bytes = 0;
        self.response = self.responses.pop_front().expect("a request too many");
        if self.closes && self.responses.is_empty() {
            self.flow.flags |= CLOSE;
        }
        self.flow.version = VersionId::new(0, 1);
        begin(&mut self.flow, self.response.len() as u32, self.work.arrival.now_ms);
        self.work.arrival.block_count = 0;
        self.work.arrival.repeats = false;
        let out = self.send();
        if out.is_empty() {
            return self.bare(acknowledgment_alone(&self.flow), false);
        }
        out
    }

    /// A segment without payload.
    fn bare(&self, acknowledgment: u32, fin: bool) -> Vec<Down> {
        let flow = &self.flow;
        let whole = is_sending(flow) && acknowledgment == flow.receive_next;
        assert!(!whole, "all of the request acknowledged without all of the response");
        let sequence = flow.send_next.wrapping_sub(u32::from(fin));
        vec![Down { sequence, payload: Vec::new(), acknowledgment, fin }]
    }

    /// Sends a burst, as `xdp::burst` and the egress program do.
    fn send(&mut self) -> Vec<Down> {
        let before = self.flow;
        plan(&mut self.flow, &mut self.work);
        self.judge(&before);
        let planned = &self.work.plan;
        self.repairs += planned.repairs;
        let mut out = Vec::new();
        loop {
            let range =
                segment(&planned.ranges, u32::from(MSS), planned.repeats as u16, out.len() as u32);
            if range.is_empty() {
                break;
            }
            let ends = range.end == self.flow.response_bytes;
            out.push(Down {
                sequence: self.flow.response_start.wrapping_add(range.start),
                payload: self.response[range.start as usize..range.end as usize].to_vec(),
                acknowledgment: self.flow.acknowledged,
                fin: ends && planned.last_flags & FIN != 0,
            });
        }
        assert_eq!(out.len(), planned.segments as usize);
        self.segments += planned.segments;
        for down in &out {
            self.bytes += down.payload.len() as u64;
            self.judge_acknowledgment(down);
        }
        out
    }

    /// The last byte of the request is acknowledged only by a segment that brings all that is
    /// missing of the response.
    fn judge_acknowledgment(&self, down: &Down) {
        let end = down.sequence.wrapping_add(down.payload.len() as u32);
        if down.acknowledgment == self.flow.receive_next {
            assert!(!after(down.sequence, self.flow.send_unacknowledged), "begins too late");
            assert_eq!(end, response_end(&self.flow), "ends too early");
        }
    }

    /// New data stays within both windows.
    fn judge(&self, before: &Flow) {
        let flow = &self.flow;
        let sent_to = data_end(flow);
        assert!(self.work.plan.segments <= MAX_BURST_SEGMENTS);
        assert!(!after(sent_to, response_end(flow)));
        if sent_to == data_end(before) {
            return;
        }
        assert!(!after(sent_to, self.edge), "beyond the receive window");
        // What lies before the end of what is held has arrived or is lost.
        let outstanding = distance(sent_to, self.held_to);
        let timed_out = flow.flags & TIMED_OUT != 0;
        let fits = outstanding <= flow.window as i32 || timed_out;
        assert!(fits, "{outstanding} bytes are out, the window is {}", flow.window);
    }
}

/// Sequence number after the last byte sent, our FIN not counted.
fn data_end(flow: &Flow) -> u32 {
    flow.send_next.wrapping_sub(u32::from(flow.flags & FIN_SENT != 0))
}
