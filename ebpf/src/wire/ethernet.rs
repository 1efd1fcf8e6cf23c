//! Ethernet II (IEEE 802.3 with an EtherType).

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;

/// The link-layer header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    destination: [u8; 6],
    source: [u8; 6],
    ether_type: [u8; 2],
}

impl Ethernet {
    /// What the frame carries.
    #[inline(always)]
    pub const fn ether_type(&self) -> u16 {
        u16::from_be_bytes(self.ether_type)
    }

    /// The header of a frame back to the sender.
    #[inline(always)]
    pub const fn reply(&self) -> Self {
        Self { destination: self.source, source: self.destination, ether_type: self.ether_type }
    }
}
