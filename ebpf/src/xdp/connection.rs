//! Segments of a flow (RFC 9293 section 3.10.7).

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    transport::{self, Arrival, BACKLOG, CLOSE, FIN_RECEIVED, FIN_SENT, is_delivered, is_sending},
    wire::{
        options::{self, Area},
        sequence::{after, distance},
        tcp::{ACK, FIN, RST},
    },
};
use zeroserve_shared::{flow::Flow, reason::Reason, route::VersionId};

use crate::xdp::{
    backlog, burst, clock, exchange,
    ingress::{RECEIVE_WINDOW, reply_bare},
    maps::{FLOWS, HITS},
    stage::{Ending, Ingress, run_on},
};

/// Bytes of the smallest SACK option with one block.
const LEAST_SACK_BYTES: u32 = 10;

/// Why a segment cannot belong to the flow, if it cannot: its numbers are far from those the flow
/// is at.
#[inline(always)]
pub(super) fn refusal(ingress: &Ingress<'_>, flow: &Flow) -> Option<Reason> {
    let segment = &ingress.scratch.segment;
    let ahead = distance(segment.sequence, flow.receive_next);
    let is_near = ahead <= RECEIVE_WINDOW as i32 && ahead >= -(RECEIVE_WINDOW as i32);
    if segment.has(RST) {
        (!is_near).then_some(Reason::ResetIgnored)
    } else if after(segment.acknowledgment, flow.send_next) {
        Some(Reason::AckOutOfRange)
    } else {
        (!is_near).then_some(Reason::SequenceOutOfWindow)
    }
}

/// Handles a segment that belongs to a flow.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_handle(context: *mut xdp_md, flow: *mut Flow) -> u32 {
    run_on(context, flow, handle)
}

#[inline(always)]
fn handle(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    if ingress.scratch.segment.has(RST) {
        return reset(ingress, flow);
    }
    let now_ms = clock::now_ms();
    flow.touched_ms = now_ms;
    take_acknowledgment(ingress, flow, now_ms);
    if flow.flags & FIN_SENT != 0 && flow.send_unacknowledged == flow.send_next {
        return finish(ingress, flow);
    }
    if is_sending(flow) { continue_sending(ingress, flow) } else { listen(ingress, flow) }
}

/// A reset counts only with the sequence number expected; elsewhere in the window it might be
/// somebody's guess, and a genuine sender will confirm it (RFC 5961 section 3.2).
///
/// Expected is, as the client sees it, what was last acknowledged to it, which trails what has
/// been read: a client that has forgotten the connection resets it with just that number. Were it
/// challenged, it would send the same reset again, and so on for ever.
#[inline(always)]
fn reset(ingress: &mut Ingress<'_>, flow: &Flow) -> Ending {
    let behind = distance(flow.receive_next, ingress.scratch.segment.sequence);
    let open = distance(flow.receive_next, transport::acknowledgment_alone(flow));
    if behind >= 0 && behind <= open {
        remove(ingress);
        return Ending::of(Reason::ResetByPeer);
    }
    reply_bare(ingress, flow.send_next, flow.acknowledged, ACK)
}

/// Takes the flow out of the map.
#[inline(always)]
fn remove(ingress: &mut Ingress<'_>) {
    if FLOWS.remove(&ingress.scratch.segment.key).is_ok() {
        ingress.counters.flows_removed += 1;
    }
}

/// Takes note of what the client has received.
#[inline(always)]
fn take_acknowledgment(ingress: &mut Ingress<'_>, flow: &mut Flow, now_ms: u32) {
    let scratch = &mut *ingress.scratch;
    let segment = &scratch.segment;
    let occupies = segment.payload_bytes > 0 || segment.has(FIN);
    scratch.work.arrival.acknowledgment = segment.acknowledgment;
    scratch.work.arrival.window = u32::from(segment.window) << (flow.window_shift & 0xf);
    scratch.work.arrival.now_ms = now_ms;
    scratch.work.arrival.repeats = occupies && after(flow.receive_next, segment.sequence);
    scratch.work.arrival.block_count = 0;
    let options_bytes = segment.options_bytes;
    if options_bytes >= LEAST_SACK_BYTES && is_sending(flow) {
        scratch.options = Area::EMPTY;
        let offset = scratch.headers.bytes();
        if ingress.packet.read_bytes(offset, options_bytes, &mut scratch.options.0) {
            zeroserve_parse_sack(&scratch.options, &mut scratch.work.arrival);
        }
    }
    let delivered_bytes = transport::acknowledge(flow, &scratch.work.arrival);
    if delivered_bytes > 0
        && let Some(hits) = HITS.get_ptr_mut(flow.route)
    {
        // SAFETY: the element is this CPU's own, and nothing else refers to it now.
        unsafe { (*hits).delivered_bytes += u64::from(delivered_bytes) };
    }
    if is_delivered(flow) {
        flow.version = VersionId::NONE;
    }
}

/// Our FIN has been acknowledged: the connection is over once the client's has come, too.
#[inline(always)]
fn finish(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    let segment = &ingress.scratch.segment;
    if flow.flags & FIN_RECEIVED != 0 {
        remove(ingress);
        return Ending::of(Reason::ConnectionClosed);
    }
    if segment.has(FIN) {
        let acknowledgment = segment.payload_end().wrapping_add(1);
        remove(ingress);
        return reply_bare(ingress, flow.send_next, acknowledgment, ACK);
    }
    Ending::of(Reason::AckConsumed)
}

/// A response is on its way: the segment opens the window, or tells that something was lost.
#[inline(always)]
fn continue_sending(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    let segment = &ingress.scratch.segment;
    let is_next = segment.payload_end() == flow.receive_next;
    if segment.has(FIN) && is_next && flow.flags & FIN_RECEIVED == 0 {
        // The client has nothing more to ask; it still gets its answer.
        flow.receive_next = flow.receive_next.wrapping_add(1);
        flow.flags |= FIN_RECEIVED | CLOSE;
    }
    let waits = after(segment.payload_end(), flow.receive_next);
    let repeats = ingress.scratch.work.arrival.repeats;
    let kept = if waits && flow.flags & CLOSE == 0 {
        Ending(backlog::zeroserve_keep(ingress.context, flow))
    } else {
        Ending::of(Reason::AckConsumed)
    };
    let ending = burst::send(ingress, flow);
    if ending != Ending::of(Reason::AckConsumed) {
        return ending;
    }
    if repeats {
        // Nothing may be sent, but the client's timer wants an answer. One more byte of its
        // request acknowledged, if there is one, resets the timer's back-off.
        if distance(flow.receive_next, flow.acknowledged) > 1 {
            flow.acknowledged = flow.acknowledged.wrapping_add(1);
        }
        let acknowledgment = transport::acknowledgment_alone(flow);
        return reply_bare(ingress, flow.send_next, acknowledgment, ACK);
    }
    kept
}

/// No response is on its way: the segment may bring a request, or the end.
#[inline(always)]
fn listen(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    if flow.flags & BACKLOG != 0 && flow.flags & CLOSE == 0 {
        if after(ingress.scratch.segment.payload_end(), flow.receive_next) {
            backlog::zeroserve_keep(ingress.context, flow);
        }
        if let Some(ending) = exchange::kept_request(ingress, flow) {
            return ending;
        }
    }
    let segment = &ingress.scratch.segment;
    let ahead = distance(segment.sequence, flow.receive_next);
    let brings = after(segment.payload_end(), flow.receive_next);
    if ahead > 0 && (brings || segment.has(FIN)) {
        return Ending::of(Reason::SequenceGap);
    }
    if flow.flags & (CLOSE | FIN_RECEIVED | FIN_SENT) == 0 {
        if brings {
            return exchange::next_request(ingress, flow, (-ahead) as u32);
        }
        if segment.has(FIN) {
            flow.receive_next = segment.payload_end().wrapping_add(1);
            flow.flags |= FIN_RECEIVED | CLOSE;
        }
    }
    // What is owed: the rest of the request acknowledged, our FIN, or a word to a client that
    // asks whether we are still there (RFC 9293 section 3.8.4).
    let owes = flow.acknowledged != flow.receive_next || flow.flags & CLOSE != 0;
    let asks = ahead < 0 && (segment.payload_bytes == 0 || ingress.scratch.work.arrival.repeats);
    if !owes && !asks {
        return Ending::of(Reason::AckConsumed);
    }
    close_or_acknowledge(ingress, flow)
}

/// Gives a connection up with a reset: what had been read of its request is lost.
#[inline(always)]
pub(super) fn abandon(ingress: &mut Ingress<'_>, flow: &Flow) -> Ending {
    let (sequence, acknowledgment) = (flow.send_next, flow.acknowledged);
    remove(ingress);
    reply_bare(ingress, sequence, acknowledgment, RST | ACK)
}

/// Acknowledges everything received, with our FIN if it is time for it.
#[inline(always)]
pub(super) fn close_or_acknowledge(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    flow.acknowledged = flow.receive_next;
    if flow.flags & CLOSE == 0 {
        return reply_bare(ingress, flow.send_next, flow.acknowledged, ACK);
    }
    if flow.flags & FIN_SENT == 0 {
        flow.flags |= FIN_SENT;
        flow.send_next = flow.send_next.wrapping_add(1);
    }
    let fin_sequence = flow.send_next.wrapping_sub(1);
    reply_bare(ingress, fin_sequence, flow.acknowledged, FIN | ACK)
}

/// Reads the SACK blocks. Global, like a [`stage`](crate::xdp::stage).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_parse_sack(area: *const Area, arrival: *mut Arrival) -> u32 {
    // SAFETY: the caller passes references; the verifier has both checked for null.
    if let (Some(area), Some(arrival)) = unsafe { (area.as_ref(), arrival.as_mut()) } {
        arrival.block_count = options::parse_sack(area, &mut arrival.blocks);
    }
    0
}
