//! What an acknowledgment changes.

use zeroserve_shared::flow::Flow;

use crate::{
    transport::{
        Arrival, LOSSY, MAX_WINDOW_BYTES, QUIET_MS, RECOVERING, TIMED_OUT, TIMEOUT_SEGMENTS,
        is_sending, response_end,
    },
    wire::sequence::{after, distance, earlier},
};

/// Takes note of what the client has received, and says how many bytes of the response are newly
/// delivered. The acknowledgment number must not be beyond what was sent; an old one is ignored
/// (RFC 9293 section 3.10.7.4).
#[inline(always)]
pub fn acknowledge(flow: &mut Flow, arrival: &Arrival) -> u32 {
    let before = flow.send_unacknowledged;
    let newly = distance(arrival.acknowledgment, before);
    if newly < 0 {
        return 0;
    }
    flow.peer_window = arrival.window;
    if newly == 0 {
        if arrival.repeats {
            time_out(flow, arrival.now_ms);
        }
        return 0;
    }
    flow.send_unacknowledged = arrival.acknowledgment;
    flow.oldest_sent = flow.send_next;
    flow.progress_ms = arrival.now_ms;
    if flow.flags & RECOVERING != 0 && !after(flow.recovery_end, arrival.acknowledgment) {
        flow.flags &= !(RECOVERING | TIMED_OUT);
    }
    grow(flow, newly as u32);
    if !is_sending(flow) {
        return 0;
    }
    let end = response_end(flow);
    let delivered = distance(earlier(arrival.acknowledgment, end), earlier(before, end));
    if delivered > 0 { delivered as u32 } else { 0 }
}

/// Slow start below the threshold, then about a segment for each window (RFC 5681 section 3.1,
/// counting bytes as RFC 3465 does). After a timeout slow start runs during the recovery too.
#[inline(always)]
fn grow(flow: &mut Flow, newly: u32) {
    if flow.flags & RECOVERING != 0 && flow.flags & TIMED_OUT == 0 {
        return;
    }
    let more = if flow.window < flow.slow_start_threshold {
        let room = flow.slow_start_threshold - flow.window;
        if newly < room { newly } else { room }
    } else if flow.window > 0 {
        (newly as u64 * flow.mss as u64 / flow.window as u64) as u32
    } else {
        0
    };
    let window = flow.window.saturating_add(more);
    flow.window = if window > MAX_WINDOW_BYTES { MAX_WINDOW_BYTES } else { window };
}

/// The client's timer ran out: everything in flight counts as lost (RFC 5681 section 3.1,
/// equation 4), unless something was acknowledged only just now.
#[inline(always)]
fn time_out(flow: &mut Flow, now_ms: u32) {
    let in_flight = distance(flow.send_next, flow.send_unacknowledged);
    let is_little = in_flight <= TIMEOUT_SEGMENTS as i32 * flow.mss as i32;
    let is_quiet = now_ms.wrapping_sub(flow.progress_ms) >= QUIET_MS;
    if in_flight <= 0 || !is_little && !is_quiet {
        return;
    }
    if flow.flags & TIMED_OUT == 0 {
        flow.slow_start_threshold = halved((in_flight as u32).min(flow.window), flow.mss);
    }
    flow.flags |= RECOVERING | TIMED_OUT | LOSSY;
    flow.recovery_end = flow.send_next;
    flow.repaired_to = flow.send_unacknowledged;
    flow.window = TIMEOUT_SEGMENTS * flow.mss as u32;
    flow.progress_ms = now_ms;
}

/// Half of what was in flight, but at least four segments. RFC 5681 (equation 4) says two, but the
/// acknowledgments of two are easily all lost, and nothing here would notice.
#[inline(always)]
pub(super) const fn halved(in_flight: u32, mss: u16) -> u32 {
    let least = 4 * mss as u32;
    if in_flight / 2 > least { in_flight / 2 } else { least }
}
