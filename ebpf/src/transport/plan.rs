//! Which ranges leave in answer to a packet: holes to repair first, then new data.

use zerocopy::FromZeros;
use zeroserve_shared::{flow::Flow, map::MAX_BURST_SEGMENTS};

use crate::{
    bounds::opaque,
    descriptor::{MAX_RANGES, Range},
    transport::{
        Arrival, FORGET, LOSSY, PASS, RECOVERING, TIMED_OUT, Work,
        conclude::{MAX_PROBE_BYTES, conclude, probe_returned},
        congestion::{count_lost, is_tolerant, observe, reduce_in_doubt, take_back, time},
        crowd::{is_deferred, share},
        needs_board, response_end,
    },
    wire::{
        options::{MAX_BLOCKS, SackBlock},
        sequence::{after, distance, earlier, later},
    },
    words,
};

/// A hole counts as lost once so many segments beyond it have arrived (RFC 6675, DupThresh).
pub(super) const REORDERING_SEGMENTS: u32 = 3;

/// What leaves.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromZeros)]
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
    /// How often the last segment is sent once more; counted among the spares.
    pub repeats: u32,
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

/// Step 1: marks on the board what the client says that it holds.
#[inline(always)]
pub fn survey(flow: &mut Flow, work: &mut Work) {
    words::clear(&mut work.plan);
    let mss = u32::from(flow.mss);
    if mss == 0 {
        return;
    }
    let base = flow.send_unacknowledged;
    work.held_end = base;
    if !needs_board(flow, &work.arrival) {
        return;
    }
    let board = &mut work.board;
    if board.response_start != flow.response_start || flow.flags & FORGET != 0 {
        flow.flags &= !FORGET;
        board.wipe(flow.response_start, base);
    }
    if is_needless(&work.arrival) {
        take_back(flow, work);
    }
    let board = &mut work.board;
    board.advance(offset(flow, base) / mss);
    let mut index = 0;
    while index < MAX_BLOCKS {
        let block = work.arrival.blocks[index];
        if index < work.arrival.block_count as usize && is_sane(flow, block) {
            let end = offset(flow, block.right);
            // The last segment of the response is a whole one, however short it is.
            let last = if end >= flow.response_bytes { end.div_ceil(mss) } else { end / mss };
            work.board.mark(offset(flow, block.left).div_ceil(mss), last);
            work.held_end = later(work.held_end, block.right);
        }
        index += 1;
    }
}

/// Whether the client says that a repair came although it had the segment (RFC 2883: the first block
/// is what came twice, and lies before the acknowledgment number or in another block). What is sent
/// only to be answered is shorter.
#[inline(always)]
fn is_needless(arrival: &Arrival) -> bool {
    let blocks = &arrival.blocks;
    let first = blocks[0];
    let bytes = distance(first.right, first.left);
    let mut is_known = distance(arrival.acknowledgment, first.right) >= 0;
    let mut index = 1;
    while index < MAX_BLOCKS {
        let other = blocks[index];
        is_known |= (index < arrival.block_count as usize)
            & (distance(first.left, other.left) >= 0)
            & (distance(other.right, first.right) >= 0);
        index += 1;
    }
    (arrival.block_count > 0) & (bytes > MAX_PROBE_BYTES) & is_known
}

/// How far a sequence number is into the response.
#[inline(always)]
const fn offset(flow: &Flow, sequence: u32) -> u32 {
    sequence.wrapping_sub(flow.response_start)
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
    let mss = u32::from(flow.mss);
    if mss == 0 {
        return;
    }
    let from = flow.send_unacknowledged;
    let in_flight = flow.send_next.wrapping_sub(from);
    work.held_bytes = if needs_board(flow, &work.arrival) {
        mss.wrapping_mul(held_segments(flow, work, from, flow.send_next))
    } else {
        0
    };
    observe(flow, work);
    notice_loss(flow, work);
    let lost = if flow.flags & RECOVERING != 0 {
        let next = later(from, flow.repaired_to);
        open_bytes(flow, work, next, lost_to(flow, work)) + open_bytes(flow, work, from, work.again)
    } else {
        0
    };
    work.travelling = in_flight.saturating_sub(work.held_bytes).saturating_sub(lost);
    work.budget = share(flow, work).saturating_sub(work.travelling);
}

/// How many segments of a range are held.
#[inline(always)]
fn held_segments(flow: &Flow, work: &Work, from: u32, to: u32) -> u32 {
    let mss = u32::from(flow.mss);
    work.board.count(offset(flow, from) / mss, offset(flow, to).div_ceil(mss))
}

/// How many bytes of a range are not held.
#[inline(always)]
fn open_bytes(flow: &Flow, work: &Work, from: u32, to: u32) -> u32 {
    if !after(to, from) {
        return 0;
    }
    let held = u32::from(flow.mss).wrapping_mul(held_segments(flow, work, from, to));
    to.wrapping_sub(from).saturating_sub(held)
}

/// Enters recovery when what is held shows a loss: enough beyond the hole, or everything beyond
/// it (RFC 5827, early retransmit). In recovery, notices that repairs have been lost: all have gone
/// by once a probe behind them has returned, or once the client holds something sent after them.
#[inline(always)]
fn notice_loss(flow: &mut Flow, work: &mut Work) {
    work.again = flow.send_unacknowledged;
    work.marks = false;
    if flow.flags & RECOVERING != 0 {
        if probe_returned(flow, &work.arrival) {
            flow.flags = flow.flags.wrapping_add(PASS);
            flow.progress_ms = work.arrival.now_ms;
            work.again = flow.repaired_to;
        } else if after(work.held_end, flow.oldest_sent) {
            work.again = earlier(work.board.again_to, flow.repaired_to);
        } else {
            return;
        }
        work.marks = true;
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
        work.marks = true;
        work.board.prior_window = 0;
        if !is_tolerant(flow) {
            // As many as there will be repairs, see there.
            reduce_in_doubt(flow, work, 0);
        }
    }
}

/// Up to where bytes that are not held count as lost.
#[inline(always)]
fn lost_to(flow: &Flow, work: &Work) -> u32 {
    let end = if flow.flags & TIMED_OUT != 0 {
        later(flow.recovery_end, work.held_end)
    } else {
        work.held_end
    };
    earlier(end, response_end(flow))
}

/// Step 3: sends the holes again, nearest first: those whose repair has been lost, then those that
/// have not been repaired.
#[inline(always)]
pub fn repair(flow: &mut Flow, work: &mut Work) {
    let mss = u32::from(flow.mss);
    if flow.flags & RECOVERING == 0 || mss == 0 {
        return;
    }
    let resume = later(flow.send_unacknowledged, flow.repaired_to);
    let lost_to = lost_to(flow, work);
    let mut cursor = flow.send_unacknowledged;
    let mut round = 0;
    // Not known to the optimiser: Linux 6.1 refuses a loop that is entered in its middle.
    while opaque(round) <= MAX_RANGES as u64 {
        let mut to = work.again;
        if !after(to, cursor) {
            cursor = later(cursor, resume);
            to = lost_to;
        }
        if !after(to, cursor) {
            break;
        }
        let last = offset(flow, to).div_ceil(mss);
        let first = work.board.find(offset(flow, cursor) / mss, last, false);
        let next = work.board.find(first, last, true);
        let cell = flow.response_start.wrapping_add(first.wrapping_mul(mss));
        let start = later(cursor, cell);
        let next = if is_astray(flow, start) { first + 1 } else { next };
        let end = earlier(to, flow.response_start.wrapping_add(next.wrapping_mul(mss)));
        if after(end, start) {
            cursor = start.wrapping_add(repair_hole(flow, work, start, end));
            if cursor != end {
                break;
            }
        } else {
            // Nothing is open up to there.
            cursor = to;
        }
        round += 1;
    }
    flow.repaired_to = later(flow.repaired_to, cursor);
    work.plan.repairs = work.plan.segments;
    flow.repairs = flow.repairs.saturating_add(work.plan.repairs as u16);
    if work.marks {
        // What is sent from now on comes after all repairs up to here.
        flow.oldest_sent = flow.send_next;
        work.board.again_to = flow.repaired_to;
    }
    if flow.flags & TIMED_OUT == 0 {
        count_lost(flow, work.plan.repairs);
        if !is_tolerant(flow) {
            work.board.doubts = work.board.doubts.saturating_add(work.plan.repairs);
        }
    }
}

/// Whether a segment from here on would not lie on the board as segments do: its beginning is not a
/// multiple of their length away from that of the response. That happens where a window smaller than
/// a segment was filled. What is sent next ends where a segment would have, because the board only
/// counts segments that are held as a whole. Not the last segment, which is to come in one piece, and
/// not where the client never has room for a whole one.
#[inline(always)]
fn is_astray(flow: &Flow, sequence: u32) -> bool {
    let mss = u32::from(flow.mss);
    let is_last = distance(response_end(flow), sequence) <= mss as i32;
    mss != 0 && flow.peer_window() >= mss && !is_last && !offset(flow, sequence).is_multiple_of(mss)
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
    work.times = false;
    if flow.mss == 0 {
        return;
    }
    complete_segment(flow, work);
    work.times = send_new(flow, work);
}

/// Sends the rest of a segment of which only a part could be sent.
#[inline(always)]
fn complete_segment(flow: &mut Flow, work: &mut Work) {
    let mss = u32::from(flow.mss);
    let start = offset(flow, flow.send_next);
    if mss == 0 || !is_astray(flow, flow.send_next) || !work.plan.has_room() {
        return;
    }
    let rest = mss - start % mss;
    let in_flight = flow.send_next.wrapping_sub(flow.send_unacknowledged);
    let room = flow.peer_window().saturating_sub(in_flight);
    let bytes = if rest < room { rest } else { room };
    if bytes == 0 || in_flight > 0 && (bytes < rest || work.budget < rest) {
        return;
    }
    work.plan.push(Range { start, end: start.wrapping_add(bytes) }, mss);
    work.budget = work.budget.saturating_sub(bytes);
    flow.send_next = flow.send_next.wrapping_add(bytes);
}

/// Sends new data as far as budget and receive window allow. Says whether it is timed.
#[inline(always)]
fn send_new(flow: &mut Flow, work: &mut Work) -> bool {
    let mss = flow.mss as u32;
    let waiting = distance(response_end(flow), flow.send_next);
    let in_flight = distance(flow.send_next, flow.send_unacknowledged);
    if waiting <= 0 || in_flight < 0 || !work.plan.has_room() {
        return false;
    }
    let room = flow.peer_window().saturating_sub(in_flight as u32);
    let allowed = if room < work.budget { room } else { work.budget };
    // One place is left for a spare.
    let places = MAX_BURST_SEGMENTS - 1 - work.plan.segments;
    let mut bytes = limited(waiting as u32, allowed, places, mss);
    if bytes == 0 && in_flight == 0 {
        // Nothing is on its way and the window is smaller than a segment: send what fits, or
        // nothing would ever happen again (RFC 9293 section 3.8.6.2.1).
        bytes = if (waiting as u32) < room { waiting as u32 } else { room };
    }
    let is_rest = bytes == waiting as u32;
    if bytes == 0 || !is_rest && is_deferred(flow, work, bytes) {
        return false;
    }
    let start = offset(flow, flow.send_next);
    work.plan.push(Range { start, end: start.wrapping_add(bytes) }, mss);
    let times = time(flow, flow.send_next, work.arrival.now_us);
    flow.send_next = flow.send_next.wrapping_add(bytes);
    times
}
