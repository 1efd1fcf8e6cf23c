//! In front of a server: whose a packet is, as `ownership` decides it, and what becomes of those
//! that are the server's.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    ownership::{self, Decision, Handed, Known, Seat},
    transport::{BACKLOG, READING},
    wire::{
        sequence::after,
        tcp::{ACK, FIN, RST},
    },
    words,
};
use zeroserve_shared::{
    flow::{Flow, HANDED, SEATED},
    reason::Reason,
    route::VersionId,
};

use crate::xdp::{
    backlog, compose, connection, flows, misses,
    reply::reply_bare,
    sockets,
    stage::{Ending, Ingress, run, run_on},
};

/// Whether a flow, an element of the map, has been handed off.
#[inline(always)]
pub(super) fn is_handed_off(flow: *const Flow) -> bool {
    // SAFETY: the callers pass an element of the map of flows, which stays valid for the call.
    unsafe { ownership::is_handed_off(&*flow) }
}

/// What the kernel has for the packet's connection.
#[inline(always)]
pub(super) fn known(ingress: &Ingress<'_>) -> Known {
    const LISTENER: u32 = Known::Listener as u32;
    const CONNECTION: u32 = Known::Connection as u32;
    match zeroserve_known(ingress.context) {
        LISTENER => Known::Listener,
        CONNECTION => Known::Connection,
        _ => Known::Nothing,
    }
}

/// The same without a call, which takes stack.
#[inline(always)]
pub(super) fn known_at_once(ingress: &mut Ingress<'_>) -> Known {
    sockets::known(ingress.context.cast(), &mut ingress.scratch.segment.key)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_known(context: *mut xdp_md) -> u32 {
    run(context, |ingress| {
        Ending(sockets::known(context.cast(), &mut ingress.scratch.segment.key) as u32)
    })
}

/// Takes note of a connection that the kernel has and that has no flow: it is older than the programs, or was
/// forgotten. Otherwise each of its packets would be asked for a cookie, and one in millions would seem to
/// have one. Only those with data count: after its FIN a client sends acknowledgments.
#[inline(always)]
pub(super) fn learn(ingress: &mut Ingress<'_>) {
    let segment = &ingress.scratch.segment;
    let brings = segment.payload_bytes > 0 && !segment.has(FIN | RST);
    if !brings || segment.is_elsewhere() || known(ingress) != Known::Connection {
        return;
    }
    let scratch = &mut *ingress.scratch;
    words::clear(&mut scratch.flow);
    scratch.flow.window_shift = HANDED | SEATED;
    scratch.flow.touched_ms = scratch.tick.now_ms;
    if flows::insert().is_some() {
        ingress.counters.flows_created += 1;
    }
}

/// Whether what has been read of a request is to be answered here.
#[inline(always)]
pub(super) fn is_ours(ingress: &Ingress<'_>, is_found: bool) -> bool {
    ownership::is_ours(&ingress.scratch.request, is_found, ingress.config.is_draining())
}

/// Whether the packet brings again what is to be read next. What has been kept of it is of no use
/// then to a server.
#[inline(always)]
pub(super) fn comes_again(ingress: &Ingress<'_>, flow: &Flow) -> bool {
    let segment = &ingress.scratch.segment;
    ingress.config.hands_off()
        && segment.payload_bytes > 0
        && ownership::is_in_place(flow, segment.sequence, segment.acknowledgment)
}

/// Decides about a request that is not to be answered here if somebody listens.
#[inline(always)]
pub(super) fn decide(ingress: &Ingress<'_>, flow: &Flow, is_found: bool) -> Decision {
    let scratch = &*ingress.scratch;
    let segment = &scratch.segment;
    let is_in_place = scratch.from_backlog == 0
        && ownership::is_in_place(flow, segment.sequence, segment.acknowledgment);
    let has_begun = flow.flags & READING != 0;
    ownership::decide(&scratch.request, is_found, has_begun, is_in_place, known(ingress))
}

/// Lets the connection go to the server, now or when the client sends the request again.
#[inline(always)]
pub(super) fn settle(ingress: &mut Ingress<'_>, flow: &mut Flow, decision: Decision) -> Ending {
    flow.version = VersionId::NONE;
    if flow.flags & BACKLOG != 0 {
        backlog::forget(ingress, flow);
    }
    if decision == Decision::Awaited && !is_composed(ingress, flow) {
        // Told where the server's part begins, the client will send no more than that.
        return connection::close_or_acknowledge(ingress, flow);
    }
    misses::zeroserve_count_miss();
    flow.window_shift |= HANDED;
    flow.form = 0;
    flow.progress_ms = ingress.scratch.tick.now_ms;
    if ingress.scratch.expired != 0 {
        return Ending::of(Reason::CopyExpired);
    }
    Ending::of(Reason::HandedOff)
}

/// Whether the packet brings by now what had been kept, so that the connection can go with it.
#[inline(always)]
fn is_composed(ingress: &Ingress<'_>, flow: &mut Flow) -> bool {
    ingress.scratch.from_backlog != 0
        && Ending(compose::zeroserve_compose(ingress.context, flow))
            == Ending::of(Reason::HandedOff)
}

/// Handles a packet of a flow, an element of the map, that has been handed off: [`Ending::OURS`] if
/// it is not any more. Of most there is nothing to be done, and for those nothing is called.
#[inline(always)]
pub(super) fn pass(ingress: &mut Ingress<'_>, flow: *mut Flow) -> Ending {
    // SAFETY: the element stays valid for this call.
    let state = unsafe { &mut *flow };
    state.touched_ms = ingress.scratch.tick.now_ms;
    match ownership::look(state, ingress.scratch.segment.flags) {
        Handed::Passes => Ending::of(Reason::HandedOff),
        Handed::PassesAndForgotten => {
            connection::remove(ingress);
            Ending::of(Reason::HandedOff)
        }
        Handed::Asks => Ending(zeroserve_ask(ingress.context, flow)),
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_ask(context: *mut xdp_md, flow: *mut Flow) -> u32 {
    run_on(context, flow, ask)
}

/// Asks the kernel whether it has the connection by now.
#[inline(always)]
fn ask(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    let known = known(ingress);
    let segment = &ingress.scratch.segment;
    let is_first = ownership::is_in_place(flow, segment.sequence, segment.acknowledgment)
        && segment.payload_bytes > 0;
    let repeats = segment.payload_bytes > 0 && after(flow.receive_next, segment.sequence);
    let now_ms = ingress.scratch.tick.now_ms;
    match ownership::seat(known, is_first, repeats, now_ms.wrapping_sub(flow.progress_ms)) {
        Seat::Taken => flow.window_shift |= SEATED,
        Seat::Offered if is_first => flow.progress_ms = now_ms,
        Seat::Offered => {}
        Seat::Early => return Ending::of(Reason::HandoffEarly),
        Seat::Told => {
            flow.acknowledged = flow.receive_next;
            return reply_bare(ingress, flow.send_next, flow.receive_next, ACK);
        }
        Seat::Withdrawn => {
            flow.window_shift &= !HANDED;
            return Ending::OURS;
        }
    }
    Ending::of(Reason::HandedOff)
}
