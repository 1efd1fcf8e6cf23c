//! A packet for the server out of what has been kept: a request that came behind one that is
//! answered here begins no packet, and the kernel takes a connection over only with one that does.
//!
//! The client would send it again, but not before its timer says so. So the packet that brings the
//! acknowledgment of the answer gets what follows as its payload, and goes up with that. Every byte
//! and number of it is the client's own.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    bounds::opaque,
    wire::{
        options::Area,
        tcp::{ACK, FIN, PSH},
    },
    words,
};
use zeroserve_shared::{flow::Flow, reason::Reason};

use crate::xdp::{
    packet::bounded,
    scratch::{BUFFER_BYTES, Scratch},
    stage::{Ending, Ingress, run_on},
};

/// Makes the packet bring what is to be read next, which lies in the buffer. For
/// [`Reason::HandedOff`] if it does, else it is as it was, for [`Reason::RequestUnkept`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_compose(context: *mut xdp_md, flow: *mut Flow) -> u32 {
    run_on(context, flow, |ingress, flow| {
        let composed = compose(ingress, flow).is_some();
        Ending::of(if composed { Reason::HandedOff } else { Reason::RequestUnkept })
    })
}

#[inline(always)]
fn compose(ingress: &mut Ingress<'_>, flow: &Flow) -> Option<()> {
    let scratch = &mut *ingress.scratch;
    let packet = ingress.packet;
    let segment = &scratch.segment;
    if segment.acknowledgment != flow.send_next {
        return None;
    }
    let options_at = scratch.headers.bytes();
    let options_bytes = segment.options_bytes;
    words::clear(&mut scratch.options);
    if options_bytes > 0 && !packet.read_bytes(options_at, options_bytes, &mut scratch.options.0) {
        return None;
    }
    let bytes = segment.payload_bytes;
    let payload_at = options_at + options_bytes;
    // Behind the headers where the driver left room for that, else in front of them.
    let has_room = packet.resize(payload_at + bytes)
        || packet.resize(payload_at) && packet.extend_front(bytes as i32);
    if !has_room {
        return None;
    }
    let sum = sum_of_options(&scratch.options) + sum_of_buffer(scratch, bytes);
    let length = bounded(bytes, BUFFER_BYTES as u32)?;
    // SAFETY: the buffer has as many bytes.
    if !unsafe { packet.write_bytes(payload_at, scratch.buffer.bytes.as_ptr(), length) } {
        return None;
    }
    if let Some(length) = bounded(options_bytes, size_of::<Area>() as u32) {
        // SAFETY: the area has as many bytes.
        if !unsafe { packet.write_bytes(options_at, scratch.options.0.as_ptr(), length) } {
            return None;
        }
    }
    let headers = &mut scratch.headers;
    headers.tcp.set_flags(ACK | PSH | scratch.segment.flags & FIN);
    headers.finish(flow.receive_next, options_bytes as u16, bytes as u16, sum);
    packet.write_headers(headers).then_some(())
}

/// The sum of the options, with the zeros behind them.
#[inline(always)]
fn sum_of_options(area: &Area) -> u64 {
    let mut sum = 0;
    let mut at = 0;
    while at < size_of::<Area>() as u64 {
        // SAFETY: the area has that many bytes, a multiple of eight.
        sum += halves(unsafe { words::load(area.0.as_ptr().add(at as usize)) });
        // Else the compiler would write all rounds out.
        at = opaque(at + 8);
    }
    sum
}

/// The sum of the first so many bytes in the buffer.
#[inline(always)]
fn sum_of_buffer(scratch: &Scratch, bytes: u32) -> u64 {
    let mut sum = 0;
    let bytes = u64::from(bytes);
    let mut at = 0;
    while at + 8 <= bytes && at < BUFFER_BYTES as u64 {
        sum += halves(scratch.buffer.word(at as u32));
        at = opaque(at + 8);
    }
    // What follows the last means nothing.
    let rest = bytes & 7;
    sum + halves(scratch.buffer.word(at as u32) & ((1 << (8 * rest)) - 1))
}

/// The sum of the two halves of a word.
#[inline(always)]
const fn halves(word: u64) -> u64 {
    (word & 0xffff_ffff) + (word >> 32)
}
