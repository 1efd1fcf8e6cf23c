//! How many flows share a queue: counted in each tick, see `transport::crowd` for what it is for.
//!
//! Kept by the queue that packets come from. Only one CPU at a time works on that, though not always
//! the same, and on network cards what is sent in answer has a queue of its own, too.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::transport::crowds;
use zeroserve_shared::flow::Flow;

use crate::xdp::{maps::CROWDS, stage::Ingress};

/// What is known of a queue.
#[repr(C)]
pub(super) struct Crowd {
    /// The tick, milliseconds of `CLOCK_MONOTONIC`. They wrap.
    at_ms: u32,
    /// Flows counted since.
    flows: u32,
    /// Flows counted in the ticks before, those of earlier ticks in part, in [`PARTS`].
    before: u32,
    /// Keeps the layout free of padding.
    reserved: u32,
}

/// Queues that are told apart; others are counted together with one of these.
pub(super) const QUEUES: usize = 64;

/// For so long it is remembered how many flows there were, in milliseconds, if nothing is counted.
const MEMORY_MS: u32 = 1000;

/// What part of a crowd is forgotten with each tick, one in so many. Not all of them are heard of in each,
/// and where a machine is busy, few are for a tenth of a second, and then all at once.
const FADING: u32 = 64;

/// Parts of a flow that are told apart when forgetting.
const PARTS: u32 = 256;

/// Counts a flow, once in a tick, and notes for the planning how many there are.
#[inline(always)]
pub(super) fn count(ingress: &mut Ingress<'_>, flow: &mut Flow) {
    let now_ms = ingress.scratch.tick.now_ms;
    let Some(crowd) = CROWDS.get_ptr_mut(queue(ingress.context)) else {
        return;
    };
    // SAFETY: nothing else refers to the element during this call. Should another CPU, one count is lost.
    let crowd = unsafe { &mut *crowd };
    if crowd.at_ms != now_ms {
        let is_recent = now_ms.wrapping_sub(crowd.at_ms) < MEMORY_MS;
        let before = if is_recent { crowd.before } else { 0 };
        let faded = before - before / FADING;
        let latest = crowd.flows * PARTS;
        crowd.before = if latest > faded { latest } else { faded };
        crowd.flows = 0;
        crowd.at_ms = now_ms;
    }
    if flow.counted_ms != now_ms as u16 && crowds(flow) {
        flow.counted_ms = now_ms as u16;
        crowd.flows += 1;
    }
    let (flows, before) = (crowd.flows, crowd.before / PARTS);
    ingress.scratch.work.arrival.crowd = if flows > before { flows } else { before };
}

#[inline(always)]
fn queue(context: *mut xdp_md) -> u32 {
    // SAFETY: the kernel passes a valid context, which outlives the program's run.
    unsafe { (*context).rx_queue_index & (QUEUES as u32 - 1) }
}
