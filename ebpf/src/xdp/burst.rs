//! Sending: a reply that is one segment in place where the frame has room for it, anything else
//! by clones of the carrier.

use aya_ebpf::bindings::{BPF_F_BROADCAST, xdp_action::XDP_REDIRECT};
use zeroserve_ebpf::{
    descriptor::{self, DESCRIPTOR_BYTES, Descriptor, MAGIC, Range},
    transport::{self, SAYS_CLOSE, Work, conclude, plan},
    wire::{
        HEADERS_BYTES, Headers,
        tcp::{ACK, PSH},
    },
    words,
};
use zeroserve_shared::{
    flow::Flow,
    reason::Reason,
    route::{FORMS, VersionId, VersionInfo},
};

use crate::xdp::{
    clock, crowd,
    maps::{BOARDS, FANOUT_2, FANOUT_4, FANOUT_8, FANOUT_16, FANOUT_32, SCRATCH, VERSIONS},
    scratch::Scratch,
    slice,
    stage::{Ending, Ingress},
};

/// A carrier as the egress program finds it: always of the same length, because its headers stand
/// at the end of the room for the longest.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Carrier {
    pub(super) descriptor: Descriptor,
    pub(super) headers: Headers,
}

const _: () = assert!(DESCRIPTOR_BYTES + HEADERS_BYTES == size_of::<Carrier>());

impl Carrier {
    /// What it has in front of the frame's own headers, in bytes.
    #[inline(always)]
    pub(super) const fn front_bytes(&self) -> i32 {
        size_of::<Self>() as i32 - self.headers.bytes() as i32
    }
}

/// As [`send`], for a response that has just begun: most are planned without a call.
#[inline(always)]
pub(super) fn send_first(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    if transport::plan_at_once(flow, &mut ingress.scratch.work) {
        return describe(ingress.scratch, flow);
    }
    send(ingress, flow)
}

/// Plans what the flow may send now: [`Ending::READY`], or [`Reason::AckConsumed`] if that is
/// nothing.
#[inline(always)]
pub(super) fn send(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    crowd::count(ingress, flow);
    Ending(zeroserve_plan(flow))
}

// What does not touch the packet takes no context: the compiler would see that it is not used and
// let callers pass anything, which the verifier refuses.

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_plan(flow: *mut Flow) -> u32 {
    // Looked up, not passed: Linux 6.1 takes no key of a map from what a function was passed.
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return Reason::MapMissing as u32;
    };
    // SAFETY: the element is this CPU's own, and the caller keeps nothing of it across the call;
    // the flow is a reference, which the verifier has checked for null.
    match unsafe { (scratch.as_mut(), flow.as_mut()) } {
        (Some(scratch), Some(flow)) => plan_burst(scratch, flow).0,
        _ => Reason::MapMissing as u32,
    }
}

#[inline(always)]
fn plan_burst(scratch: &mut Scratch, flow: &mut Flow) -> Ending {
    if flow.response_bytes > u32::from(flow.mss) {
        scratch.work.arrival.now_us = clock::now_us();
    }
    let needs_board = transport::needs_board(flow, &scratch.work.arrival);
    if needs_board {
        recall_board(scratch);
    }
    zeroserve_survey(flow, &mut scratch.work);
    zeroserve_allow(flow, &mut scratch.work);
    zeroserve_repair(flow, &mut scratch.work);
    zeroserve_extend(flow, &mut scratch.work);
    zeroserve_conclude(flow, &mut scratch.work);
    if needs_board {
        // Where there is no room for it, the client will have to tell again what it holds.
        let _ = BOARDS.insert(&scratch.segment.key, &scratch.work.board, 0);
    }
    if scratch.work.plan.segments == 0 {
        return Ending::of(Reason::AckConsumed);
    }
    Ending(zeroserve_describe(scratch, flow))
}

/// Makes the carrier ready. A function of its own, because the planning and this need their stack
/// one after the other.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_describe(scratch: *mut Scratch, flow: *mut Flow) -> u32 {
    // SAFETY: the caller passes references; the verifier has both checked for null.
    match unsafe { (scratch.as_mut(), flow.as_mut()) } {
        (Some(scratch), Some(flow)) => describe(scratch, flow).0,
        _ => Reason::MapMissing as u32,
    }
}

#[inline(always)]
fn describe(scratch: &mut Scratch, flow: &Flow) -> Ending {
    let plan = &scratch.work.plan;
    let Some(info) = version_info(flow.version) else {
        return Ending::of(Reason::VersionMissing);
    };
    scratch.burst = scratch.burst.wrapping_add(1);
    // One field at a time: a struct would be put together on the stack first.
    let Carrier { descriptor, headers, .. } = &mut scratch.carrier;
    descriptor.magic = MAGIC;
    descriptor.burst = scratch.burst;
    descriptor.slot = flow.version.slot();
    descriptor.class = info.class;
    descriptor.response_start = flow.response_start;
    descriptor.response_bytes = flow.response_bytes;
    let form = &info.forms[usize::from(flow.form) & (FORMS - 1)];
    descriptor.first_start = form.start;
    descriptor.first_bytes = form.bytes;
    descriptor.second_start = flow.body_start;
    descriptor.body_start = info.head_bytes;
    descriptor.body_bytes = info.body_bytes();
    descriptor.moving_offset = form.moving_offset;
    descriptor.seconds = flow.date_unix_s;
    descriptor.mss = flow.mss;
    descriptor.last_flags = plan.last_flags;
    descriptor.closes = u8::from(flow.flags & SAYS_CLOSE != 0);
    descriptor.repeats = plan.repeats as u16;
    descriptor.surplus = descriptor::surplus(plan.segments) as u16;
    descriptor.reserved = [0; 2];
    descriptor.ranges = plan.ranges;
    let manner = &scratch.manner;
    headers.set_reply(&scratch.headers, flow.acknowledged, ACK, manner.window);
    headers.set_timestamps(manner.own_clock, manner.client_clock);
    Ending::READY
}

/// Sends what the carrier describes, once the stages that found it out have returned: writing
/// segments needs much stack.
#[inline(always)]
pub(super) fn send_off(ingress: &mut Ingress<'_>) -> Ending {
    let plan = &ingress.scratch.work.plan;
    ingress.counters.segments_repaired += u64::from(plan.repairs);
    let segments = plan.segments;
    if segments == 1 && in_place(ingress) {
        return Ending::IN_PLACE;
    }
    broadcast(ingress, segments)
}

/// Fetches the flow's scoreboard, or an empty one.
#[inline(always)]
fn recall_board(scratch: &mut Scratch) {
    match BOARDS.get_ptr(&scratch.segment.key) {
        // SAFETY: the element stays valid for this call.
        Some(board) => unsafe {
            words::copy_value(&*board, &mut scratch.work.board);
        },
        None => words::clear(&mut scratch.work.board),
    }
}

/// Sends the only segment in the frame that came, if the driver left room behind it.
#[inline(always)]
fn in_place(ingress: &mut Ingress<'_>) -> bool {
    let range = ingress.scratch.carrier.descriptor.ranges[0];
    let packet = ingress.packet;
    slice::write_headers(packet, range, ingress.scratch)
        && packet.resize(ingress.scratch.carrier.headers.all_bytes() + (range.end - range.start))
        && slice::write_payload(packet, range, ingress.scratch)
}

/// Sends the segments as clones: the carrier, cut down to its headers, goes through the smallest
/// device map that has a slot to spare, because the last copy, the carrier itself, cannot grow.
#[inline(always)]
fn broadcast(ingress: &mut Ingress<'_>, segments: u32) -> Ending {
    let packet = ingress.packet;
    let carrier = &ingress.scratch.carrier;
    if !packet.resize(carrier.headers.bytes())
        || !packet.extend_front(carrier.front_bytes())
        || !packet.write(0, carrier)
    {
        return Ending::of(Reason::FrameTooTight);
    }
    let flags = u64::from(BPF_F_BROADCAST);
    let redirected = match descriptor::copies(segments) {
        2 => FANOUT_2.redirect(0, flags),
        4 => FANOUT_4.redirect(0, flags),
        8 => FANOUT_8.redirect(0, flags),
        16 => FANOUT_16.redirect(0, flags),
        _ => FANOUT_32.redirect(0, flags),
    };
    match redirected {
        Ok(XDP_REDIRECT) => Ending::BURST,
        _ => Ending::of(Reason::RedirectFailed),
    }
}

/// What is to be known of a version, if its slot still holds it.
#[inline(always)]
pub(super) fn version_info(version: VersionId) -> Option<&'static VersionInfo> {
    let info = VERSIONS.get(version.slot())?;
    (info.generation == version.generation()).then_some(info)
}

/// The flags of a segment: PSH and what the plan says at the end of the response.
#[inline(always)]
pub(super) fn flags_at(descriptor: &Descriptor, range: Range) -> u8 {
    if range.end >= descriptor.response_bytes { PSH | descriptor.last_flags } else { 0 }
}

/// Makes the steps of [`transport::plan`] global functions, like a
/// [`stage`](crate::xdp::stage).
macro_rules! global_steps {
    ($($name:ident, $step:path;)+) => {$(
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(flow: *mut Flow, work: *mut Work) -> u32 {
            // SAFETY: the caller passes references; the verifier has both checked for null.
            if let (Some(flow), Some(work)) = unsafe { (flow.as_mut(), work.as_mut()) } {
                $step(flow, work);
            }
            0
        }
    )+};
}

global_steps! {
    zeroserve_survey, plan::survey;
    zeroserve_allow, plan::allow;
    zeroserve_repair, plan::repair;
    zeroserve_extend, plan::extend;
    zeroserve_conclude, conclude::conclude;
}
