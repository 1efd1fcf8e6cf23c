//! Segments of a flow (RFC 9293 section 3.10.7).

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    transport::{
        self, Arrival, BACKLOG, CLOSE, FIN_RECEIVED, FIN_SENT, READING,
        admit::{self, Admission, Place},
        is_delivered, is_sending,
    },
    wire::{
        TIMESTAMPS_BYTES,
        options::{self, Area},
        sequence::{after, distance},
        tcp::{ACK, FIN, RST},
    },
    words,
};
use zeroserve_shared::{flow::Flow, reason::Reason, route::VersionId};

use crate::xdp::{
    backlog, burst, exchange, flows, front,
    maps::HITS,
    reply::{self, reply_bare},
    scratch::{Scratch, Segment},
    stage::{Ending, Ingress, run_on},
};

/// Bytes of the smallest SACK option with one block.
const LEAST_SACK_BYTES: u32 = 10;

/// What the segment's header says of its place.
#[inline(always)]
fn place(segment: &Segment) -> Place {
    Place {
        sequence: segment.sequence,
        payload_bytes: segment.payload_bytes,
        acknowledgment: segment.acknowledgment,
        flags: segment.flags,
    }
}

/// Judges a segment that has the addresses and ports of a flow.
#[inline(always)]
pub(super) fn admit(scratch: &Scratch, flow: &Flow) -> Admission {
    admit::admit(flow, &place(&scratch.segment), scratch.tick.now_ms)
}

/// Handles a segment that does not belong to the flow whose addresses and ports it has.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_refuse(
    context: *mut xdp_md,
    flow: *mut Flow,
    admission: u32,
) -> u32 {
    run_on(context, flow, |ingress, flow| refuse(ingress, flow, admission))
}

#[inline(always)]
fn refuse(ingress: &mut Ingress<'_>, flow: &mut Flow, admission: u32) -> Ending {
    if admission == Admission::Ends as u32 {
        remove(ingress);
        return Ending::of(Reason::ResetByPeer);
    }
    let reason = if admission == Admission::Ignored as u32 {
        return Ending::of(Reason::ResetIgnored);
    } else if admission == Admission::AckOutOfRange as u32 {
        Reason::AckOutOfRange
    } else if admission == Admission::SequenceOutOfWindow as u32 {
        Reason::SequenceOutOfWindow
    } else {
        Reason::ChallengeLimited
    };
    if !admit::may_challenge(flow, ingress.scratch.tick.now_ms) {
        return Ending::of(reason);
    }
    reply::agree_in(ingress, flow);
    reply_bare(ingress, flow.send_next, flow.acknowledged, ACK)
}

/// Handles a segment that belongs to a flow.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_handle(context: *mut xdp_md, flow: *mut Flow) -> u32 {
    run_on(context, flow, handle)
}

#[inline(always)]
fn handle(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    let now_ms = ingress.scratch.tick.now_ms;
    flow.touched_ms = now_ms;
    reply::agree_in(ingress, flow);
    take_acknowledgment(ingress, flow, now_ms);
    if flow.flags & FIN_SENT != 0 && flow.send_unacknowledged == flow.send_next {
        return finish(ingress, flow);
    }
    if is_sending(flow) { continue_sending(ingress, flow) } else { listen(ingress, flow) }
}

/// Takes the flow out of the table.
#[inline(always)]
pub(super) fn remove(ingress: &mut Ingress<'_>) {
    if flows::remove(&mut ingress.scratch.segment) {
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
    scratch.work.arrival.repeats = if occupies {
        after(flow.receive_next, segment.sequence)
    } else {
        transport::reminds(flow, scratch.work.arrival.window, now_ms)
    };
    scratch.work.arrival.block_count = 0;
    let options_bytes = segment.options_bytes;
    let other_bytes = match scratch.manner.client_clock {
        0 => options_bytes,
        _ => options_bytes.saturating_sub(u32::from(TIMESTAMPS_BYTES)),
    };
    if other_bytes >= LEAST_SACK_BYTES && is_sending(flow) {
        words::clear(&mut scratch.options);
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
    if flow.flags & FIN_RECEIVED != 0 {
        remove(ingress);
        return Ending::of(Reason::ConnectionClosed);
    }
    let place = place(&ingress.scratch.segment);
    admit::discard(flow, &place);
    admit::take_fin(flow, &place);
    if flow.flags & FIN_RECEIVED != 0 {
        remove(ingress);
    }
    if flow.acknowledged == flow.receive_next && place.payload_bytes == 0 {
        return Ending::of(Reason::AckConsumed);
    }
    flow.acknowledged = flow.receive_next;
    reply_bare(ingress, flow.send_next, flow.acknowledged, ACK)
}

/// A response is on its way: the segment opens the window, or tells that something was lost.
#[inline(always)]
fn continue_sending(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    let place = place(&ingress.scratch.segment);
    admit::discard(flow, &place);
    admit::take_fin(flow, &place);
    let segment = &ingress.scratch.segment;
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
    if admit::is_probe(flow, &place) {
        let acknowledgment = transport::acknowledgment_alone(flow);
        return reply_bare(ingress, flow.send_next, acknowledgment, ACK);
    }
    kept
}

/// No response is on its way: the segment may bring a request, or the end.
#[inline(always)]
fn listen(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    if flow.flags & BACKLOG != 0 && front::comes_again(ingress, flow) {
        backlog::forget(ingress, flow);
    }
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
        if flow.flags & CLOSE != 0 {
            return Ending::of(Reason::SequenceGap);
        }
        // What is missing will come again, and the sooner if the client hears of it at once
        // (RFC 5681 section 4.2).
        return reply_bare(ingress, flow.send_next, flow.acknowledged, ACK);
    }
    if brings && flow.flags & (CLOSE | FIN_RECEIVED | FIN_SENT) == 0 {
        return exchange::next_request(ingress, flow, (-ahead) as u32);
    }
    let place = place(segment);
    if ingress.config.is_draining() && flow.flags & READING == 0 {
        // It is idle, and nothing more is taken on.
        flow.flags |= CLOSE;
    }
    admit::discard(flow, &place);
    admit::take_fin(flow, &place);
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
