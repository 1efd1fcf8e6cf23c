//! TCP (RFC 9293), the fixed part of its header.

use crate::checksum;

/// Protocol number of TCP in IPv4, next header in IPv6.
pub const PROTOCOL: u8 = 6;

/// No more data from the sender.
pub const FIN: u8 = 0x01;
/// Synchronize sequence numbers.
pub const SYN: u8 = 0x02;
/// Reset the connection.
pub const RST: u8 = 0x04;
/// Push.
pub const PSH: u8 = 0x08;
/// The acknowledgment number means something.
pub const ACK: u8 = 0x10;

/// The fixed part of the transport-layer header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    source: [u8; 2],
    destination: [u8; 2],
    sequence: [u8; 4],
    acknowledgment: [u8; 4],
    words: u8,
    flags: u8,
    window: [u8; 2],
    checksum: [u8; 2],
    urgent: [u8; 2],
}

impl Tcp {
    /// The sender's port, in network byte order.
    #[inline(always)]
    pub const fn source(&self) -> [u8; 2] {
        self.source
    }

    /// The receiver's port, in network byte order.
    #[inline(always)]
    pub const fn destination(&self) -> [u8; 2] {
        self.destination
    }

    /// Sequence number of the first byte.
    #[inline(always)]
    pub const fn sequence(&self) -> u32 {
        u32::from_be_bytes(self.sequence)
    }

    /// Acknowledgment number.
    #[inline(always)]
    pub const fn acknowledgment(&self) -> u32 {
        u32::from_be_bytes(self.acknowledgment)
    }

    /// Bytes of the header, options included: 20 to 60 in a sound one, 0 to 60 in any.
    #[inline(always)]
    pub const fn header_bytes(&self) -> u16 {
        (self.words >> 4) as u16 * 4
    }

    /// The flags.
    #[inline(always)]
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// The window, unscaled.
    #[inline(always)]
    pub const fn window(&self) -> u16 {
        u16::from_be_bytes(self.window)
    }

    /// The header of a segment back to the sender, without sequence number, length and checksum.
    #[inline(always)]
    pub const fn reply(&self, acknowledgment: u32, flags: u8, window: u16) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            sequence: [0; 4],
            acknowledgment: acknowledgment.to_be_bytes(),
            words: 0x50,
            flags,
            window: window.to_be_bytes(),
            checksum: [0; 2],
            urgent: [0; 2],
        }
    }

    /// Sets the sequence number of the first byte.
    #[inline(always)]
    pub const fn set_sequence(&mut self, sequence: u32) {
        self.sequence = sequence.to_be_bytes();
    }

    /// Sets the header's length: a multiple of four from 20 to 60.
    #[inline(always)]
    pub const fn set_header_bytes(&mut self, bytes: u16) {
        self.words = (bytes as u8 / 4) << 4;
    }

    /// Sets the flags.
    #[inline(always)]
    pub const fn set_flags(&mut self, flags: u8) {
        self.flags = flags;
    }

    /// Sets the ports, in network byte order.
    #[inline(always)]
    pub const fn set_ports(&mut self, source: [u8; 2], destination: [u8; 2]) {
        self.source = source;
        self.destination = destination;
    }

    /// Sets the checksum.
    #[inline(always)]
    pub const fn set_checksum(&mut self, checksum: [u8; 2]) {
        self.checksum = checksum;
    }

    /// The sum of the header, without options. Each field is read as it was written: a wider word would
    /// be waited for until all its parts are in the cache.
    #[inline(always)]
    pub fn sum(&self) -> u64 {
        let Self { source, destination, words, flags, window, checksum, urgent, .. } = *self;
        let pairs = [source, destination, [words, flags], window, checksum, urgent];
        checksum::sum(&self.sequence)
            + checksum::sum(&self.acknowledgment)
            + checksum::sum_of_pairs(pairs)
    }
}
