//! Shows single packets and requests to whoever looks, see `zeroserve_shared::observe`.

use core::{
    arch::asm,
    sync::atomic::{Ordering, compiler_fence},
};

use aya_ebpf::{bindings::xdp_md, helpers::generated::bpf_ktime_get_ns};
use zeroserve_shared::{
    flow::Flow,
    observe::{CAPTURED_BYTES, PACKET_RECORDS, REQUEST_RECORDS, Record},
};

use crate::xdp::{
    maps::{ASKED, OBSERVE, OBSERVED, PACKETS},
    packet::bounded,
    scratch::Scratch,
    stage::{Ending, Ingress, run},
};

/// Whether somebody wants to see packets that leave for this reason, as it was last said.
#[inline(always)]
pub(super) fn wants_packet(reason: u32) -> bool {
    OBSERVE.get(0).is_some_and(|observe| observe.reasons >> (reason & 63) & 1 != 0)
}

/// Whether somebody wants to see requests, as it was last said.
#[inline(always)]
pub(super) fn wants_requests() -> bool {
    OBSERVE.get(0).is_some_and(|observe| observe.request_gap_ns != 0)
}

/// Records a packet that leaves for a reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_observe_packet(context: *mut xdp_md, reason: u32) -> u32 {
    run(context, |ingress| {
        observe_packet(ingress, reason);
        Ending(0)
    })
}

#[inline(always)]
fn observe_packet(ingress: &mut Ingress<'_>, reason: u32) -> Option<()> {
    let observe = OBSERVE.get(0)?;
    let observed = OBSERVED.get_ptr_mut(0)?;
    let now_ns = now_ns();
    let last_ns = &mut ingress.scratch.packet_observed_ns;
    if now_ns >= observe.until_ns || now_ns - *last_ns < observe.packet_gap_ns {
        return None;
    }
    // SAFETY: the element stays valid; several CPUs write it, by atomic operations only.
    let number = unsafe { next_number(&raw mut (*observed).packets) };
    *last_ns = now_ns;
    let record = PACKETS.get_ptr_mut(number as u32 % PACKET_RECORDS)?;
    // SAFETY: the element stays valid. Should another CPU write it too, a full round later, its
    // number tells the readers.
    let record = unsafe { &mut *record };
    begin(record, now_ns);
    record.what = reason;
    record.refusal = 0;
    record.form = 0;
    record.response_bytes = 0;
    record.bytes = ingress.packet.length();
    let length = bounded(record.bytes.min(CAPTURED_BYTES as u32), CAPTURED_BYTES as u32)?;
    record.captured_bytes = length as u32;
    // SAFETY: the length is at most that of the place.
    unsafe { ingress.packet.read_to(0, record.captured.as_mut_ptr(), length) };
    end(record, number);
    Some(())
}

/// Records the request that has just been read and is now answered.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_observe_request(
    scratch: *mut Scratch,
    flow: *const Flow,
    refusal: u32,
) -> u32 {
    // SAFETY: the caller passes references; the verifier has both checked for null.
    if let (Some(scratch), Some(flow)) = unsafe { (scratch.as_mut(), flow.as_ref()) } {
        observe_request(scratch, flow, refusal);
    }
    0
}

#[inline(always)]
fn observe_request(scratch: &mut Scratch, flow: &Flow, refusal: u32) -> Option<()> {
    let observe = OBSERVE.get(0)?;
    let observed = OBSERVED.get_ptr_mut(0)?;
    let now_ns = now_ns();
    let last_ns = &mut scratch.request_observed_ns;
    if now_ns >= observe.until_ns || now_ns - *last_ns < observe.request_gap_ns {
        return None;
    }
    // SAFETY: as above.
    let number = unsafe { next_number(&raw mut (*observed).requests) };
    *last_ns = now_ns;
    let record = ASKED.get_ptr_mut(number as u32 % REQUEST_RECORDS)?;
    // SAFETY: as above.
    let record = unsafe { &mut *record };
    begin(record, now_ns);
    record.key = scratch.segment.key;
    record.what = flow.route;
    record.refusal = refusal;
    record.form = u32::from(flow.form);
    record.response_bytes = flow.response_bytes;
    record.bytes = scratch.buffered_bytes;
    record.captured_bytes = scratch.buffered_bytes.min(CAPTURED_BYTES as u32);
    let mut at = 0;
    while at < CAPTURED_BYTES {
        record.captured[at] = scratch.buffer.bytes[at];
        at += 1;
    }
    end(record, number);
    Some(())
}

#[inline(always)]
fn now_ns() -> u64 {
    // SAFETY: the helper takes no arguments and always succeeds.
    unsafe { bpf_ktime_get_ns() }
}

/// Takes the next number of a ring.
///
/// # Safety
///
/// `last` must be valid for reads and writes, and written by atomic operations only.
#[inline(always)]
pub(super) unsafe fn next_number(last: *mut u64) -> u64 {
    let mut number = 1u64;
    // The core library has no atomic addition for this target, the processor of the target has.
    // SAFETY: the caller vouches for the pointer; elements of arrays are aligned to eight bytes.
    unsafe {
        asm!(
            "{number} = atomic_fetch_add((u64 *)({last} + 0), {number})",
            number = inout(reg) number,
            last = in(reg) last,
        );
    }
    number.wrapping_add(1)
}

#[inline(always)]
fn begin(record: &mut Record, now_ns: u64) {
    // SAFETY: it is valid, and plain.
    unsafe { (&raw mut record.number).write_volatile(0) };
    compiler_fence(Ordering::SeqCst);
    record.time_ns = now_ns;
}

#[inline(always)]
fn end(record: &mut Record, number: u64) {
    compiler_fence(Ordering::SeqCst);
    // SAFETY: it is valid, and plain.
    unsafe { (&raw mut record.number).write_volatile(number) };
}
