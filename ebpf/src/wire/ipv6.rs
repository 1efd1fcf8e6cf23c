//! IPv6 (RFC 8200), without extension headers.

use crate::{checksum, words};

/// Next header of ICMPv6.
pub const ICMP: u8 = 58;

/// Hop limit of what is sent: the kernel's default, as for IPv4.
const HOP_LIMIT: u8 = 64;
/// The version, in the first four bits.
const VERSION: u8 = 0x60;
/// The part of the flow label that shares a byte with the traffic class.
const LABEL_MASK: u8 = 0x0f;

/// The network-layer header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    version_class_label: [u8; 4],
    payload_bytes: [u8; 2],
    next_header: u8,
    hop_limit: u8,
    source: [u8; 16],
    destination: [u8; 16],
}

impl Ipv6 {
    /// Whether the version is 6, and the addresses are not those of IPv4 in disguise, which must
    /// not be seen on the wire (RFC 4942 section 2.2) and would be taken for IPv4's own.
    #[inline(always)]
    pub fn is_sound(&self) -> bool {
        self.version_class_label[0] & 0xf0 == VERSION
            && !is_mapped(&self.source)
            && !is_mapped(&self.destination)
    }

    /// The protocol of what follows, or the kind of extension header.
    #[inline(always)]
    pub const fn next_header(&self) -> u8 {
        self.next_header
    }

    /// Bytes behind this header.
    #[inline(always)]
    pub const fn payload_bytes(&self) -> u16 {
        u16::from_be_bytes(self.payload_bytes)
    }

    /// The sender's address.
    #[inline(always)]
    pub const fn source(&self) -> [u8; 16] {
        self.source
    }

    /// The receiver's address.
    #[inline(always)]
    pub const fn destination(&self) -> [u8; 16] {
        self.destination
    }

    /// Makes it the header of a packet back to the sender of another, without length.
    ///
    /// The traffic class is zero: best effort, and no ECN, which was not negotiated. The flow label
    /// is the sender's own: it stays the same for a connection and differs between them, which is
    /// all that routers ask of it (RFC 6437 section 3).
    #[inline(always)]
    pub fn set_reply(&mut self, received: &Self) {
        let [_, class_label, label_1, label_2] = received.version_class_label;
        self.version_class_label = [VERSION, class_label & LABEL_MASK, label_1, label_2];
        self.payload_bytes = [0; 2];
        self.next_header = received.next_header;
        self.hop_limit = HOP_LIMIT;
        words::copy_value(&received.destination, &mut self.source);
        words::copy_value(&received.source, &mut self.destination);
    }

    /// Makes it the header of a packet that `sender` sent, with this `next_header`.
    #[inline(always)]
    pub const fn set_sender(&mut self, sender: [u8; 16], next_header: u8) {
        self.source = sender;
        self.next_header = next_header;
    }

    /// Sets the number of bytes behind this header.
    #[inline(always)]
    pub const fn set_payload_bytes(&mut self, bytes: u16) {
        self.payload_bytes = bytes.to_be_bytes();
    }

    /// The sum of the pseudo-header of a TCP segment of so many bytes (RFC 8200 section 8.1).
    #[inline(always)]
    pub fn pseudo_sum(&self, tcp_bytes: u16) -> u64 {
        checksum::sum(&self.source)
            + checksum::sum(&self.destination)
            + u16::from_ne_bytes([0, self.next_header]) as u64
            + tcp_bytes.to_be() as u64
    }
}

/// Whether an address is one of IPv4 (RFC 4291 section 2.5.5.2).
#[inline(always)]
pub fn is_mapped(address: &[u8; 16]) -> bool {
    let word = |at: usize| {
        u32::from_be_bytes([address[at], address[at + 1], address[at + 2], address[at + 3]])
    };
    word(0) | word(4) | word(8) ^ 0xffff == 0
}

/// Whether a next header is that of an extension header (RFC 8200 section 4, and the registry that
/// RFC 7045 set up).
#[inline(always)]
pub const fn is_extension(next_header: u8) -> bool {
    // Hop-by-hop options, routing, fragment, encapsulating security payload, authentication,
    // destination options, mobility, host identity, shim6, and two for experiments.
    matches!(next_header, 0 | 43 | 44 | 50 | 51 | 60 | 135 | 139 | 140 | 253 | 254)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disguised_addresses_of_ipv4_are_told_from_others() {
        let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
        assert!(is_mapped(&address("::ffff:198.18.0.1")));
        for other in ["::", "::1", "fd00::1", "::198.18.0.1", "::fffe:0:1", "1::ffff:0:1"] {
            assert!(!is_mapped(&address(other)), "{other}");
        }
    }
}
