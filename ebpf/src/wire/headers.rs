//! All headers of a frame, in one piece.
//!
//! They stand at the end of a struct that has room for the longest: however long the link layer's
//! and the network layer's are, those of a frame are one run of bytes that ends with TCP's. So they
//! are read with one copy, and TCP's is always in its place. Behind it is room for the timestamps,
//! the one option of segments that are no SYN, so that headers are written with one copy, too.
//!
//! | bytes | link layer | network layer | begins at | IP begins at | TCP begins at |
//! |---|---|---|---|---|---|
//! | 54, 58, 62 | 0, 1, 2 tags | IPv4 | 34, 30, 26 | 48 | 68 |
//! | 74, 78, 82 | 0, 1, 2 tags | IPv6 | 14, 10, 6 | 28 | 68 |

use core::ptr::{from_mut, from_ref};

use crate::{
    bounds::opaque,
    checksum,
    wire::{
        ethernet::{self, ETHERNET_BYTES, Link, LinkAddresses, MAX_LINK_BYTES, TAG_BYTES},
        ipv4::{self, Ipv4},
        ipv6::{self, Ipv6},
        options::{self, TIMESTAMPS_HEADER},
        tcp::Tcp,
    },
    words,
};

/// Bytes of [`Headers`].
pub const HEADERS_BYTES: usize = size_of::<Headers>();

/// Bytes of all headers of a frame at least: IPv4 without tags.
pub const LEAST_HEADER_BYTES: u32 = ETHERNET_BYTES + (size_of::<Ipv4>() + size_of::<Tcp>()) as u32;

/// Bytes of all headers of a frame with IPv6 without tags.
pub const IPV6_HEADER_BYTES: u32 = Headers::bytes_for(0, true);

/// Bytes of all headers of a frame at most: IPv6 with two tags.
pub const MOST_HEADER_BYTES: u32 = (MAX_LINK_BYTES + size_of::<Ipv6>() + size_of::<Tcp>()) as u32;

/// Bytes of the option that headers can have: timestamps, and what aligns them.
pub const TIMESTAMPS_BYTES: u16 = 12;

/// Room for the headers of every frame that the program answers: Ethernet with up to two tags,
/// IPv4 or IPv6, TCP with timestamps or without.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// How many bytes they have, those of TCP's option not counted.
    bytes: u32,
    /// How many bytes TCP's option has: [`TIMESTAMPS_BYTES`] or none.
    option_bytes: u16,
    link: [u8; MAX_LINK_BYTES],
    network: Network,
    /// Transport layer.
    pub tcp: Tcp,
    timestamps: [u32; 3],
    /// Free of padding.
    reserved: [u8; 4],
}

/// Room for an IPv6 header. One of IPv4 stands at the end, and the end of the link layer's before.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    front: [u8; 20],
    ipv4: Ipv4,
}

const _: () = assert!(size_of::<Network>() == size_of::<Ipv6>());
const _: () = zeroserve_shared::size_is::<Headers, 104>();

/// Where TCP's header ends.
const END: usize = 88;

const _: () = assert!(END == core::mem::offset_of!(Headers, timestamps));

/// Where headers can begin, from the beginning of the longest: the multiples of four up to 28.
const START_MASK: u64 = (MOST_HEADER_BYTES - LEAST_HEADER_BYTES) as u64;

const _: () = assert!(START_MASK == 28);

impl Headers {
    /// Room for headers of so many bytes: one of the six numbers in the module's table.
    #[inline(always)]
    pub const fn set_bytes(&mut self, bytes: u32) {
        self.bytes = bytes;
    }

    /// How many bytes they have, without TCP's option.
    #[inline(always)]
    pub const fn bytes(&self) -> u32 {
        self.bytes
    }

    /// How many bytes they have, TCP's option included: where the payload of an answer begins.
    #[inline(always)]
    pub const fn all_bytes(&self) -> u32 {
        self.bytes.wrapping_add(self.option_bytes as u32)
    }

    /// Where TCP's checksum stands in the frame.
    #[inline(always)]
    pub const fn checksum_offset(&self) -> u32 {
        self.bytes.wrapping_sub(4)
    }

    /// How many bytes a frame has whose headers are of this kind.
    #[inline(always)]
    pub const fn bytes_for(tags: u32, is_ipv6: bool) -> u32 {
        LEAST_HEADER_BYTES + tags * TAG_BYTES + if is_ipv6 { 20 } else { 0 }
    }

    /// Where they begin if they have so many bytes without TCP's option, to be read or written; 1 to
    /// [`MOST_HEADER_BYTES`].
    #[inline(always)]
    pub fn tail(&mut self, bytes: u64) -> *mut u8 {
        // A number of its own, because to the verifier a pointer less a number has no bounds.
        let start = opaque(END as u64 - bytes) as usize;
        // SAFETY: the callers have bounds for the number, which is less than the size.
        unsafe { from_mut(self).cast::<u8>().add(start) }
    }

    /// The same for a number of bytes known to the compiler.
    #[inline(always)]
    pub const fn tail_of<const BYTES: usize>(&mut self) -> *mut u8 {
        const { assert!(BYTES <= END) };
        // SAFETY: the struct has more bytes than that.
        unsafe { from_mut(self).cast::<u8>().add(END - BYTES) }
    }

    /// Whether the network layer's is IPv6.
    #[inline(always)]
    pub const fn is_ipv6(&self) -> bool {
        self.bytes > Self::bytes_for(2, false)
    }

    /// What the MTU has to hold in front of TCP's header: that of IP, and the second tag. Links
    /// let frames be longer by one tag, but not by two.
    #[inline(always)]
    pub const fn network_bytes(&self) -> u16 {
        let network = if self.is_ipv6() { size_of::<Ipv6>() } else { size_of::<Ipv4>() } as u32;
        let link = self.bytes.saturating_sub(network + size_of::<Tcp>() as u32);
        (network + link.saturating_sub(ETHERNET_BYTES + TAG_BYTES)) as u16
    }

    /// The beginning of the frame, if its headers have been read as IPv4's without tags: then as
    /// much of it is there, whatever it is.
    #[inline(always)]
    pub const fn beginning(&self) -> &Link {
        // SAFETY: from there on the struct has more bytes than a `Link`, which is plain bytes.
        unsafe {
            let start = END - LEAST_HEADER_BYTES as usize;
            &*from_ref(self).cast::<u8>().add(start).cast()
        }
    }

    /// What an ICMP message of this type and code says: whether a packet was too large for a link.
    #[inline(always)]
    pub const fn is_too_big(&self, kind: [u8; 2]) -> bool {
        if self.is_ipv6() {
            self.ipv6().next_header() == ipv6::ICMP && u16::from_be_bytes(kind) == 0x200
        } else {
            self.ipv4().protocol() == ipv4::ICMP && u16::from_be_bytes(kind) == 0x304
        }
    }

    /// Bytes of TCP's header and payload, as the network layer's header has it; none if that
    /// contradicts itself.
    #[inline(always)]
    pub const fn tcp_bytes(&self) -> u32 {
        if self.is_ipv6() {
            self.ipv6().payload_bytes() as u32
        } else {
            (self.ipv4().total_bytes() as u32).saturating_sub(size_of::<Ipv4>() as u32)
        }
    }

    /// The IPv4 header, if it is one.
    #[inline(always)]
    pub const fn ipv4(&self) -> &Ipv4 {
        &self.network.ipv4
    }

    /// The IPv4 header, if it is one.
    #[inline(always)]
    pub const fn ipv4_mut(&mut self) -> &mut Ipv4 {
        &mut self.network.ipv4
    }

    /// The IPv6 header, if it is one.
    #[inline(always)]
    pub const fn ipv6(&self) -> &Ipv6 {
        // SAFETY: both are plain bytes of the same number.
        unsafe { &*from_ref(&self.network).cast() }
    }

    /// The IPv6 header, if it is one.
    #[inline(always)]
    pub const fn ipv6_mut(&mut self) -> &mut Ipv6 {
        // SAFETY: both are plain bytes of the same number.
        unsafe { &mut *from_mut(&mut self.network).cast() }
    }

    /// The addresses of the link layer.
    #[inline(always)]
    fn link_addresses(&mut self) -> &mut LinkAddresses {
        let start = opaque(u64::from(MOST_HEADER_BYTES.wrapping_sub(self.bytes))) & START_MASK;
        // SAFETY: `link` begins at 6, and 28 more bytes on there are more than twelve to the end.
        // The struct is aligned, and 6 and `start` are even.
        unsafe { &mut *from_mut(self).cast::<u8>().add(6 + start as usize).cast() }
    }

    /// Whether the frame is for a group of stations, or all of them.
    #[inline(always)]
    pub fn is_to_group(&mut self) -> bool {
        self.link_addresses().is_to_group()
    }

    /// Makes these the headers of an answer to the sender of `received`: addresses and ports
    /// swapped, tags as they came, everything that depends on the answer's payload and the
    /// checksums zero.
    #[inline(always)]
    pub fn set_reply(&mut self, received: &Self, acknowledgment: u32, flags: u8, window: u16) {
        words::copy_value(received, self);
        let addresses = self.link_addresses();
        *addresses = addresses.reply();
        if self.is_ipv6() {
            self.ipv6_mut().set_reply(received.ipv6());
        } else {
            self.network.ipv4 = received.network.ipv4.reply();
        }
        self.tcp = received.tcp.reply(acknowledgment, flags, window);
    }

    /// Gives them timestamps, our own clock and the client's, or takes those away if the client's
    /// is zero.
    #[inline(always)]
    pub fn set_timestamps(&mut self, own: u32, clients: u32) {
        self.option_bytes = 0;
        if clients != 0 {
            self.option_bytes = TIMESTAMPS_BYTES;
            self.timestamps[0] = TIMESTAMPS_HEADER;
            self.timestamps[1] = own.to_be();
            self.timestamps[2] = clients.to_be();
        }
    }

    /// Fills in what depends on the payload: sequence number, lengths and checksums.
    ///
    /// `options_bytes` of further options and `payload_bytes` follow the headers; `rest_sum` is the
    /// sum of both.
    #[inline(always)]
    pub fn finish(&mut self, sequence: u32, options_bytes: u16, payload_bytes: u16, rest_sum: u64) {
        let sum = self.prepare(sequence, options_bytes, payload_bytes);
        self.tcp.set_checksum(checksum::complement(sum + rest_sum));
    }

    /// Fills in the same but for TCP's checksum, which is left zero, and returns the sum of all that it is of
    /// but what follows the headers.
    #[inline(always)]
    pub fn prepare(&mut self, sequence: u32, options_bytes: u16, payload_bytes: u16) -> u64 {
        let mut sum = 0;
        let header_bytes = size_of::<Tcp>() as u16 + self.option_bytes + options_bytes;
        let tcp_bytes = header_bytes + payload_bytes;
        if self.option_bytes != 0 {
            sum += options::sum(&self.timestamps);
        }
        self.tcp.set_sequence(sequence);
        self.tcp.set_header_bytes(header_bytes);
        sum += if self.is_ipv6() {
            self.ipv6_mut().set_payload_bytes(tcp_bytes);
            self.ipv6().pseudo_sum(tcp_bytes)
        } else {
            let ipv4 = self.ipv4_mut();
            ipv4.set_total_bytes(size_of::<Ipv4>() as u16 + tcp_bytes);
            ipv4.set_checksum();
            ipv4.pseudo_sum(tcp_bytes)
        };
        self.tcp.set_checksum([0; 2]);
        sum + self.tcp.sum()
    }
}

/// What the frame carries, by its EtherType: how many bytes its headers have if it is TCP's.
/// `None` if it carries neither IPv4 nor IPv6.
#[inline(always)]
pub const fn header_bytes(link: &Link, tags: u32) -> Option<u32> {
    match link.ether_type(tags) {
        ethernet::IPV4 => Some(Headers::bytes_for(tags, false)),
        ethernet::IPV6 => Some(Headers::bytes_for(tags, true)),
        _ => None,
    }
}
