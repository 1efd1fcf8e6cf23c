//! Reading a request, and having it answered.

use core::ffi::c_void;

use aya_ebpf::{bindings::xdp_md, helpers::generated::bpf_loop};
use zeroserve_ebpf::{
    ownership::Decision,
    request::{self, Asked},
    transport::{self, CLOSE, FIN_RECEIVED, READING},
    wire::tcp::{ACK, FIN},
    words,
};
use zeroserve_shared::{flow::Flow, reason::Reason, refusal::Refusal};

use crate::xdp::{
    answer, backlog, burst, connection, flows, front,
    maps::{REQUESTS, SCRATCH},
    memo, observe,
    reply::reply_bare,
    scratch::BUFFER_BYTES,
    stage::{Ending, Ingress, run_on},
};

/// Reads the first request of a connection and creates its flow.
#[inline(always)]
pub(super) fn first_request(ingress: &mut Ingress<'_>) -> Ending {
    let Some(bytes) = fetch(ingress, 0) else {
        return Ending::of(Reason::MalformedHeader);
    };
    let mut read_bytes = bytes;
    if memo::zeroserve_recall() == 0 {
        begin(ingress);
        read_bytes = scan(ingress, bytes);
    }
    let scratch = &mut *ingress.scratch;
    scratch.flow.touched_ms = scratch.tick.now_ms;
    scratch.flow.progress_ms = scratch.tick.now_ms;
    let Some(flow) = flows::insert() else {
        return Ending::of(Reason::FlowTableFull);
    };
    ingress.counters.flows_created += 1;
    Ending(zeroserve_respond(ingress.context, flow, read_bytes))
}

/// How long a request may take to arrive, from its first bytes on.
const PATIENCE_MS: u32 = 30_000;

/// Reads on in a flow that waits for a request; `known_bytes` of the payload have been read.
#[inline(always)]
pub(super) fn next_request(ingress: &mut Ingress<'_>, flow: &mut Flow, known_bytes: u32) -> Ending {
    let Some(bytes) = fetch(ingress, known_bytes) else {
        return Ending::of(Reason::MalformedHeader);
    };
    let mut read_bytes = bytes;
    if flow.flags & READING != 0 || memo::zeroserve_recall() == 0 {
        if !continue_reading(ingress, flow) {
            return connection::abandon(ingress, flow);
        }
        read_bytes = scan(ingress, bytes);
    }
    Ending(zeroserve_respond(ingress.context, flow, read_bytes))
}

/// Reads the request whose turn it is; nothing if none has been kept.
#[inline(always)]
pub(super) fn kept_request(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Option<Ending> {
    let bytes = backlog::zeroserve_take(flow);
    if bytes == 0 || !continue_reading(ingress, flow) {
        backlog::forget(ingress, flow);
        return None;
    }
    ingress.scratch.from_backlog = 1;
    ingress.scratch.memo = 0;
    ingress.scratch.recalled_route = 0;
    hold(ingress, bytes);
    let read_bytes = scan(ingress, bytes);
    Some(Ending(zeroserve_respond(ingress.context, flow, read_bytes)))
}

/// Takes up the reading of a request where it ended, or begins; false if what was read is lost.
#[inline(always)]
fn continue_reading(ingress: &mut Ingress<'_>, flow: &Flow) -> bool {
    begin(ingress);
    let scratch = &mut *ingress.scratch;
    if flow.flags & READING == 0 {
        return true;
    }
    let Some(part) = REQUESTS.get_ptr(&scratch.segment.key) else {
        return false;
    };
    // SAFETY: the element stays valid for this call.
    words::copy_value(unsafe { &*part }, &mut scratch.request);
    if scratch.tick.now_ms.wrapping_sub(flow.progress_ms) > PATIENCE_MS {
        request::refuse(&mut scratch.request, Refusal::TooSlow);
    }
    true
}

/// Begins to read a request.
#[inline(always)]
fn begin(ingress: &mut Ingress<'_>) {
    let config = ingress.config;
    request::start(&mut ingress.scratch.request, config.path_key);
    if config.hands_off() {
        words::copy_value(&config.bypass, &mut ingress.scratch.request.bypass);
    }
}

/// Puts the payload, from `known_bytes` on, into the buffer, and says how many bytes that are.
#[inline(always)]
fn fetch(ingress: &mut Ingress<'_>, known_bytes: u32) -> Option<u32> {
    let scratch = &mut *ingress.scratch;
    let segment = &scratch.segment;
    let unread = segment.payload_bytes.saturating_sub(known_bytes);
    let bytes = if unread > BUFFER_BYTES as u32 { BUFFER_BYTES as u32 } else { unread };
    let offset = segment.payload_offset.wrapping_add(known_bytes);
    if !ingress.packet.read_words(offset, bytes, &mut scratch.buffer.bytes) {
        return None;
    }
    scratch.from_backlog = 0;
    scratch.memo = 0;
    scratch.recalled_route = 0;
    hold(ingress, bytes);
    Some(bytes)
}

/// Takes note of how many bytes there are in the buffer.
#[inline(always)]
fn hold(ingress: &mut Ingress<'_>, bytes: u32) {
    let scratch = &mut *ingress.scratch;
    scratch.buffered_bytes = bytes;
    scratch.buffer.begin(bytes);
}

/// Feeds what is in the buffer to the parser, and says how many bytes it took.
#[inline(always)]
fn scan(ingress: &mut Ingress<'_>, bytes: u32) -> u32 {
    let scratch = &mut *ingress.scratch;
    let before = scratch.request.read_bytes;
    zeroserve_parse(bytes);
    u32::from(scratch.request.read_bytes.wrapping_sub(before))
}

/// Feeds what is in the buffer, so many bytes, to the parser. Global, like a
/// [`stage`](crate::xdp::stage).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_parse(bytes: u32) -> u32 {
    // SAFETY: the callback has the type that the helper calls it with and uses no context.
    unsafe {
        let callback = step as *const () as *mut c_void;
        bpf_loop(bytes, callback, core::ptr::null_mut(), 0);
    }
    0
}

/// Takes some bytes of the request; 1 ends the loop.
unsafe extern "C" fn step(_index: u32, _context: *mut c_void) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return 1;
    };
    // SAFETY: the element is this CPU's own. The caller holds a reference to it, too, but the
    // loop is one call of a helper to the compiler, across which it keeps nothing of it.
    let scratch = unsafe { &mut *scratch };
    request::take(&mut scratch.request, &mut scratch.buffer);
    u64::from(scratch.buffer.is_over() || request::is_done(&scratch.request))
}

/// Answers what has been read.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_respond(context: *mut xdp_md, flow: *mut Flow, read_bytes: u32) -> u32 {
    run_on(context, flow, |ingress, flow| respond(ingress, flow, read_bytes))
}

#[inline(always)]
fn respond(ingress: &mut Ingress<'_>, flow: &mut Flow, read_bytes: u32) -> Ending {
    ingress.scratch.expired = 0;
    let asked = request::asked(&ingress.scratch.request);
    let is_found = asked == Asked::Path && answer::find(ingress, flow);
    if is_found && ingress.scratch.memo != 0 && read_bytes == ingress.scratch.buffered_bytes {
        memo::zeroserve_memorise(flow.route);
    }
    let mut decision = Decision::Answered;
    if ingress.config.hands_off() && !front::is_ours(ingress, is_found) {
        decision = front::decide(ingress, flow, is_found);
        if decision == Decision::HandedOff || decision == Decision::Awaited {
            return front::settle(ingress, flow, decision);
        }
    }
    let segment = &ingress.scratch.segment;
    flow.receive_next = flow.receive_next.wrapping_add(read_bytes);
    let is_all = segment.payload_end() == flow.receive_next;
    if segment.has(FIN) && is_all {
        flow.receive_next = flow.receive_next.wrapping_add(1);
        flow.flags |= FIN_RECEIVED | CLOSE;
    }
    if ingress.scratch.from_backlog == 0 {
        // What follows a request that is refused is not read.
        if !is_all && asked != Asked::Refused {
            // Whether it could be kept does not matter here: if not, it will come again.
            backlog::zeroserve_keep(ingress.context, flow);
        }
    } else if is_all {
        backlog::forget(ingress, flow);
    }
    if asked == Asked::Incomplete {
        if !remember(ingress, flow) {
            return connection::abandon(ingress, flow);
        }
        // Half a request with nothing to follow has no answer: then the connection ends here.
        return connection::close_or_acknowledge(ingress, flow);
    }
    if flow.flags & READING != 0 {
        flow.flags &= !READING;
        // It does not matter if it has been evicted.
        let _ = REQUESTS.remove(&ingress.scratch.segment.key);
    }
    if !answer::choose(ingress, flow, asked, is_found, decision) {
        return Ending::of(Reason::VersionMissing);
    }
    if observe::wants_requests() {
        let refusal = ingress.scratch.refusal;
        observe::zeroserve_observe_request(ingress.scratch, flow, refusal);
    }
    let ending = burst::send_first(ingress, flow);
    if ending == Ending::of(Reason::AckConsumed) {
        // The client's window is closed.
        let acknowledgment = transport::acknowledgment_alone(flow);
        return reply_bare(ingress, flow.send_next, acknowledgment, ACK);
    }
    ending
}

/// Keeps what has been read of a request beside the flow; false if there is no room.
#[inline(always)]
fn remember(ingress: &Ingress<'_>, flow: &mut Flow) -> bool {
    if flow.flags & READING == 0 {
        flow.flags |= READING;
        flow.progress_ms = ingress.scratch.tick.now_ms;
    }
    REQUESTS.insert(&ingress.scratch.segment.key, &ingress.scratch.request, 0).is_ok()
}
