//! Who answers: this program, or the server that listens behind it.
//!
//! Everything that decides about it is here. ARCHITECTURE.md has the same as a table, "In front of
//! a server". What is decided of a connection once is never taken back, but for one case: nobody
//! listens any more before the kernel has been seen to have it.

use zeroserve_shared::{
    flow::{Flow, HANDED, SEATED},
    refusal::Refusal,
};

use crate::{
    request::{self, Asked, RequestScan},
    wire::{
        options::Options,
        tcp::{FIN, RST},
    },
};

/// What the kernel has for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// A socket that listens for it.
    Listener,
    /// The connection itself, or what is left of it.
    Connection,
}

/// Whether a connection that begins with such a SYN could be handed off later. If not, the kernel
/// answers the SYN.
///
/// The kernel takes no smaller segments than these from elsewhere (`bpf_sk_assign_tcp_reqsk`), and
/// a packet with a tag is not yet of the interface that it is for when it could be handed off.
#[inline(always)]
pub const fn can_be_handed_off(offered: &Options, is_ipv6: bool, is_tagged: bool) -> bool {
    const LEAST_IPV4_MSS: u16 = 536;
    const LEAST_IPV6_MSS: u16 = 1220;
    let least = if is_ipv6 { LEAST_IPV6_MSS } else { LEAST_IPV4_MSS };
    offered.mss >= least && !is_tagged
}

/// What becomes of a packet of a connection that has been handed off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It goes up.
    Passes,
    /// It goes up, and the flow is forgotten, because the client closes.
    PassesAndForgotten,
    /// The kernel has to be asked whether it has the connection by now: see [`seat`].
    Asks,
}

/// Looks at a packet of a connection that has been handed off.
#[inline(always)]
pub const fn look(flow: &Flow, flags: u8) -> Handed {
    if flow.window_shift & SEATED == 0 {
        Handed::Asks
    } else if flags & (FIN | RST) != 0 {
        Handed::PassesAndForgotten
    } else {
        Handed::Passes
    }
}

/// What becomes of a packet of a connection that the kernel is being given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// The kernel has the connection: the packet goes up, and nobody needs to ask again.
    Taken,
    /// The packet goes up. If it is the one that begins a socket, it does so now.
    Offered,
    /// It is dropped: the kernel would reset a connection that it does not know. The one before it
    /// will come again, and then this one.
    Early,
    /// It is answered with where the server's part begins: it begins before that, so no socket could
    /// begin with it.
    Told,
    /// Nobody listens any more: the flow is ours again. Nothing of the request has been acknowledged.
    Withdrawn,
}

/// So long after a packet that begins a socket others pass behind it although the kernel does not
/// know the connection yet: it takes packets up in batches. As long as a tick of the kernel's clock
/// can be.
const BATCH_MS: u32 = 10;

/// Decides about a packet of a connection that the kernel is being given; `is_first` is whether it is
/// the one that begins the socket, `repeats` whether it brings again what was answered here, and
/// `since_ms` how long ago the one came that begins the socket.
#[inline(always)]
pub const fn seat(known: Known, is_first: bool, repeats: bool, since_ms: u32) -> Seat {
    match known {
        Known::Connection => Seat::Taken,
        Known::Nothing => Seat::Withdrawn,
        Known::Listener if repeats => Seat::Told,
        Known::Listener if is_first || since_ms <= BATCH_MS => Seat::Offered,
        Known::Listener => Seat::Early,
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is answered here.
    Answered,
    /// It is answered here with 503, because it is the server's and nobody listens.
    Unavailable,
    /// Its connection goes to the server, with this packet.
    HandedOff,
    /// Its connection goes to the server when the client sends it again, with a packet that begins
    /// with it.
    Awaited,
}

/// Whether a request, as far as its first packet goes, is to be answered here if it can be: a
/// complete GET or HEAD without a body, for a path that leads somewhere, that asks for no other
/// protocol and has nothing that a rule names. None is once the programs are about to be detached.
#[inline(always)]
pub const fn is_ours(scan: &RequestScan, is_found: bool, is_draining: bool) -> bool {
    is_found
        && !is_draining
        && !request::has_body(scan)
        && !request::wants_upgrade(scan)
        && !request::bypasses(scan)
}

/// Decides about a request that is not to be answered here if somebody listens.
///
/// `has_begun` is whether some of it came before this packet and has been acknowledged, `is_in_place`
/// whether the packet begins with the request and tells that the client has all that was sent.
#[inline(always)]
pub const fn decide(
    scan: &RequestScan,
    is_found: bool,
    has_begun: bool,
    is_in_place: bool,
    known: Known,
) -> Decision {
    match known {
        _ if has_begun => unserved(scan, is_found),
        Known::Nothing => unserved(scan, is_found),
        Known::Listener | Known::Connection if is_in_place => Decision::HandedOff,
        Known::Listener | Known::Connection => Decision::Awaited,
    }
}

/// What is the server's is answered here with what can be known without it.
#[inline(always)]
const fn unserved(scan: &RequestScan, is_found: bool) -> Decision {
    const METHOD_UNKNOWN: u32 = Refusal::MethodUnknown as u32;
    match request::asked(scan) {
        Asked::Refused if request::refusal_number(scan) == METHOD_UNKNOWN => Decision::Unavailable,
        Asked::Incomplete | Asked::Refused => Decision::Answered,
        Asked::Path if is_found && !request::bypasses(scan) => Decision::Answered,
        Asked::Path | Asked::Options => Decision::Unavailable,
    }
}

/// Whether a packet begins with the request that is next and tells that the client has all that
/// was sent.
#[inline(always)]
pub const fn is_in_place(flow: &Flow, sequence: u32, acknowledgment: u32) -> bool {
    sequence == flow.receive_next && acknowledgment == flow.send_next
}

/// Whether a flow has been handed off.
#[inline(always)]
pub const fn is_handed_off(flow: &Flow) -> bool {
    flow.window_shift & HANDED != 0
}

#[cfg(test)]
mod tests;
