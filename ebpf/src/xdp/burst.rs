//! Sending: a reply that is one segment in place where the frame has room for it, anything else
//! by clones of the carrier.

use aya_ebpf::bindings::{BPF_F_BROADCAST, xdp_action::XDP_REDIRECT, xdp_md};
use zeroserve_ebpf::{
    descriptor::{DESCRIPTOR_BYTES, Descriptor, MAGIC, Range},
    transport::{SAYS_CLOSE, Work, conclude, plan},
    wire::{
        HEADER_BYTES, Headers,
        tcp::{ACK, PSH},
    },
};
use zeroserve_shared::{
    flow::Flow,
    reason::Reason,
    route::{FORMS, VersionId, VersionInfo},
};

use crate::xdp::{
    ingress::RECEIVE_WINDOW,
    maps::{FANOUT_2, FANOUT_4, FANOUT_8, FANOUT_16, FANOUT_32, VERSIONS},
    slice,
    stage::{Ending, Ingress, run_on},
};

/// A carrier as the egress program finds it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Carrier {
    pub(super) descriptor: Descriptor,
    /// Keeps the layout free of padding, and the IP header aligned.
    pub(super) reserved: [u8; 2],
    pub(super) headers: Headers,
}

/// What a carrier has in front of its headers, in bytes.
pub(super) const FRONT_BYTES: i32 = (size_of::<Carrier>() - HEADER_BYTES) as i32;

const _: () = assert!(DESCRIPTOR_BYTES + 2 + HEADER_BYTES == size_of::<Carrier>());

/// Sends what the flow may send now; [`Reason::AckConsumed`] if that is nothing.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_send(context: *mut xdp_md, flow: *mut Flow) -> u32 {
    run_on(context, flow, send)
}

#[inline(always)]
fn send(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Ending {
    let scratch = &mut *ingress.scratch;
    zeroserve_survey(flow, &mut scratch.work);
    zeroserve_allow(flow, &mut scratch.work);
    zeroserve_repair(flow, &mut scratch.work);
    zeroserve_extend(flow, &mut scratch.work);
    zeroserve_conclude(flow, &mut scratch.work);
    let plan = &scratch.work.plan;
    let segments = plan.segments;
    if segments == 0 {
        return Ending::of(Reason::AckConsumed);
    }
    ingress.counters.segments_repaired += u64::from(plan.repairs);
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
    descriptor.date_unix_s = flow.date_unix_s;
    descriptor.mss = flow.mss;
    descriptor.last_flags = plan.last_flags;
    descriptor.closes = u8::from(flow.flags & SAYS_CLOSE != 0);
    descriptor.ranges = plan.ranges;
    headers.set_reply(&scratch.headers, flow.acknowledged, ACK, RECEIVE_WINDOW);
    if segments == 1 && in_place(ingress) {
        return Ending::IN_PLACE;
    }
    broadcast(ingress, segments)
}

/// Sends the only segment in the frame that came, if the driver left room behind it.
#[inline(always)]
fn in_place(ingress: &mut Ingress<'_>) -> bool {
    let range = ingress.scratch.carrier.descriptor.ranges[0];
    let packet = ingress.packet;
    packet.resize(HEADER_BYTES as u32 + (range.end - range.start))
        && slice::write(packet, range, ingress.scratch)
}

/// Sends the segments as clones: the carrier, cut down to its headers, goes through the smallest
/// device map that has a slot to spare, because the last copy, the carrier itself, cannot grow.
#[inline(always)]
fn broadcast(ingress: &mut Ingress<'_>, segments: u32) -> Ending {
    let packet = ingress.packet;
    if !packet.resize(HEADER_BYTES as u32)
        || !packet.extend_front(FRONT_BYTES)
        || !packet.write(0, &ingress.scratch.carrier)
    {
        return Ending::of(Reason::FrameTooTight);
    }
    let flags = u64::from(BPF_F_BROADCAST);
    let redirected = match segments {
        ..=1 => FANOUT_2.redirect(0, flags),
        2..=3 => FANOUT_4.redirect(0, flags),
        4..=7 => FANOUT_8.redirect(0, flags),
        8..=15 => FANOUT_16.redirect(0, flags),
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
