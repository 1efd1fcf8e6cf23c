//! Ethernet II (IEEE 802.3 with an EtherType), and up to two VLAN tags in it (IEEE 802.1Q, and
//! 802.1ad, which stacks a service tag on a customer's).

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// EtherType of a customer's VLAN tag (802.1Q). Before 802.1ad it was stacked, too.
const CUSTOMER_TAG: u16 = 0x8100;
/// EtherType of a service VLAN tag (802.1ad).
const SERVICE_TAG: u16 = 0x88a8;

/// Bytes of the header without tags.
pub const ETHERNET_BYTES: u32 = 14;
/// Bytes of a tag.
pub const TAG_BYTES: u32 = 4;
/// Bytes of the header with as many tags as are understood.
pub const MAX_LINK_BYTES: usize = 22;

/// The bits of a tag that identify the VLAN; the others are its priority (802.1Q section 9.6).
const VLAN_MASK: u16 = 0x0fff;

/// The beginning of a frame: the header with two tags, or with fewer and some bytes behind it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link(pub [u8; MAX_LINK_BYTES]);

impl Link {
    #[inline(always)]
    const fn word(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    /// How many tags there are. Of more than two the third counts as the frame's content.
    #[inline(always)]
    pub const fn tags(&self) -> u32 {
        if !is_tag(self.word(12)) {
            0
        } else if !is_tag(self.word(16)) {
            1
        } else {
            2
        }
    }

    /// What the frame carries behind so many tags.
    #[inline(always)]
    pub const fn ether_type(&self, tags: u32) -> u16 {
        match tags {
            0 => self.word(12),
            1 => self.word(16),
            _ => self.word(20),
        }
    }

    /// The identifiers of the VLANs, outer and inner, in network byte order; zero where there is
    /// none.
    #[inline(always)]
    pub const fn vlans(&self, tags: u32) -> [[u8; 2]; 2] {
        let outer = if tags > 0 { self.word(14) & VLAN_MASK } else { 0 };
        let inner = if tags > 1 { self.word(18) & VLAN_MASK } else { 0 };
        [outer.to_be_bytes(), inner.to_be_bytes()]
    }
}

#[inline(always)]
const fn is_tag(ether_type: u16) -> bool {
    ether_type == CUSTOMER_TAG || ether_type == SERVICE_TAG
}

/// The addresses at the beginning of the header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddresses {
    destination: [u16; 3],
    source: [u16; 3],
}

impl LinkAddresses {
    /// Those of a frame back to the sender.
    #[inline(always)]
    pub const fn reply(&self) -> Self {
        Self { destination: self.source, source: self.destination }
    }

    /// Whether the frame is for a group of stations, or all (IEEE 802 section 8.4).
    #[inline(always)]
    pub const fn is_to_group(&self) -> bool {
        self.destination[0].to_ne_bytes()[0] & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(tail: &[u8]) -> Link {
        let mut bytes = [0; MAX_LINK_BYTES];
        bytes[12..12 + tail.len()].copy_from_slice(tail);
        Link(bytes)
    }

    #[test]
    fn tags_are_counted_and_their_priorities_are_left_out_of_the_identifiers() {
        let cases: [(&[u8], u32, u16, [u16; 2]); 6] = [
            (&[0x08, 0x00], 0, IPV4, [0, 0]),
            (&[0x86, 0xdd, 0x81, 0x00, 0x81, 0x00], 0, IPV6, [0, 0]),
            (&[0x81, 0x00, 0xf0, 0x0a, 0x08, 0x00], 1, IPV4, [10, 0]),
            (&[0x88, 0xa8, 0x0f, 0xff, 0x86, 0xdd], 1, IPV6, [4095, 0]),
            (&[0x88, 0xa8, 0x20, 0x64, 0x81, 0x00, 0xe0, 0x0a, 0x86, 0xdd], 2, IPV6, [100, 10]),
            (&[0x81, 0x00, 0, 1, 0x81, 0x00, 0, 2, 0x81, 0x00], 2, CUSTOMER_TAG, [1, 2]),
        ];
        for (tail, tags, ether_type, vlans) in cases {
            let link = link(tail);
            assert_eq!(link.tags(), tags, "{tail:x?}");
            assert_eq!(link.ether_type(tags), ether_type, "{tail:x?}");
            assert_eq!(link.vlans(tags), vlans.map(u16::to_be_bytes), "{tail:x?}");
        }
    }

    #[test]
    fn a_group_address_is_told_by_the_lowest_bit_of_its_first_byte() {
        let to = |first: u8| LinkAddresses {
            destination: [u16::from_ne_bytes([first, 0]), 0, 0],
            source: [0; 3],
        };
        assert!(to(0xff).is_to_group() && to(0x33).is_to_group() && to(0x01).is_to_group());
        assert!(!to(0x02).is_to_group() && !to(0x00).is_to_group());
    }
}
