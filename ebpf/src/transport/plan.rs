//! Which ranges leave in answer to a packet: holes to repair first, then new data.

use zeroserve_shared::{flow::Flow, map::MAX_BURST_SEGMENTS};

use crate::{
    descriptor::{MAX_RANGES, Range},
    transport::{
        LOSSY, PASS, RECOVERING, TIMED_OUT, Work,
        acknowledge::halved,
        conclude::{conclude, probe_returned},
        response_end,
    },
    wire::{
        options::{MAX_BLOCKS, SackBlock},
        sequence::{after, distance, earlier, later},
    },
};

/// A hole counts as lost once so many segments beyond it have arrived (RFC 6675, DupThresh).
pub(super) const REORDERING_SEGMENTS: u32 = 3;

/// What leaves.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ranges of the response: repairs in order, new data, spares.
    pub ranges: [Range; MAX_RANGES],
    /// How many segments they take.
    pub segments: u32,
    /// How many of those, at the beginning, are sent again because they were lost.
    pub repairs: u32,
    /// How many of those, at the end, are sent again because they might be lost, or only to be
    /// answered.
    pub spares: u32,
    /// Flags of the segment that ends the response.
    pub last_flags: u8,
}

impl Plan {
    #[inline(always)]
    pub(super) fn push(&mut self, range: Range, mss: u32) {
        // Written out, because a variable index would leave the verifier without bounds.
        if self.ranges[0].is_empty() {
            self.ranges[0] = range;
        } else if self.ranges[1].is_empty() {
            self.ranges[1] = range;
        } else if self.ranges[2].is_empty() {
            self.ranges[2] = range;
        } else {
            self.ranges[3] = range;
        }
        self.segments += range.segments(mss);
    }

    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        self.segments < MAX_BURST_SEGMENTS && self.ranges[MAX_RANGES - 1].is_empty()
    }
}

/// Plans the next burst and takes note of it in the flow. Sends nothing that the windows do not
/// allow, and at most [`MAX_BURST_SEGMENTS`].
///
/// The kernel side calls the five steps one by one, so that the verifier can judge each alone.
pub fn plan(flow: &mut Flow, work: &mut Work) {
    survey(flow, work);
    allow(flow, work);
    repair(flow, work);
    extend(flow, work);
    conclude(flow, work);
}

/// Step 1: keeps the blocks that are sane, in order (RFC 2018 section 3 gives none).
#[inline(always)]
pub fn survey(flow: &Flow, work: &mut Work) {
    work.plan = Plan::default();
    let mut index = 0;
    while index < MAX_BLOCKS {
        let block = work.arrival.blocks[index];
        // An empty block at the far end sorts behind all others.
        let nothing = SackBlock { left: flow.send_next, right: flow.send_next };
        let counts = index < work.arrival.block_count as usize;
        work.held[index] = if counts && is_sane(flow, block) { block } else { nothing };
        index += 1;
    }
    order(&mut work.held, 0, 1);
    order(&mut work.held, 2, 3);
    order(&mut work.held, 0, 2);
    order(&mut work.held, 1, 3);
    order(&mut work.held, 1, 2);
}

/// Whether a block lies in what is open, not at its beginning. In offsets, because comparing
/// sequence numbers pair by pair lets through what goes round half the circle; and of all
/// differences together, because a branch for each would double the paths to verify.
#[inline(always)]
fn is_sane(flow: &Flow, block: SackBlock) -> bool {
    let base = flow.send_unacknowledged;
    let open = i64::from(flow.send_next.wrapping_sub(base));
    let left = i64::from(block.left.wrapping_sub(base));
    let right = i64::from(block.right.wrapping_sub(base));
    (left - 1) | (right - left - 1) | (open - right) >= 0
}

/// Step 2: notices losses and decides how many bytes may leave.
#[inline(always)]
pub fn allow(flow: &mut Flow, work: &mut Work) {
    measure(flow, work);
    let in_flight = flow.send_next.wrapping_sub(flow.send_unacknowledged);
    notice_loss(flow, work, in_flight);
    let lost = lost_bytes(flow, work);
    work.travelling = in_flight.saturating_sub(work.held_bytes).saturating_sub(lost);
    work.budget = flow.window.saturating_sub(work.travelling);
}

/// How much the client holds.
#[inline(always)]
fn measure(flow: &Flow, work: &mut Work) {
    work.held_bytes = 0;
    work.held_end = flow.send_unacknowledged;
    let mut index = 0;
    while index < MAX_BLOCKS {
        let block = work.held[index];
        let left = later(block.left, work.held_end);
        if after(block.right, left) {
            work.held_bytes += block.right.wrapping_sub(left);
            work.held_end = block.right;
        }
        index += 1;
    }
}

#[inline(always)]
#[expect(clippy::manual_swap, reason = "`swap` goes through memory, on more paths to verify")]
fn order(blocks: &mut [SackBlock; MAX_BLOCKS], first: usize, second: usize) {
    if after(blocks[first].left, blocks[second].left) {
        let block = blocks[first];
        blocks[first] = blocks[second];
        blocks[second] = block;
    }
}

/// Enters recovery when what is held shows a loss: enough beyond the hole, or everything beyond
/// it (RFC 5827, early retransmit). The window is halved once per recovery.
#[inline(always)]
fn notice_loss(flow: &mut Flow, work: &Work, in_flight: u32) {
    if flow.flags & RECOVERING != 0 {
        if probe_returned(flow, &work.arrival) {
            // All repairs have gone by: holes that are still open were lost again.
            flow.repaired_to = flow.send_unacknowledged;
            flow.flags = flow.flags.wrapping_add(PASS);
        }
        return;
    }
    if work.held_bytes == 0 {
        return;
    }
    let enough = work.held_bytes >= REORDERING_SEGMENTS * flow.mss as u32;
    let everything = work.held_end == flow.send_next && flow.send_next == response_end(flow);
    if enough || everything {
        flow.flags |= RECOVERING | LOSSY;
        flow.recovery_end = flow.send_next;
        flow.repaired_to = later(flow.repaired_to, flow.send_unacknowledged);
        flow.slow_start_threshold = halved(in_flight.min(flow.window), flow.mss);
        flow.window = flow.slow_start_threshold;
    }
}

/// Up to where bytes that are not held count as lost.
#[inline(always)]
fn lost_to(flow: &Flow, work: &Work) -> u32 {
    if flow.flags & TIMED_OUT != 0 {
        later(flow.recovery_end, work.held_end)
    } else {
        work.held_end
    }
}

/// Bytes that count as lost and have not been sent again.
#[inline(always)]
fn lost_bytes(flow: &Flow, work: &Work) -> u32 {
    if flow.flags & RECOVERING == 0 {
        return 0;
    }
    let from = later(flow.send_unacknowledged, flow.repaired_to);
    let to = lost_to(flow, work);
    if !after(to, from) {
        return 0;
    }
    let mut lost = to.wrapping_sub(from);
    let mut counted = from;
    let mut index = 0;
    while index < MAX_BLOCKS {
        let block = work.held[index];
        let left = later(block.left, counted);
        let right = earlier(block.right, to);
        if after(right, left) {
            lost = lost.saturating_sub(right.wrapping_sub(left));
            counted = right;
        }
        index += 1;
    }
    lost
}

/// Step 3: sends the holes again, nearest first, each once per pass.
#[inline(always)]
pub fn repair(flow: &mut Flow, work: &mut Work) {
    if flow.flags & RECOVERING == 0 || flow.mss == 0 {
        return;
    }
    let mut cursor = later(flow.send_unacknowledged, flow.repaired_to);
    let end = earlier(lost_to(flow, work), response_end(flow));
    repair_again(flow, work, cursor);
    let mut index = 0;
    // The holes before each block, and the one behind the last.
    while index <= MAX_BLOCKS {
        let hole_end = if index < MAX_BLOCKS { earlier(work.held[index].left, end) } else { end };
        if after(hole_end, cursor) {
            cursor = cursor.wrapping_add(repair_hole(flow, work, cursor, hole_end));
            if cursor != hole_end {
                break;
            }
        }
        if index < MAX_BLOCKS {
            // Not beyond what counts as lost: blocks that say nothing lie at the far end.
            cursor = later(cursor, earlier(work.held[index].right, end));
        }
        index += 1;
    }
    flow.repaired_to = later(flow.repaired_to, cursor);
    work.plan.repairs = work.plan.segments;
    let first = flow.send_unacknowledged.wrapping_sub(flow.response_start);
    if work.plan.segments > 0 && work.plan.ranges[0].start == first {
        flow.oldest_sent = flow.send_next;
    }
}

/// Sends the nearest hole once more if its repair was lost, too: the client holds something that
/// was sent later. Only this hole, because of the others it is not known when they were sent.
#[inline(always)]
fn repair_again(flow: &Flow, work: &mut Work, repaired_to: u32) {
    let from = flow.send_unacknowledged;
    if !after(work.held_end, flow.oldest_sent) {
        return;
    }
    let to = earlier(work.held[0].left, repaired_to);
    if after(to, from) {
        repair_hole(flow, work, from, to);
    }
}

/// Sends as much of a hole again as budget and burst allow, and says how many bytes that is.
#[inline(always)]
fn repair_hole(flow: &Flow, work: &mut Work, from: u32, to: u32) -> u32 {
    let plan = &mut work.plan;
    if !plan.has_room() {
        return 0;
    }
    let mss = flow.mss as u32;
    // The first repair always goes: it is what the client is waiting for.
    let allowed = if plan.segments == 0 && work.budget < mss { mss } else { work.budget };
    let bytes = limited(to.wrapping_sub(from), allowed, MAX_BURST_SEGMENTS - plan.segments, mss);
    if bytes == 0 {
        return 0;
    }
    let start = from.wrapping_sub(flow.response_start);
    plan.push(Range { start, end: start.wrapping_add(bytes) }, mss);
    work.budget = work.budget.saturating_sub(bytes);
    bytes
}

/// Cuts a length down to a budget and a number of segments; a cut is between two segments.
#[inline(always)]
fn limited(bytes: u32, budget: u32, segments: u32, mss: u32) -> u32 {
    let most = segments * mss;
    let allowed = if budget < most { budget } else { most };
    if bytes <= allowed || mss == 0 { bytes } else { allowed - allowed % mss }
}

/// Step 4: sends what has not been sent yet.
#[inline(always)]
pub fn extend(flow: &mut Flow, work: &mut Work) {
    if flow.mss == 0 {
        return;
    }
    send_new(flow, &mut work.plan, work.budget);
}

/// Sends new data as far as budget and receive window allow.
#[inline(always)]
fn send_new(flow: &mut Flow, plan: &mut Plan, budget: u32) {
    let mss = flow.mss as u32;
    let waiting = distance(response_end(flow), flow.send_next);
    let in_flight = distance(flow.send_next, flow.send_unacknowledged);
    if waiting <= 0 || in_flight < 0 || !plan.has_room() {
        return;
    }
    let room = flow.peer_window.saturating_sub(in_flight as u32);
    let allowed = if room < budget { room } else { budget };
    // One place is left for a spare.
    let places = MAX_BURST_SEGMENTS - 1 - plan.segments;
    let mut bytes = limited(waiting as u32, allowed, places, mss);
    if bytes == 0 && in_flight == 0 {
        // Nothing is on its way and the window is smaller than a segment: send what fits, or
        // nothing would ever happen again (RFC 9293 section 3.8.6.2.1).
        bytes = if (waiting as u32) < room { waiting as u32 } else { room };
    }
    if bytes == 0 {
        return;
    }
    let start = flow.send_next.wrapping_sub(flow.response_start);
    plan.push(Range { start, end: start.wrapping_add(bytes) }, mss);
    flow.send_next = flow.send_next.wrapping_add(bytes);
}
