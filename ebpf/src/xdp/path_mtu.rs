//! Routers that say that a segment is too large for their next link (RFC 1191, RFC 8201).
//!
//! Only the flow whose segment is quoted is narrowed, and only if the quoted sequence number is on
//! its way, which somebody who cannot see the connection has to guess (RFC 5927 section 7). The
//! message is also what wakes us: what has been lost is sent again at once, in smaller segments,
//! because the client knows nothing of it and would wait for its timer.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    transport::{self, is_sending},
    wire::{
        Headers, TIMESTAMPS_BYTES, icmp::QuotedTcp, ipv4::Ipv4, ipv6::Ipv6, sequence::distance,
        tcp::Tcp,
    },
};
use zeroserve_shared::{config::mapped, flow::Flow, reason::Reason};

use crate::xdp::{
    burst, flows, front, reply,
    stage::{Ending, Ingress, run},
};

/// Handles a message that a packet was too large.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_narrow(context: *mut xdp_md) -> u32 {
    run(context, |ingress| {
        let is_ipv6 = ingress.scratch.headers.is_ipv6();
        let read = if is_ipv6 { read_ipv6(ingress) } else { read_ipv4(ingress) };
        let Some(Quoted { tcp, mss }) = read else {
            return Ending::of(Reason::NotTcp);
        };
        let key = &mut ingress.scratch.segment.key;
        key.local_port = tcp.source;
        key.remote_port = tcp.destination;
        ingress.scratch.update_tick(ingress.config);
        flows::zeroserve_find_flow();
        let Some(flow) = flows::found(&ingress.scratch.segment) else {
            // The kernel has connections, too.
            return Ending::of(Reason::NotTcp);
        };
        if front::is_handed_off(flow) {
            return Ending::of(Reason::NotTcp);
        }
        // SAFETY: the element stays valid for this call; see `run_on` on others who change it.
        take(ingress, unsafe { &mut *flow }, &Quoted { tcp, mss })
    })
}

/// What a message says about a segment of TCP.
struct Quoted {
    tcp: QuotedTcp,
    /// The most payload that the link takes; none if that cannot be true.
    mss: Option<u16>,
}

/// Reads a message of ICMP, if it is about TCP; takes down whose connection it is about.
#[inline(always)]
fn read_ipv4(ingress: &mut Ingress<'_>) -> Option<Quoted> {
    let scratch = &mut *ingress.scratch;
    if scratch.headers.ipv4().has_options() || scratch.headers.ipv4().is_fragment() {
        return None;
    }
    let message = &mut scratch.fragmentation_needed;
    if !ingress.packet.read_into(offset(&scratch.headers), message) || !message.is_about_tcp() {
        return None;
    }
    scratch.segment.key.local = mapped(message.quoted.source());
    scratch.segment.key.remote = mapped(message.quoted.destination());
    // As if the client had sent it.
    *scratch.headers.ipv4_mut() = message.quoted.reply();
    Some(Quoted { tcp: message.tcp, mss: Some(payload(message.mtu(), size_of::<Ipv4>())) })
}

/// Reads a message of ICMPv6, if it is about TCP; takes down whose connection it is about.
#[inline(always)]
fn read_ipv6(ingress: &mut Ingress<'_>) -> Option<Quoted> {
    let scratch = &mut *ingress.scratch;
    let message = &mut scratch.packet_too_big;
    if !ingress.packet.read_into(offset(&scratch.headers), message) || !message.is_about_tcp() {
        return None;
    }
    scratch.segment.key.local = message.quoted.source();
    scratch.segment.key.remote = message.quoted.destination();
    // As if the client had sent it.
    scratch.headers.ipv6_mut().set_reply(&message.quoted);
    let mss = message.mtu().map(|mtu| payload(mtu, size_of::<Ipv6>()));
    Some(Quoted { tcp: message.tcp, mss })
}

/// Where the message begins in the frame: where TCP would.
#[inline(always)]
fn offset(headers: &Headers) -> u32 {
    headers.bytes().wrapping_sub(size_of::<Tcp>() as u32)
}

/// The payload of the largest segment that fits, behind an IP header of so many bytes.
#[inline(always)]
fn payload(mtu: u32, header_bytes: usize) -> u16 {
    let payload = mtu.saturating_sub((header_bytes + size_of::<Tcp>()) as u32);
    if payload > u16::MAX as u32 { u16::MAX } else { payload as u16 }
}

/// Makes the segments of a flow smaller, if what is said about it can be true, and sends what has
/// been lost again.
#[inline(always)]
fn take(ingress: &mut Ingress<'_>, flow: &mut Flow, quoted: &Quoted) -> Ending {
    let sequence = quoted.tcp.sequence();
    let is_on_its_way =
        distance(sequence, flow.send_unacknowledged) >= 0 && distance(sequence, flow.send_next) < 0;
    let Some(mss) = quoted.mss else {
        return Ending::of(Reason::PathMtuRefused);
    };
    if !is_on_its_way {
        return Ending::of(Reason::PathMtuRefused);
    }
    // Nothing is known of the client but what the flow knows.
    ingress.scratch.segment.options_bytes = 0;
    reply::agree_in(ingress, flow);
    let mss = if flow.client_clock != 0 { mss.saturating_sub(TIMESTAMPS_BYTES) } else { mss };
    // Never wider: a burst brings such a message for each of its segments.
    if mss >= flow.mss {
        return Ending::of(Reason::PathMtuNoted);
    }
    transport::narrow(flow, mss);
    ingress.counters.flows_narrowed += 1;
    if !is_sending(flow) {
        return Ending::of(Reason::PathMtuNoted);
    }
    let scratch = &mut *ingress.scratch;
    scratch.headers.tcp.set_ports(quoted.tcp.destination, quoted.tcp.source);
    let arrival = &mut scratch.work.arrival;
    arrival.acknowledgment = flow.send_unacknowledged;
    arrival.window = flow.peer_window();
    arrival.now_ms = scratch.tick.now_ms;
    arrival.repeats = false;
    arrival.block_count = 0;
    let ending = burst::send(ingress, flow);
    if ending == Ending::of(Reason::AckConsumed) {
        Ending::of(Reason::PathMtuNoted)
    } else {
        ending
    }
}
