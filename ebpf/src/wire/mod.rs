//! The headers on the wire: one file per protocol, each with its fields, how it is read and how
//! it is written.
//!
//! Fields are byte arrays in network order behind accessors, so a header can lie at any address.

pub mod ethernet;
pub mod ipv4;
pub mod options;
pub mod sequence;
pub mod tcp;

use crate::wire::{ethernet::Ethernet, ipv4::Ipv4, tcp::Tcp};

/// The headers of every frame that the program answers: Ethernet, IPv4 without options, TCP
/// without options.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Link layer.
    pub ethernet: Ethernet,
    /// Network layer.
    pub ipv4: Ipv4,
    /// Transport layer.
    pub tcp: Tcp,
}

/// Bytes of [`Headers`].
pub const HEADER_BYTES: usize = size_of::<Headers>();

const _: () = zeroserve_shared::size_is::<Headers, 54>();

impl Headers {
    /// Makes these the headers of an answer to the sender of `received`: addresses and ports
    /// swapped, everything that depends on the answer's payload and the checksums zero.
    #[inline(always)]
    pub fn set_reply(&mut self, received: &Self, acknowledgment: u32, flags: u8, window: u16) {
        self.ethernet = received.ethernet.reply();
        self.ipv4 = received.ipv4.reply();
        self.tcp = received.tcp.reply(acknowledgment, flags, window);
    }

    /// Fills in what depends on the payload: sequence number, lengths and both checksums.
    ///
    /// `options_bytes` and `payload_bytes` follow the headers; `rest_sum` is the sum of both.
    #[inline(always)]
    pub fn finish(&mut self, sequence: u32, options_bytes: u16, payload_bytes: u16, rest_sum: u64) {
        let tcp_bytes = size_of::<Tcp>() as u16 + options_bytes + payload_bytes;
        self.tcp.set_sequence(sequence);
        self.tcp.set_header_bytes(size_of::<Tcp>() as u16 + options_bytes);
        self.ipv4.set_total_bytes(size_of::<Ipv4>() as u16 + tcp_bytes);
        self.ipv4.set_checksum();
        let pseudo = self.ipv4.pseudo_sum(tcp_bytes);
        self.tcp.set_checksum(pseudo + rest_sum);
    }
}
