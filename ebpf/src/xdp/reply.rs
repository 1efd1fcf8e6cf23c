//! Answers without payload, and what all answers say besides: our window and the timestamps.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    transport::RECEIVE_WINDOW,
    wire::{
        TIMESTAMPS_BYTES,
        options::{self, OWN_SHIFT},
        sequence::after,
    },
    words,
};
use zeroserve_shared::{
    flow::{Flow, SCALES},
    reason::Reason,
};

use crate::xdp::{
    packet::bounded,
    scratch::Scratch,
    stage::{Ending, Ingress, run},
};

/// What all answers to a packet say besides.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// Our window, as it stands in the header.
    pub(super) window: u16,
    /// Keeps the layout free of padding.
    reserved: u16,
    /// What our clock says.
    pub(super) own_clock: u32,
    /// What the client's said; zero if no timestamps are sent.
    pub(super) client_clock: u32,
}

/// Bytes of the option with a timestamp.
const LEAST_TIMESTAMPS_BYTES: u32 = 10;

/// Answers to a SYN, and to what belongs to no connection, have no more than they must.
#[inline(always)]
pub(super) fn be_plain(ingress: &mut Ingress<'_>) {
    let manner = &mut ingress.scratch.manner;
    manner.window = RECEIVE_WINDOW;
    manner.client_clock = 0;
}

/// Answers to a client that has no flow yet, but has sent back the cookie in the scratch space.
/// Whether it sends timestamps is to be seen: if both do, each segment has one (RFC 7323 section 3.2).
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_agree(context: *mut xdp_md) -> u32 {
    run(context, |ingress| {
        let client_clock = client_clock(ingress);
        let own_clock = ingress.config.timestamp_clock(ingress.scratch.tick.now_ms);
        let Scratch { manner, remembered, .. } = &mut *ingress.scratch;
        manner.window = window(remembered.window_shift.is_some());
        manner.own_clock = own_clock;
        manner.client_clock = client_clock;
        Ending(0)
    })
}

/// Answers in a flow. A segment without the timestamp that it should have counts all the same, as
/// with Linux.
///
/// What is echoed is the latest clock seen, also if its segment came out of order or brings again
/// what we hold back the acknowledgment of. The rule of RFC 7323 section 4.3 is for receivers that
/// delay acknowledgments; by it the client would take the time of a whole response for a round trip.
#[inline(always)]
pub(super) fn agree_in(ingress: &mut Ingress<'_>, flow: &mut Flow) {
    if flow.client_clock != 0 {
        let clock = client_clock(ingress);
        if clock != 0 && after(clock, flow.client_clock) {
            flow.client_clock = clock;
        }
        let own_clock = ingress.config.timestamp_clock(ingress.scratch.tick.now_ms);
        ingress.scratch.manner.own_clock = own_clock;
    }
    let manner = &mut ingress.scratch.manner;
    manner.window = window(flow.window_shift & SCALES != 0);
    manner.client_clock = flow.client_clock;
}

/// The window as it stands in the header.
#[inline(always)]
const fn window(scales: bool) -> u16 {
    if scales { RECEIVE_WINDOW >> OWN_SHIFT } else { RECEIVE_WINDOW }
}

/// The clock that the segment has in its options; zero if it has none.
#[inline(always)]
fn client_clock(ingress: &Ingress<'_>) -> u32 {
    let scratch = &*ingress.scratch;
    if scratch.segment.options_bytes < LEAST_TIMESTAMPS_BYTES {
        return 0;
    }
    if scratch.segment.options_bytes >= u32::from(TIMESTAMPS_BYTES)
        && let Some(word) = ingress.packet.word(scratch.headers.bytes())
    {
        let clock = options::leading_timestamp(word);
        if clock != 0 {
            return clock;
        }
    }
    zeroserve_find_timestamp(ingress.context)
}

/// Finds the clock where it does not stand first. Global, like a
/// [`stage`](crate::xdp::stage), as all below.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_find_timestamp(context: *mut xdp_md) -> u32 {
    run(context, |ingress| {
        let scratch = &mut *ingress.scratch;
        words::clear(&mut scratch.options);
        let (offset, bytes) = (scratch.headers.bytes(), scratch.segment.options_bytes);
        if !ingress.packet.read_bytes(offset, bytes, &mut scratch.options.0) {
            return Ending(0);
        }
        Ending(options::find_timestamp(&scratch.options))
    })
}

/// Answers with headers only, in place: an acknowledgment, with or without FIN.
#[inline(always)]
pub(super) fn reply_bare(
    ingress: &mut Ingress<'_>,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
) -> Ending {
    Ending(zeroserve_reply(ingress.context, sequence, acknowledgment, u32::from(flags), 0))
}

/// Answers in place without payload, with so many bytes of the options in the scratch space.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_reply(
    context: *mut xdp_md,
    sequence: u32,
    acknowledgment: u32,
    flags: u32,
    options_bytes: u32,
) -> u32 {
    run(context, |ingress| {
        let scratch = &mut *ingress.scratch;
        let packet = ingress.packet;
        let manner = &scratch.manner;
        let headers = &mut scratch.carrier.headers;
        headers.set_reply(&scratch.headers, acknowledgment, flags as u8, manner.window);
        headers.set_timestamps(manner.own_clock, manner.client_clock);
        if !packet.resize(headers.all_bytes() + options_bytes) {
            // On some drivers a frame cannot grow. That of a reset has no timestamp; its answer may
            // go without one rather than not at all.
            headers.set_timestamps(0, 0);
            if !packet.resize(headers.bytes() + options_bytes) {
                return Ending::of(Reason::FrameTooTight);
            }
        }
        let end = headers.all_bytes();
        let mut options_sum = 0;
        if let Some(length) = bounded(options_bytes, size_of_val(&scratch.answer) as u32) {
            options_sum = options::sum(&scratch.answer);
            // SAFETY: the options have as many bytes.
            if !unsafe { packet.write_bytes(end, scratch.answer.as_ptr().cast(), length) } {
                return Ending::of(Reason::FrameTooTight);
            }
        }
        headers.finish(sequence, options_bytes as u16, 0, options_sum);
        if !packet.write_headers(headers) {
            return Ending::of(Reason::FrameTooTight);
        }
        Ending::IN_PLACE
    })
}
