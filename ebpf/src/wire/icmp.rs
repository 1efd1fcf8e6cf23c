//! The ICMP messages that say that a packet was too large for a link: fragmentation needed
//! (RFC 792, with the MTU of RFC 1191) and, in ICMPv6, packet too big (RFC 4443 section 3.2).

use crate::wire::{ipv4::Ipv4, ipv6::Ipv6, tcp};

/// Type and code of "fragmentation needed and DF set".
pub const FRAGMENTATION_NEEDED: [u8; 2] = [3, 4];
/// Type and code of "packet too big".
pub const PACKET_TOO_BIG: [u8; 2] = [2, 0];

/// The smallest MTU that is believed of a link that carries IPv4. Links may go down to 68 bytes
/// (RFC 791 section 3.2), but none does, and a datagram of 576 bytes is what every host takes. A
/// forged message can do no more harm than that.
const LEAST_IPV4_MTU: u32 = 576;
/// The smallest MTU of a link that carries IPv6. A message that tells of less is to be discarded
/// (RFC 8201 section 4).
const LEAST_IPV6_MTU: u32 = 1280;

/// What is quoted of a TCP segment: never less than this (RFC 792).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotedTcp {
    /// Our port, in network byte order.
    pub source: [u8; 2],
    /// The client's port, in network byte order.
    pub destination: [u8; 2],
    sequence: [u8; 4],
}

impl QuotedTcp {
    /// Sequence number of the first byte.
    #[inline(always)]
    pub const fn sequence(&self) -> u32 {
        u32::from_be_bytes(self.sequence)
    }
}

/// "Fragmentation needed", with the beginning of the packet that was too large.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentationNeeded {
    type_and_code: [u8; 2],
    checksum: [u8; 2],
    unused: [u8; 2],
    mtu: [u8; 2],
    /// The network-layer header of that packet.
    pub quoted: Ipv4,
    /// Its transport-layer header, if [`FragmentationNeeded::is_about_tcp`].
    pub tcp: QuotedTcp,
}

impl FragmentationNeeded {
    /// Whether the packet was one of TCP and the first of its fragments. Ours have no options.
    #[inline(always)]
    pub const fn is_about_tcp(&self) -> bool {
        self.quoted.protocol() == tcp::PROTOCOL
            && !self.quoted.has_options()
            && !self.quoted.is_fragment()
    }

    /// The MTU of the next link, in bytes. A router from before RFC 1191 tells none; then it is
    /// taken to be the least.
    #[inline(always)]
    pub const fn mtu(&self) -> u32 {
        let mtu = u16::from_be_bytes(self.mtu) as u32;
        if mtu > LEAST_IPV4_MTU { mtu } else { LEAST_IPV4_MTU }
    }
}

/// "Packet too big", with the beginning of that packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketTooBig {
    type_and_code: [u8; 2],
    checksum: [u8; 2],
    mtu: [u8; 4],
    /// The network-layer header of that packet.
    pub quoted: Ipv6,
    /// Its transport-layer header, if [`PacketTooBig::is_about_tcp`].
    pub tcp: QuotedTcp,
}

impl PacketTooBig {
    /// Whether the packet was one of TCP. Ours have no extension headers.
    #[inline(always)]
    pub fn is_about_tcp(&self) -> bool {
        self.quoted.is_sound() && self.quoted.next_header() == tcp::PROTOCOL
    }

    /// The MTU of the next link, in bytes, if it can be one.
    #[inline(always)]
    pub const fn mtu(&self) -> Option<u32> {
        let mtu = u32::from_be_bytes(self.mtu);
        if mtu < LEAST_IPV6_MTU { None } else { Some(mtu) }
    }
}

const _: () = zeroserve_shared::size_is::<FragmentationNeeded, 36>();
const _: () = zeroserve_shared::size_is::<PacketTooBig, 56>();
