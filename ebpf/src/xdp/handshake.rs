//! SYN cookies out and back: nothing is stored until a client has proved its address and asked
//! for something.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    cookie::{self, Remembered},
    ownership::can_be_handed_off,
    transport::SLOW_START_SEGMENTS,
    wire::{
        TIMESTAMPS_BYTES,
        options::{self, Area, Options},
        tcp::{ACK, FIN, SYN},
    },
    words,
};
use zeroserve_shared::{
    config::Config,
    flow::{SACKS, SCALES},
    reason::Reason,
};

use crate::xdp::{
    early, exchange, front,
    reply::{self, reply_bare, zeroserve_reply},
    scratch::{Scratch, Segment},
    stage::{Ending, Ingress, run},
};

/// Answers a SYN with a cookie.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_answer(context: *mut xdp_md) -> u32 {
    run(context, answer)
}

#[inline(always)]
fn answer(ingress: &mut Ingress<'_>) -> Ending {
    let scratch = &mut *ingress.scratch;
    words::clear(&mut scratch.options);
    let bytes = scratch.segment.options_bytes;
    let end = scratch.headers.bytes();
    if bytes > 0 && !ingress.packet.read_bytes(end, bytes, &mut scratch.options.0) {
        return Ending::of(Reason::MalformedHeader);
    }
    zeroserve_parse_syn(&scratch.options, &mut scratch.offered);
    let is_tagged = scratch.segment.key.vlans != [[0; 2]; 2];
    if ingress.config.hands_off()
        && !can_be_handed_off(&scratch.offered, scratch.headers.is_ipv6(), is_tagged)
    {
        return Ending::of(Reason::LeftToServer);
    }
    let mss = ingress.config.mss(scratch.headers.network_bytes());
    let wanted_bytes;
    let clock = ingress.config.timestamp_clock(scratch.tick.now_ms);
    (scratch.answer, wanted_bytes) = options::answer_syn(&scratch.offered, mss, clock);
    let packet = ingress.packet;
    // On some drivers a frame cannot grow. A SYN with fewer options than we have to say then
    // gets an answer without any: its sender assumes our MSS to be 536.
    let mut options_bytes = wanted_bytes;
    if !packet.resize(end + u32::from(wanted_bytes)) {
        options_bytes = 0;
        scratch.offered.scales = false;
        scratch.offered.sack = false;
    }
    reply::be_plain(ingress);
    let scratch = &*ingress.scratch;
    let Scratch { segment, offered, tick, .. } = scratch;
    let cookie = zeroserve_make_cookie(ingress.config, segment, offered, tick.slot);
    let acknowledgment = scratch.segment.sequence.wrapping_add(1);
    let flags = u32::from(SYN | ACK);
    let ending =
        zeroserve_reply(ingress.context, cookie, acknowledgment, flags, options_bytes.into());
    if Ending(ending) == Ending::IN_PLACE {
        ingress.counters.handshakes += 1;
    }
    Ending(ending)
}

/// Handles a segment that belongs to no flow: it may bring a cookie back.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_resume(context: *mut xdp_md) -> u32 {
    run(context, resume)
}

#[inline(always)]
fn resume(ingress: &mut Ingress<'_>) -> Ending {
    if !check(ingress, 1) {
        // After a connection that asked for nothing, the client acknowledges our FIN.
        let closed = check(ingress, 2) && ingress.scratch.remembered.ahead == 0;
        if ingress.scratch.segment.payload_bytes == 0 && closed {
            return Ending::of(Reason::ConnectionClosed);
        }
        if ingress.config.hands_off() {
            front::learn(ingress);
        }
        return Ending::of(Reason::UnknownConnection);
    }
    reply::zeroserve_agree(ingress.context);
    let scratch = &mut *ingress.scratch;
    let (segment, remembered) = (&scratch.segment, &scratch.remembered);
    if remembered.ahead != 0 {
        return Ending(early::zeroserve_early(ingress.context, remembered.ahead));
    }
    if segment.payload_bytes > 0 {
        let window_shift = remembered.window_shift.unwrap_or(0);
        let most = ingress.config.mss(scratch.headers.network_bytes());
        let mut mss = remembered.mss.min(most);
        let client_clock = scratch.manner.client_clock;
        if client_clock != 0 {
            mss = mss.wrapping_sub(TIMESTAMPS_BYTES);
        }
        // One field at a time: a struct would be put together on the stack first.
        let flow = &mut scratch.flow;
        words::clear(flow);
        flow.client_clock = client_clock;
        flow.receive_next = segment.sequence;
        flow.acknowledged = segment.sequence;
        flow.send_unacknowledged = segment.acknowledgment;
        flow.send_next = segment.acknowledgment;
        flow.unscaled_window = segment.window;
        flow.slow_start_threshold = SLOW_START_SEGMENTS * u32::from(mss);
        flow.mss = mss;
        flow.window_shift = window_shift;
        if remembered.window_shift.is_some() {
            flow.window_shift |= SCALES;
        }
        if remembered.sack {
            flow.window_shift |= SACKS;
        }
        return exchange::first_request(ingress);
    }
    if segment.has(FIN) {
        // Closed without a request. No flow remembers our FIN, but should it get lost, the
        // client's repeat of its own brings us here again.
        let (sequence, acknowledgment) = (segment.acknowledgment, segment.sequence.wrapping_add(1));
        return reply_bare(ingress, sequence, acknowledgment, FIN | ACK);
    }
    Ending::of(Reason::HandshakeComplete)
}

/// Takes down what the cookie says that the client got `advance` sequence numbers ago; false if it is
/// not valid.
#[inline(always)]
fn check(ingress: &mut Ingress<'_>, advance: u32) -> bool {
    let Scratch { segment, remembered, tick, .. } = &mut *ingress.scratch;
    zeroserve_check_cookie(ingress.config, segment, advance, remembered, tick.slot) != 0
}

// The functions below are global for the same reason as the stages.

/// Reads the options of a SYN.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_parse_syn(area: *const Area, offered: *mut Options) -> u32 {
    // SAFETY: the callers pass references; the verifier has both checked for null.
    if let (Some(area), Some(offered)) = unsafe { (area.as_ref(), offered.as_mut()) } {
        *offered = options::parse_syn(area);
    }
    0
}

/// Makes the cookie for a SYN.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_make_cookie(
    config: *const Config,
    segment: *const Segment,
    offered: *const Options,
    slot: u32,
) -> u32 {
    // SAFETY: the callers pass references; the verifier has all checked for null.
    let all = unsafe { (config.as_ref(), segment.as_ref(), offered.as_ref()) };
    let (Some(config), Some(segment), Some(offered)) = all else {
        return 0;
    };
    cookie::make(config.cookie_key, &segment.key, segment.sequence, slot, offered)
}

/// Checks the cookie in a segment's acknowledgment number; 1 if it is valid.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_check_cookie(
    config: *const Config,
    segment: *const Segment,
    advance: u32,
    remembered: *mut Remembered,
    slot: u32,
) -> u32 {
    // SAFETY: the callers pass references; the verifier has all checked for null.
    let all = unsafe { (config.as_ref(), segment.as_ref(), remembered.as_mut()) };
    let (Some(config), Some(segment), Some(remembered)) = all else {
        return 0;
    };
    let sequence = segment.sequence.wrapping_sub(advance);
    let cookie = segment.acknowledgment.wrapping_sub(advance);
    match cookie::check(config.cookie_key, &segment.key, sequence, slot, cookie) {
        Some(found) => {
            *remembered = found;
            1
        }
        None => 0,
    }
}
