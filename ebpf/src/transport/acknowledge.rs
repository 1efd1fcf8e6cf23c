//! What an acknowledgment changes.

use zeroserve_shared::flow::Flow;

use crate::{
    transport::{
        Arrival, FORGET, LOSSY, RECOVERING, TIMED_OUT, TIMEOUT_SEGMENTS, TIMING,
        congestion::{grow, quiet_ms, reduce},
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
    flow.set_peer_window(arrival.window);
    if newly == 0 {
        if arrival.repeats {
            time_out(flow, arrival.now_ms);
        }
        return 0;
    }
    flow.send_unacknowledged = arrival.acknowledgment;
    flow.progress_ms = arrival.now_ms;
    if flow.flags & RECOVERING != 0 && !after(flow.recovery_end, arrival.acknowledgment) {
        flow.flags &= !(RECOVERING | TIMED_OUT);
    }
    if is_limiting(flow, before) {
        grow(flow, newly as u32);
    }
    if !is_sending(flow) {
        return 0;
    }
    let end = response_end(flow);
    let delivered = distance(earlier(arrival.acknowledgment, end), earlier(before, end));
    if delivered > 0 { delivered as u32 } else { 0 }
}

/// Whether the congestion window is what limits the flight that begins at `before`, and not how little there is
/// to send: then nothing has been learned of the path (RFC 9293 section 3.7.5, RFC 7661, and half of the window
/// counts as all of it, as with Linux, so that slow start need not fill it).
#[inline(always)]
const fn is_limiting(flow: &Flow, before: u32) -> bool {
    let in_flight = distance(flow.send_next, before);
    (flow.window >> 1) as i32 <= in_flight
}

/// The client's timer ran out: everything in flight counts as lost (RFC 5681 section 3.1,
/// equation 4), unless it told something new only just now.
#[inline(always)]
fn time_out(flow: &mut Flow, now_ms: u32) {
    let in_flight = distance(flow.send_next, flow.send_unacknowledged);
    let is_little = in_flight <= TIMEOUT_SEGMENTS as i32 * flow.mss as i32;
    let is_quiet = now_ms.wrapping_sub(flow.progress_ms) >= quiet_ms(flow);
    if in_flight <= 0 || !is_little && !is_quiet {
        return;
    }
    if flow.flags & TIMED_OUT == 0 {
        flow.window = flow.window.min(in_flight as u32);
        reduce(flow);
    } else {
        flow.flags |= FORGET;
    }
    flow.flags |= RECOVERING | TIMED_OUT | LOSSY;
    flow.flags &= !TIMING;
    flow.lost_segments = 0;
    flow.recovery_end = flow.send_next;
    flow.repaired_to = flow.send_unacknowledged;
    flow.oldest_sent = flow.send_next;
    flow.window = TIMEOUT_SEGMENTS * flow.mss as u32;
    flow.progress_ms = now_ms;
}
