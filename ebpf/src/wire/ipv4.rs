//! IPv4 (RFC 791), without options.

use crate::checksum;

/// Protocol number of ICMP.
pub const ICMP: u8 = 1;

/// Version 4 and a header of five words: no options.
const VERSION_AND_WORDS: u8 = 0x45;
/// The flag "don't fragment". The identification of such a datagram means nothing (RFC 6864
/// section 4.1), so it stays zero.
const DONT_FRAGMENT: [u8; 2] = [0x40, 0];
/// More fragments follow, or this is not the first.
const FRAGMENT: u16 = 0x3fff;
/// Default time to live (RFC 1700).
const TIME_TO_LIVE: u8 = 64;

/// The network-layer header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    version_and_words: u8,
    type_of_service: u8,
    total_bytes: [u8; 2],
    identification: [u8; 2],
    fragment: [u8; 2],
    time_to_live: u8,
    protocol: u8,
    checksum: [u8; 2],
    source: [u8; 4],
    destination: [u8; 4],
}

impl Ipv4 {
    /// Whether the version is 4 and the header's length can be one.
    #[inline(always)]
    pub const fn is_sound(&self) -> bool {
        self.version_and_words >> 4 == 4 && self.version_and_words & 0xf >= 5
    }

    /// Whether options follow the header.
    #[inline(always)]
    pub const fn has_options(&self) -> bool {
        self.version_and_words != VERSION_AND_WORDS
    }

    /// Whether this is a fragment, the first one included.
    #[inline(always)]
    pub const fn is_fragment(&self) -> bool {
        u16::from_be_bytes(self.fragment) & FRAGMENT != 0
    }

    /// The protocol of what follows.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Bytes of the datagram, this header included.
    #[inline(always)]
    pub const fn total_bytes(&self) -> u16 {
        u16::from_be_bytes(self.total_bytes)
    }

    /// The sender's address.
    #[inline(always)]
    pub const fn source(&self) -> [u8; 4] {
        self.source
    }

    /// The receiver's address.
    #[inline(always)]
    pub const fn destination(&self) -> [u8; 4] {
        self.destination
    }

    /// The header of a datagram back to the sender, without length and checksum. The type of
    /// service is zero: best effort, and no ECN, which was not negotiated.
    #[inline(always)]
    pub const fn reply(&self) -> Self {
        Self {
            version_and_words: VERSION_AND_WORDS,
            type_of_service: 0,
            total_bytes: [0; 2],
            identification: [0; 2],
            fragment: DONT_FRAGMENT,
            time_to_live: TIME_TO_LIVE,
            protocol: self.protocol,
            checksum: [0; 2],
            source: self.destination,
            destination: self.source,
        }
    }

    /// Makes it the header of a datagram that `sender` sent, with this `protocol`.
    #[inline(always)]
    pub const fn set_sender(&mut self, sender: [u8; 4], protocol: u8) {
        self.source = sender;
        self.protocol = protocol;
    }

    /// Sets the datagram's length, this header included.
    #[inline(always)]
    pub const fn set_total_bytes(&mut self, bytes: u16) {
        self.total_bytes = bytes.to_be_bytes();
    }

    /// Sets the checksum over this header. Each field is read as it was written, as for
    /// [`Tcp::sum`](super::tcp::Tcp::sum).
    #[inline(always)]
    pub fn set_checksum(&mut self) {
        let Self { version_and_words, type_of_service, time_to_live, protocol, .. } = *self;
        let pairs = [
            [version_and_words, type_of_service],
            self.total_bytes,
            self.identification,
            self.fragment,
            [time_to_live, protocol],
        ];
        let addresses = checksum::sum(&self.source) + checksum::sum(&self.destination);
        self.checksum = checksum::complement(addresses + checksum::sum_of_pairs(pairs));
    }

    /// The sum of the pseudo-header of a TCP segment of so many bytes (RFC 9293 section 3.1).
    #[inline(always)]
    pub const fn pseudo_sum(&self, tcp_bytes: u16) -> u64 {
        u32::from_ne_bytes(self.source) as u64
            + u32::from_ne_bytes(self.destination) as u64
            + u16::from_ne_bytes([0, self.protocol]) as u64
            + tcp_bytes.to_be() as u64
    }
}
