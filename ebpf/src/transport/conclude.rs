//! How a burst ends: with what keeps the client talking, and how much of its request is
//! acknowledged.

use zeroserve_shared::{flow::Flow, map::MAX_BURST_SEGMENTS};

use crate::{
    descriptor::Range,
    transport::{
        Arrival, BACKLOG, CLOSE, FIN_SENT, LOSSY, PASS, Plan, TIMED_OUT, WAS_LOSSY, Work,
        crowd::is_crowded, plan::REORDERING_SEGMENTS, response_end,
    },
    wire::{
        sequence::{distance, later},
        tcp::FIN,
    },
};

/// With fewer segments on their way than this, a burst may be answered by a single segment, and
/// if that is lost by none.
const FEW_SEGMENTS: u32 = 6;

/// How many segments of that kind end a large burst that a single acknowledgment might answer: where
/// one in ten is lost each way, the answers to all three are lost once in a hundred and fifty bursts.
const ELICITS: u32 = 3;

/// Bytes of a segment that is sent only to be answered.
const ELICIT_BYTES: u32 = 1;

/// Bytes of the longest probe.
pub(super) const MAX_PROBE_BYTES: i32 = ELICIT_BYTES as i32 + 4;

/// Step 5: ends the burst with something that the client answers at once, if otherwise silence
/// might follow, and decides how much of the request is acknowledged.
#[inline(always)]
pub fn conclude(flow: &mut Flow, work: &mut Work) {
    if flow.mss == 0 {
        return;
    }
    add_spares(flow, work);
    acknowledge_request(flow, &mut work.plan);
}

/// Adds what the client answers at once, because it has it or because it waits for it:
///
/// - behind the end of the response its last segment again, so that a lost end shows as a gap
///   instead of as silence;
/// - behind an answer of one segment for whose delivery further requests wait its last byte;
/// - behind the one segment that brings all that is missing the same once more;
/// - behind repairs with nothing new behind them a probe: a few bytes that the client is known to
///   have. Its answer (RFC 2883) tells that the repairs have gone by. In a crowd there is none;
/// - behind the first new data of a round trip a byte that the client is known to have: a client
///   that gathers segments, or is busy, would answer all of a window with one acknowledgment, and
///   if that were lost, nobody would move;
/// - the same where segments have been lost before and few are on their way, and more of it.
#[inline(always)]
fn add_spares(flow: &mut Flow, work: &mut Work) {
    let mss = flow.mss as u32;
    let is_crowded = is_crowded(flow, work);
    let plan = &mut work.plan;
    let before = plan.segments;
    let is_lossy = flow.flags & (LOSSY | WAS_LOSSY) != 0;
    if flow.flags & BACKLOG != 0 && before == 1 && flow.response_bytes <= mss {
        // The next answer waits for the acknowledgment of this one, which might be delayed.
        let end = flow.response_bytes;
        push_spare(plan, Range { start: end - ELICIT_BYTES, end }, mss);
        plan.spares = 1;
        return;
    }
    if before == 0 || !is_lossy && flow.response_bytes <= mss {
        return;
    }
    let extends = before > plan.repairs;
    let delivered = flow.send_unacknowledged.wrapping_sub(flow.response_start);
    let whole = Range { start: delivered, end: flow.response_bytes };
    let is_end = distance(flow.send_next, response_end(flow)) >= 0;
    let is_little = is_lossy && work.travelling < REORDERING_SEGMENTS * mss;
    if plan.segments == 1 && plan.ranges[0] == whole {
        // It may carry the acknowledgment of the whole request, so nothing else may be in the burst.
        push_spare(plan, whole, mss);
        repeat(plan, u32::from(is_little));
        plan.spares = plan.segments - before;
        return;
    }
    let spare = if !extends && is_crowded {
        Range::default()
    } else if !extends {
        flow.flags = flow.flags.wrapping_add(PASS);
        known(delivered, probe_bytes(flow))
    } else if is_end {
        last_segment(plan, mss)
    } else {
        Range::default()
    };
    push_spare(plan, spare, mss);
    // After a timeout nothing more: many flows have theirs together where a queue overflowed, and would
    // fill it again.
    let is_spent = flow.flags & TIMED_OUT != 0;
    let few = is_lossy && work.travelling < FEW_SEGMENTS * mss;
    if !is_spent && !is_crowded && (few || work.times && !is_end) {
        // Where there is a probe, that is repeated.
        let elicit = if extends { known(delivered, ELICIT_BYTES) } else { Range::default() };
        let has_place = plan.has_room() && !(elicit.is_empty() && spare.is_empty());
        push_spare(plan, elicit, mss);
        // Much is sent at once where one acknowledgment answered much.
        let is_much = before >= REORDERING_SEGMENTS || work.times;
        let more =
            if is_lossy && is_much && has_place { ELICITS - 1 } else { u32::from(is_little) };
        repeat(plan, more + u32::from(!extends));
    }
    plan.spares = plan.segments - before;
}

/// Sends the last segment so many times more.
#[inline(always)]
fn repeat(plan: &mut Plan, times: u32) {
    if plan.segments + times <= MAX_BURST_SEGMENTS {
        plan.repeats = times;
        plan.segments += times;
    }
}

#[inline(always)]
fn push_spare(plan: &mut Plan, spare: Range, mss: u32) {
    if !spare.is_empty() && plan.has_room() {
        plan.push(spare, mss);
    }
}

/// So many bytes that the client has; none if there are not so many, and so none with the first window
/// of a response, which has no room for more (RFC 6928).
///
/// Not the last that it has acknowledged: Linux answers what lies wholly before that at once and by
/// itself (`tcp_validate_incoming`), but what ends just there together with all else that came while
/// its reader kept the socket (`tcp_backlog_ack_defer`, since 6.7).
#[inline(always)]
fn known(delivered: u32, bytes: u32) -> Range {
    let end = delivered.saturating_sub(1);
    Range { start: end.saturating_sub(bytes), end: if end < bytes { 0 } else { end } }
}

/// The last segment of a burst.
#[inline(always)]
fn last_segment(plan: &Plan, mss: u32) -> Range {
    let last = if !plan.ranges[2].is_empty() {
        plan.ranges[2]
    } else if !plan.ranges[1].is_empty() {
        plan.ranges[1]
    } else {
        plan.ranges[0]
    };
    let rest = (last.end - last.start) % mss;
    let bytes = if rest == 0 { mss } else { rest };
    Range { start: last.end - bytes, end: last.end }
}

/// Decides how much of the request is acknowledged with this burst.
///
/// All of it if the burst is the whole response in one segment, because on the way both share their
/// fate; not if anything else is in the burst, which would bring the acknowledgment alone. And not at
/// the end of a longer one: its client may be short of memory by then, and takes the acknowledgment
/// from a segment that it drops. Otherwise as large a part as has been delivered of the response, but
/// never the last byte: as long as it is open the client's timer runs.
#[inline(always)]
pub(super) fn acknowledge_request(flow: &mut Flow, plan: &mut Plan) {
    let end = response_end(flow);
    let missing = distance(end, flow.send_unacknowledged);
    let delivered = distance(flow.send_unacknowledged, flow.response_start);
    if missing <= 0 || delivered < 0 {
        return;
    }
    let whole = Range { start: 0, end: flow.response_bytes };
    let is_alone = plan.ranges[1].is_empty() || plan.ranges[1] == whole;
    if is_alone && plan.ranges[0] == whole && whole.segments(flow.mss as u32) == 1 {
        flow.acknowledged = flow.receive_next;
        if flow.flags & CLOSE != 0 {
            if flow.flags & FIN_SENT == 0 {
                flow.flags |= FIN_SENT;
                flow.send_next = flow.send_next.wrapping_add(1);
            }
            plan.last_flags = FIN;
        }
        return;
    }
    let early = distance(flow.receive_next, flow.request_start()) - 2;
    if early < 0 || flow.response_bytes == 0 {
        return;
    }
    let part = early as u64 * delivered as u64 / flow.response_bytes as u64;
    let acknowledged = flow.request_start().wrapping_add(1 + part as u32);
    flow.acknowledged = later(flow.acknowledged, acknowledged);
}

/// Whether the client says that the latest probe has come (RFC 2883: the first block is what came
/// twice). The length of the probe tells it from all others.
#[inline(always)]
pub(super) fn probe_returned(flow: &Flow, arrival: &Arrival) -> bool {
    let block = arrival.blocks[0];
    arrival.block_count > 0 && block.right.wrapping_sub(block.left) == probe_bytes(flow)
}

/// Bytes of the latest probe.
#[inline(always)]
fn probe_bytes(flow: &Flow) -> u32 {
    ELICIT_BYTES + 1 + (flow.flags / PASS) as u32
}
