//! Requests that come before the answer to an earlier one has been delivered (pipelining, RFC 9112
//! section 9.3.2).
//!
//! They are kept as they came, beside the flow, and read when it is their turn. Nothing of them is
//! acknowledged before, so nothing is lost if there is no room or the map forgets them: the client
//! sends them again.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    bounds::opaque,
    transport::BACKLOG,
    wire::{sequence::distance, tcp::FIN},
};
use zeroserve_shared::{flow::Flow, reason::Reason};

use crate::xdp::{
    maps::{BACKLOGS, SCRATCH},
    packet::bounded,
    scratch::{BUFFER_BYTES, Scratch},
    stage::{Ending, Ingress, run_on},
};

/// Bytes that a backlog takes from one packet at most, and the position from which on it takes no
/// more. A power of two, so that positions can be masked.
const HALF: usize = BUFFER_BYTES / 2;

/// What has come and has not been read: an element of `BACKLOGS`.
#[repr(C)]
pub(super) struct Backlog {
    /// Sequence number of the first byte.
    start: u32,
    /// Bytes that have come.
    bytes: u32,
    /// Whether the client's FIN comes behind them: one, or zero.
    fin: u32,
    /// Keeps the layout free of padding.
    reserved: u32,
    /// They themselves, then room so that eight bytes can be copied from anywhere.
    data: [u8; BUFFER_BYTES + 8],
}

/// Keeps what the packet brings beyond what has been read. For [`Reason::RequestWaiting`] if it
/// could be kept, else for [`Reason::RequestUnkept`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_keep(context: *mut xdp_md, flow: *mut Flow) -> u32 {
    run_on(context, flow, |ingress, flow| {
        let kept = keep(ingress, flow).unwrap_or(false);
        Ending::of(if kept { Reason::RequestWaiting } else { Reason::RequestUnkept })
    })
}

#[inline(always)]
fn keep(ingress: &mut Ingress<'_>, flow: &mut Flow) -> Option<bool> {
    let scratch = &mut *ingress.scratch;
    let segment = &scratch.segment;
    if flow.flags & BACKLOG == 0 {
        scratch.backlog.start = flow.receive_next;
        BACKLOGS.insert(&segment.key, &scratch.backlog, 0).ok()?;
        flow.flags |= BACKLOG;
    }
    let Some(backlog) = BACKLOGS.get_ptr_mut(&segment.key) else {
        flow.flags &= !BACKLOG;
        return None;
    };
    // SAFETY: the element stays valid for this call.
    let backlog = unsafe { &mut *backlog };
    let known = distance(backlog.start.wrapping_add(backlog.bytes), segment.sequence);
    let new = segment.payload_bytes as i32 - known;
    if known < 0 || new < 0 {
        return Some(false);
    }
    if new > 0 {
        let position = opaque(u64::from(backlog.bytes));
        let length = bounded(new as u32, HALF as u32)?;
        if position >= HALF as u64 {
            return Some(false);
        }
        let offset = segment.payload_offset.wrapping_add(known as u32);
        // SAFETY: position and length are at most half the room each.
        let read = unsafe {
            let to = backlog.data.as_mut_ptr().add(position as usize);
            ingress.packet.read_to(offset, to, length)
        };
        if !read {
            return Some(false);
        }
        backlog.bytes += length as u32;
    }
    if segment.has(FIN) {
        backlog.fin = 1;
    }
    Some(true)
}

/// Puts what is to be read next in the place of the packet's own payload, and says how many bytes
/// that are; zero if there is nothing.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_take(flow: *mut Flow) -> u32 {
    // Looked up, not passed: Linux 6.1 takes no key of a map from what a function was passed.
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the element is this CPU's own, and the caller keeps nothing of it across the call;
    // the flow is a reference, which the verifier has checked for null.
    let (Some(scratch), Some(flow)) = (unsafe { (scratch.as_mut(), flow.as_mut()) }) else {
        return 0;
    };
    take(scratch, flow).unwrap_or(0)
}

#[inline(always)]
fn take(scratch: &mut Scratch, flow: &mut Flow) -> Option<u32> {
    let Some(backlog) = BACKLOGS.get_ptr(&scratch.segment.key) else {
        flow.flags &= !BACKLOG;
        return None;
    };
    // SAFETY: the element stays valid for this call.
    let backlog = unsafe { &*backlog };
    let read = flow.receive_next.wrapping_sub(backlog.start);
    let rest = backlog.bytes.wrapping_sub(read);
    if read >= backlog.bytes {
        return None;
    }
    let read = opaque(u64::from(read)) & (BUFFER_BYTES as u64 - 1);
    let mut at = 0;
    while at < BUFFER_BYTES {
        if at >= rest as usize {
            break;
        }
        let from = (read as usize + at) & (BUFFER_BYTES - 1);
        // SAFETY: eight bytes from any masked position lie in the data and its extra room, and
        // `at` is a multiple of eight below the size of the buffer.
        unsafe {
            let word = backlog.data.as_ptr().add(from).cast::<u64>().read_unaligned();
            scratch.buffer.bytes.as_mut_ptr().add(at).cast::<u64>().write_unaligned(word);
        }
        at += 8;
    }
    let segment = &mut scratch.segment;
    segment.sequence = flow.receive_next;
    segment.payload_bytes = rest;
    segment.flags &= !FIN;
    if backlog.fin != 0 {
        segment.flags |= FIN;
    }
    Some(rest)
}

/// Forgets the backlog of a flow.
#[inline(always)]
pub(super) fn forget(ingress: &Ingress<'_>, flow: &mut Flow) {
    flow.flags &= !BACKLOG;
    // It does not matter if it has been evicted.
    let _ = BACKLOGS.remove(&ingress.scratch.segment.key);
}
