//! The XDP program: whose packet is it, and what becomes of it.

use aya_ebpf::{bindings::xdp_md, macros::xdp, programs::XdpContext};
use zeroserve_ebpf::{
    bounds::opaque,
    ownership::Known,
    transport::admit::Admission,
    wire::{
        Headers,
        ethernet::{self, ETHERNET_BYTES, TAG_BYTES},
        header_bytes,
        ipv4::Ipv4,
        ipv6::{self, Ipv6},
        tcp::{self, ACK, FIN, RST, SYN, Tcp},
    },
    words,
};
use zeroserve_shared::reason::{Reason, Verdict};

use crate::xdp::{
    burst, connection, flows, front, handshake,
    maps::COUNTERS,
    observe,
    packet::Packet,
    path_mtu,
    scratch::Segment,
    stage::{Ending, Ingress, run},
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
    let ending = match Ingress::new(context.ctx) {
        Some(mut ingress) => match serve(&mut ingress) {
            Ending::READY => burst::send_off(&mut ingress),
            ending => ending,
        },
        None => Ending::of(Reason::MapMissing),
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
fn serve(ingress: &mut Ingress<'_>) -> Ending {
    match read_headers(ingress) {
        Some(ending) => ending,
        None => dispatch(ingress),
    }
}

/// Reads the headers and sorts out what is not ours.
#[inline(always)]
fn read_headers(ingress: &mut Ingress<'_>) -> Option<Ending> {
    let scratch = &mut *ingress.scratch;
    let headers = &mut scratch.headers;
    ingress.packet.expect_payload();
    // As those of most frames first. Of any other, the link layer's are then there to be looked at.
    if !ingress.packet.read_least_headers(headers) {
        return Some(Ending(zeroserve_judge_short(ingress.context)));
    }
    scratch.segment.key.vlans = [[0; 2]; 2];
    if headers.beginning().ether_type(0) != ethernet::IPV4 {
        let link = *headers.beginning();
        let tags = link.tags();
        let Some(bytes) = header_bytes(&link, tags) else {
            return Some(Ending::of(Reason::NotIp));
        };
        scratch.segment.key.vlans = link.vlans(tags);
        headers.set_bytes(bytes);
        if !ingress.packet.read_headers(headers) {
            return Some(Ending(zeroserve_judge_short(ingress.context)));
        }
    }
    let refusal = if headers.is_ipv6() { judge_ipv6(headers) } else { judge_ipv4(headers) };
    if let Some(reason) = refusal {
        // Type and code of an ICMP message stand where TCP has a port.
        let kind = headers.tcp.source();
        let is_too_big = reason == Reason::NotTcp && headers.is_too_big(kind);
        return Some(if is_too_big {
            Ending(path_mtu::zeroserve_narrow(ingress.context))
        } else {
            Ending::of(reason)
        });
    }
    if headers.tcp.destination() != ingress.config.port.to_be_bytes() {
        return Some(Ending::of(Reason::OtherPort));
    }
    let is_sound = read_segment(&mut scratch.segment, headers, ingress.packet.length());
    if is_sound { None } else { Some(Ending::of(Reason::MalformedHeader)) }
}

/// Why an IPv4 packet is none of TCP's that can be read, if it is none.
#[inline(always)]
fn judge_ipv4(headers: &Headers) -> Option<Reason> {
    let header = headers.ipv4();
    if header.protocol() != tcp::PROTOCOL {
        return Some(Reason::NotTcp);
    }
    if header.has_options() {
        return Some(if header.is_sound() { Reason::IpOptions } else { Reason::MalformedHeader });
    }
    if header.is_fragment() { Some(Reason::IpFragment) } else { None }
}

/// Why an IPv6 packet is none of TCP's that can be read, if it is none.
#[inline(always)]
fn judge_ipv6(headers: &Headers) -> Option<Reason> {
    let header = headers.ipv6();
    if header.next_header() != tcp::PROTOCOL {
        let is_extension = ipv6::is_extension(header.next_header());
        return Some(if is_extension { Reason::Ipv6Extension } else { Reason::NotTcp });
    }
    if header.is_sound() { None } else { Some(Reason::MalformedHeader) }
}

/// Says why a frame leaves that is too short for all its headers.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_judge_short(context: *mut xdp_md) -> u32 {
    run(context, |ingress| Ending::of(judge_short(ingress)))
}

#[inline(always)]
fn judge_short(ingress: &mut Ingress<'_>) -> Reason {
    let area = &mut ingress.scratch.options;
    words::clear(area);
    let length = ingress.packet.length();
    let bytes = if length < area.0.len() as u32 { length } else { area.0.len() as u32 };
    if bytes < ETHERNET_BYTES || !ingress.packet.read_bytes(0, bytes, &mut area.0) {
        return Reason::MalformedHeader;
    }
    let link = area.link();
    let tags = link.tags();
    let at = ETHERNET_BYTES + tags * TAG_BYTES;
    // Where the protocol stands, and how long the header is.
    let (place, end) = match link.ether_type(tags) {
        ethernet::IPV4 => (at + 9, at + size_of::<Ipv4>() as u32),
        ethernet::IPV6 => (at + 6, at + size_of::<Ipv6>() as u32),
        _ => return Reason::NotIp,
    };
    let protocol = area.at(place as usize);
    if length < end || protocol == tcp::PROTOCOL {
        Reason::MalformedHeader
    } else if link.ether_type(tags) == ethernet::IPV6 && ipv6::is_extension(protocol) {
        Reason::Ipv6Extension
    } else {
        Reason::NotTcp
    }
}

/// Takes down what the headers say; false if their lengths contradict each other or the frame's.
#[inline(always)]
fn read_segment(segment: &mut Segment, headers: &Headers, frame_bytes: u32) -> bool {
    let tcp_header_bytes = u32::from(headers.tcp.header_bytes());
    let tcp_bytes = headers.tcp_bytes();
    let tcp_offset = headers.bytes().wrapping_sub(size_of::<Tcp>() as u32);
    if tcp_header_bytes < size_of::<Tcp>() as u32
        || tcp_bytes < tcp_header_bytes
        || tcp_offset + tcp_bytes > frame_bytes
    {
        return false;
    }
    // One field at a time: a struct would be put together on the stack first.
    if headers.is_ipv6() {
        segment.key.remote = headers.ipv6().source();
        segment.key.local = headers.ipv6().destination();
    } else {
        words::store_mapped(&mut segment.key.remote, headers.ipv4().source());
        words::store_mapped(&mut segment.key.local, headers.ipv4().destination());
    }
    segment.key.remote_port = headers.tcp.source();
    segment.key.local_port = headers.tcp.destination();
    segment.sequence = headers.tcp.sequence();
    segment.acknowledgment = headers.tcp.acknowledgment();
    segment.payload_offset = tcp_offset + tcp_header_bytes;
    segment.payload_bytes = tcp_bytes - tcp_header_bytes;
    segment.options_bytes = tcp_header_bytes - size_of::<Tcp>() as u32;
    segment.window = headers.tcp.window();
    segment.flags = headers.tcp.flags();
    true
}

/// Decides who handles a segment for our port.
#[inline(always)]
fn dispatch(ingress: &mut Ingress<'_>) -> Ending {
    ingress.scratch.update_tick(ingress.config);
    let flags = ingress.scratch.segment.flags;
    flows::zeroserve_find_flow();
    match flags & (SYN | ACK | FIN | RST) {
        SYN => {
            if !is_ours(ingress) {
                return Ending::of(Reason::NotLocal);
            }
            if ingress.config.hands_off() && front::known_at_once(ingress) == Known::Connection {
                return Ending::of(Reason::HandedOff);
            }
            if let Some(flow) = flows::found(&ingress.scratch.segment) {
                if front::is_handed_off(flow) {
                    // The kernel does not have it any more, as was just seen.
                    connection::remove(ingress);
                    return begin(ingress);
                }
                // SAFETY: the element stays valid for this call.
                let admission = connection::admit(ingress.scratch, unsafe { &*flow });
                if admission != Admission::Begins {
                    let refused =
                        connection::zeroserve_refuse(ingress.context, flow, admission as u32);
                    return Ending(refused);
                }
            }
            return begin(ingress);
        }
        // The answer to a connection that somebody here opened from this port.
        flags if flags == SYN | ACK => return Ending::of(Reason::UnknownConnection),
        flags if flags & SYN != 0 => return Ending::of(Reason::FlagsInvalid),
        flags if flags & (ACK | RST) == 0 => return Ending::of(Reason::FlagsInvalid),
        _ => {}
    }
    if let Some(flow) = flows::found(&ingress.scratch.segment) {
        if front::is_handed_off(flow) {
            let ending = front::pass(ingress, flow);
            if ending != Ending::OURS {
                return ending;
            }
        }
        // SAFETY: the element stays valid for this call.
        let admission = connection::admit(ingress.scratch, unsafe { &*flow });
        if admission == Admission::Belongs {
            return Ending(connection::zeroserve_handle(ingress.context, flow));
        }
        if flags & RST == 0 {
            // The client may have forgotten the old connection and begun another.
            let ending = Ending(handshake::zeroserve_resume(ingress.context));
            if ending != Ending::of(Reason::UnknownConnection) {
                return ending;
            }
        }
        return Ending(connection::zeroserve_refuse(ingress.context, flow, admission as u32));
    }
    if flags & RST != 0 || !is_ours(ingress) {
        return Ending::of(Reason::UnknownConnection);
    }
    Ending(handshake::zeroserve_resume(ingress.context))
}

/// Handles a SYN that begins a connection.
#[inline(always)]
fn begin(ingress: &mut Ingress<'_>) -> Ending {
    if ingress.config.is_draining() {
        connection::remove(ingress);
        return Ending::of(Reason::LeftToServer);
    }
    Ending(handshake::zeroserve_answer(ingress.context))
}

/// Whether the segment is for an address of this interface, in the VLAN it came through. To a
/// whole group of stations TCP does not answer (RFC 9293 section 3.9.2.3), whatever the address.
#[inline(always)]
fn is_ours(ingress: &mut Ingress<'_>) -> bool {
    !ingress.scratch.segment.is_elsewhere() && !ingress.scratch.headers.is_to_group()
}
