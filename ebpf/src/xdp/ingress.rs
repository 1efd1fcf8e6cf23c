//! The XDP program: whose packet is it, and what becomes of it.

use aya_ebpf::{bindings::xdp_md, macros::xdp, programs::XdpContext};
use zeroserve_ebpf::{
    bounds::opaque,
    wire::{
        HEADER_BYTES, Headers,
        ethernet::{self, Ethernet},
        ipv4::{self, Ipv4},
        tcp::{ACK, FIN, RST, SYN, Tcp},
    },
};
use zeroserve_shared::{
    config::{Config, mapped},
    reason::{Reason, Verdict},
};

use crate::xdp::{
    burst, connection, handshake,
    maps::{ADDRESSES, COUNTERS, FLOWS},
    observe,
    packet::Packet,
    scratch::{Scratch, Segment},
    stage::{Ending, Ingress},
};

/// Entered for every packet that the interface receives.
#[xdp]
pub(super) fn zeroserve(context: XdpContext) -> u32 {
    let Some(counters) = COUNTERS.get_ptr_mut(0) else {
        return Verdict::Aborted as u32;
    };
    // SAFETY: the element is this CPU's own, and nothing else refers to it during this call.
    let counters = unsafe { &mut *counters };
    let packet = Packet::new(context.ctx);
    counters.packets_in += 1;
    counters.bytes_in += u64::from(packet.length());
    let ending = match serve(context.ctx) {
        Ending::READY => Ending(burst::zeroserve_depart(context.ctx)),
        ending => ending,
    };
    let verdict = match ending {
        Ending::IN_PLACE => {
            counters.packets_out += 1;
            counters.bytes_out += u64::from(packet.length());
            Verdict::Tx
        }
        Ending::BURST => Verdict::Redirect,
        Ending(number) => {
            let index = opaque(u64::from(number));
            if index < Reason::COUNT as u64 {
                counters.reasons[index as usize] += 1;
            }
            if observe::wants_packet(number) {
                observe::zeroserve_observe_packet(context.ctx, number);
            }
            verdict_of(number)
        }
    };
    counters.verdicts[verdict as usize] += 1;
    verdict as u32
}

/// The verdict of a reason, by its number. Sets of reasons in a word each, because a table would
/// need a map of its own.
#[inline(always)]
const fn verdict_of(number: u32) -> Verdict {
    const fn reasons(verdict: Verdict) -> u64 {
        let mut set = 0;
        let mut index = 0;
        while index < Reason::COUNT {
            if Reason::ALL[index].verdict() as u32 == verdict as u32 {
                set |= 1 << index;
            }
            index += 1;
        }
        set
    }
    const PASS: u64 = reasons(Verdict::Pass);
    const DROP: u64 = reasons(Verdict::Drop);
    const { assert!(Reason::COUNT <= 64) };
    if PASS >> (number & 63) & 1 != 0 {
        Verdict::Pass
    } else if DROP >> (number & 63) & 1 != 0 {
        Verdict::Drop
    } else {
        Verdict::Aborted
    }
}

#[inline(always)]
fn serve(context: *mut xdp_md) -> Ending {
    let Some(mut ingress) = Ingress::new(context) else {
        return Ending::of(Reason::MapMissing);
    };
    match read_headers(ingress.packet, ingress.config, ingress.scratch) {
        Some(reason) => Ending::of(reason),
        None => dispatch(&mut ingress),
    }
}

/// Reads the headers and sorts out what is not ours.
#[inline(always)]
fn read_headers(packet: Packet, config: &Config, scratch: &mut Scratch) -> Option<Reason> {
    let headers = &mut scratch.headers;
    if !packet.read_into(0, headers) {
        return Some(judge_short(packet));
    }
    if headers.ethernet.ether_type() != ethernet::IPV4 {
        return Some(Reason::NotIpv4);
    }
    if headers.ipv4.protocol() != ipv4::TCP {
        return Some(Reason::NotTcp);
    }
    if headers.ipv4.has_options() {
        let is_sound = headers.ipv4.is_sound();
        return Some(if is_sound { Reason::IpOptions } else { Reason::MalformedHeader });
    }
    if headers.ipv4.is_fragment() {
        return Some(Reason::IpFragment);
    }
    if headers.tcp.destination() != config.port.to_be_bytes() {
        return Some(Reason::OtherPort);
    }
    let is_sound = read_segment(&mut scratch.segment, headers, packet.length());
    if is_sound { None } else { Some(Reason::MalformedHeader) }
}

/// What a frame is that is too short for all three headers.
#[inline(always)]
fn judge_short(packet: Packet) -> Reason {
    let Some(ethernet) = packet.read::<Ethernet>(0) else {
        return Reason::MalformedHeader;
    };
    if ethernet.ether_type() != ethernet::IPV4 {
        return Reason::NotIpv4;
    }
    match packet.read::<Ipv4>(size_of::<Ethernet>() as u32) {
        Some(header) if header.protocol() != ipv4::TCP => Reason::NotTcp,
        _ => Reason::MalformedHeader,
    }
}

/// Takes down what the headers say; false if their lengths contradict each other or the frame's.
#[inline(always)]
fn read_segment(segment: &mut Segment, headers: &Headers, frame_bytes: u32) -> bool {
    let ip_bytes = u32::from(headers.ipv4.total_bytes());
    let tcp_header_bytes = u32::from(headers.tcp.header_bytes());
    let headers_bytes = size_of::<Ipv4>() as u32 + tcp_header_bytes;
    if tcp_header_bytes < size_of::<Tcp>() as u32
        || ip_bytes < headers_bytes
        || size_of::<Ethernet>() as u32 + ip_bytes > frame_bytes
    {
        return false;
    }
    // One field at a time: a struct would be put together on the stack first.
    segment.key.remote = mapped(headers.ipv4.source());
    segment.key.local = mapped(headers.ipv4.destination());
    segment.key.remote_port = headers.tcp.source();
    segment.key.local_port = headers.tcp.destination();
    segment.key.vlans = [[0; 2]; 2];
    segment.sequence = headers.tcp.sequence();
    segment.acknowledgment = headers.tcp.acknowledgment();
    segment.payload_offset = size_of::<Ethernet>() as u32 + headers_bytes;
    segment.payload_bytes = ip_bytes - headers_bytes;
    segment.options_bytes = tcp_header_bytes - size_of::<Tcp>() as u32;
    segment.window = headers.tcp.window();
    segment.flags = headers.tcp.flags();
    true
}

/// Decides who handles a segment for our port.
#[inline(always)]
fn dispatch(ingress: &mut Ingress<'_>) -> Ending {
    let flags = ingress.scratch.segment.flags;
    match flags & (SYN | ACK | FIN | RST) {
        SYN => {
            if !is_local(&ingress.scratch.segment) {
                return Ending::of(Reason::NotLocal);
            }
            return Ending(handshake::zeroserve_answer(ingress.context));
        }
        // The answer to a connection that somebody here opened from this port.
        flags if flags == SYN | ACK => return Ending::of(Reason::UnknownConnection),
        flags if flags & SYN != 0 => return Ending::of(Reason::FlagsInvalid),
        flags if flags & (ACK | RST) == 0 => return Ending::of(Reason::FlagsInvalid),
        _ => {}
    }
    if let Some(flow) = FLOWS.get_ptr_mut(&ingress.scratch.segment.key) {
        // SAFETY: the element stays valid for this call.
        let Some(refusal) = connection::refusal(ingress, unsafe { &*flow }) else {
            return Ending(connection::zeroserve_handle(ingress.context, flow));
        };
        // The client may have forgotten the old connection and begun another.
        let ending = Ending(handshake::zeroserve_resume(ingress.context));
        return if ending == Ending::of(Reason::UnknownConnection) {
            Ending::of(refusal)
        } else {
            ending
        };
    }
    if flags & RST != 0 || !is_local(&ingress.scratch.segment) {
        return Ending::of(Reason::UnknownConnection);
    }
    Ending(handshake::zeroserve_resume(ingress.context))
}

/// Whether the segment is for an address of this interface.
#[inline(always)]
fn is_local(segment: &Segment) -> bool {
    // SAFETY: the value is never read, so it does not matter if its element is reused.
    unsafe { ADDRESSES.get(&segment.key.local) }.is_some()
}

/// Answers with headers only, in place: an acknowledgment, with or without FIN.
#[inline(always)]
pub(super) fn reply_bare(
    ingress: &mut Ingress<'_>,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
) -> Ending {
    let scratch = &mut *ingress.scratch;
    let headers = &mut scratch.outgoing;
    headers.set_reply(&scratch.headers, acknowledgment, flags, RECEIVE_WINDOW);
    headers.finish(sequence, 0, 0, 0);
    if !ingress.packet.resize(HEADER_BYTES as u32) || !ingress.packet.write(0, headers) {
        return Ending::of(Reason::FrameTooTight);
    }
    Ending::IN_PLACE
}

/// The window we offer, in bytes: nothing is buffered, so it need not be scaled.
pub(super) const RECEIVE_WINDOW: u16 = u16::MAX;
