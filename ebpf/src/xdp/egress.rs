//! The egress program: a clone becomes a segment.
//!
//! The kernel runs it once for each clone, in order, before the clone is queued for the driver.
//! Clones are the same to the byte, and clones of several bursts stand in one queue, so the
//! number of the burst travels in the frame and this CPU's [`Position`] says which clone of that
//! burst is next.

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    macros::xdp,
    programs::XdpContext,
};
use zeroserve_ebpf::descriptor::{self, MAGIC};
use zeroserve_shared::{counters::Counters, reason::Egress};

use crate::xdp::{
    maps::{COUNTERS, POSITION, SCRATCH},
    packet::Packet,
    slice,
};

/// Where the egress program stands.
#[repr(C)]
pub(super) struct Position {
    /// The burst it last saw.
    burst: u32,
    /// The clone that comes next.
    next: u32,
}

/// Entered for every clone.
#[xdp(map = "devmap")]
pub(super) fn zeroserve_egress(context: XdpContext) -> u32 {
    let Some(counters) = COUNTERS.get_ptr_mut(0) else {
        return XDP_DROP;
    };
    // SAFETY: the element is this CPU's own, and nothing else refers to it during this call.
    let counters = unsafe { &mut *counters };
    let outcome = depart(Packet::new(context.ctx), counters);
    counters.egress[outcome as usize] += 1;
    if outcome == Egress::Sent { XDP_PASS } else { XDP_DROP }
}

#[inline(always)]
fn depart(packet: Packet, counters: &mut Counters) -> Egress {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return Egress::SliceMissing;
    };
    // SAFETY: the element is this CPU's own, and nothing else refers to it during this call.
    let scratch = unsafe { &mut *scratch };
    if !packet.read_into(0, &mut scratch.carrier) {
        return Egress::NoDescriptor;
    }
    let descriptor = &scratch.carrier.descriptor;
    if descriptor.magic != MAGIC {
        return Egress::NoDescriptor;
    }
    let Some(index) = next_index(descriptor.burst) else {
        return Egress::NoDescriptor;
    };
    let surplus = u32::from(descriptor.surplus);
    if index < surplus {
        return Egress::Surplus;
    }
    let index = index.wrapping_sub(surplus);
    let mss = u32::from(descriptor.mss);
    let range = descriptor::segment(&descriptor.ranges, mss, descriptor.repeats, index);
    if range.is_empty() {
        return Egress::Surplus;
    }
    let bytes = scratch.carrier.headers.all_bytes() + (range.end - range.start);
    if !packet.extend_front(-scratch.carrier.front_bytes()) || !packet.resize(bytes) {
        return Egress::NoTailroom;
    }
    if !slice::write_headers(packet, range, scratch)
        || !slice::write_payload(packet, range, scratch)
    {
        return Egress::SliceMissing;
    }
    counters.packets_out += 1;
    counters.bytes_out += u64::from(bytes);
    Egress::Sent
}

/// Which clone of its burst this is.
#[inline(always)]
fn next_index(burst: u32) -> Option<u32> {
    let position = POSITION.get_ptr_mut(0)?;
    // SAFETY: the element is this CPU's own, and nothing else refers to it during this call.
    let position = unsafe { &mut *position };
    if position.burst != burst {
        position.burst = burst;
        position.next = 0;
    }
    let index = position.next;
    position.next += 1;
    Some(index)
}
