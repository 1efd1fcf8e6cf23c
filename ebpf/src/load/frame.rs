//! What a segment of the load generator looks like on the wire: Ethernet, IPv4, TCP.
//!
//! Everything but for the payload is written anew for each segment, in words of four bytes as they
//! lie in memory.

use zeroserve_shared::load::{
    ADDRESS_BITS, FIRST_PORT, ISLANDS, Island, ORDER_ETHER_TYPE, PORT_BITS, Settings,
};

use crate::{checksum::complement, load::Arrival, load::Departure, wire::tcp::SYN};

/// Bytes of the headers without options.
pub const HEADER_BYTES: u32 = 54;
/// Most bytes of options: three SACK blocks.
pub const MAX_OPTION_BYTES: u32 = 28;
/// Bytes in front of the frame, so that IP's header and TCP's lie at multiples of four.
pub const FRONT_BYTES: usize = 2;

/// The headers of a frame, behind two bytes that are none of it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    link: [u32; 4],
    ip: [u32; 5],
    tcp: [u32; 5],
    options: [u32; MAX_OPTION_BYTES as usize / 4],
}

/// A word of two numbers in network byte order.
#[inline(always)]
const fn pair(first: u16, second: u16) -> u32 {
    (first.to_be() as u32) | (second.to_be() as u32) << 16
}

/// Version 4 and five words; the type of service and ECN are zero.
const VERSION: u16 = 0x4500;
/// Don't fragment.
const DONT_FRAGMENT: u16 = 0x4000;
/// Time to live 64, TCP.
const TIME_AND_PROTOCOL: u16 = 0x4006;
/// IPv4's protocol number of TCP.
const TCP: u32 = 6;
/// EtherType of IPv4.
const IPV4: u16 = 0x0800;

/// The bits of the client's address that a tuple chooses.
const ADDRESS_MASK: u8 = (1 << ADDRESS_BITS) - 1;

/// What a received frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An order: its two words follow the Ethernet header.
    Order(u32, u32),
    /// A segment from the server, for the ends that this tuple names.
    Segment(u32),
    /// Something else.
    Other,
}

impl Frame {
    /// Nothing but zeros.
    pub const EMPTY: Self =
        Self { link: [0; 4], ip: [0; 5], tcp: [0; 5], options: [0; MAX_OPTION_BYTES as usize / 4] };

    /// What it is, judged by as many bytes as a segment has at least.
    #[inline(always)]
    pub const fn kind(&self, settings: &Settings) -> Kind {
        let ether_type = u16::from_be((self.link[3] >> 16) as u16);
        if ether_type == ORDER_ETHER_TYPE {
            return Kind::Order(self.ip[0], self.ip[1]);
        }
        let [_, _, _, last] = self.ip[4].to_ne_bytes();
        let [c0, c1, c2, c3] = settings.client;
        let to = u32::from_ne_bytes([c0, c1, c2, c3 | last & ADDRESS_MASK]);
        let (source, destination) = (self.tcp[0] as u16, (self.tcp[0] >> 16) as u16);
        let destination = u16::from_be(destination);
        if ether_type != IPV4
            || self.ip[0] as u8 != (VERSION >> 8) as u8
            || (self.ip[2] >> 8) as u8 != TCP as u8
            || self.ip[3] != u32::from_ne_bytes(settings.server)
            || self.ip[4] != to
            || u16::from_be(source) != settings.port
            || destination < FIRST_PORT
        {
            return Kind::Other;
        }
        let port = (destination - FIRST_PORT) as u32;
        Kind::Segment(((last & ADDRESS_MASK) as u32) << PORT_BITS | port)
    }

    /// Bytes of TCP's header.
    #[inline(always)]
    pub const fn tcp_header_bytes(&self) -> u32 {
        (self.tcp[3] as u8 >> 4) as u32 * 4
    }

    /// The segment, as its headers have it.
    #[inline(always)]
    pub const fn arrival(&self) -> Arrival {
        let total_bytes = u16::from_be((self.ip[0] >> 16) as u16) as u32;
        Arrival {
            sequence: u32::from_be(self.tcp[1]),
            acknowledgment: u32::from_be(self.tcp[2]),
            payload_bytes: total_bytes.saturating_sub(20 + self.tcp_header_bytes()),
            flags: (self.tcp[3] >> 8) as u8,
        }
    }

    /// Makes it a segment between the ends that `tuple` names, and says how many bytes its headers
    /// have. `payload_bytes` with the sum `payload_sum` will follow.
    #[inline(always)]
    pub fn write(
        &mut self,
        settings: &Settings,
        tuple: u32,
        departure: &Departure,
        acknowledgment: u32,
        islands: &[Island; ISLANDS],
        (payload_bytes, payload_sum): (u32, u32),
    ) -> u32 {
        let (option_bytes, option_sum) = if departure.flags & SYN != 0 {
            self.offer(settings)
        } else if islands[0].is_empty() {
            (0, 0)
        } else {
            self.tell(islands)
        };
        let tcp_bytes = 20 + option_bytes + payload_bytes;
        self.link = settings.link;
        let [c0, c1, c2, c3] = settings.client;
        let source = u32::from_ne_bytes([c0, c1, c2, c3 | address_of(tuple)]);
        let destination = u32::from_ne_bytes(settings.server);
        self.ip[0] = pair(VERSION, (20 + tcp_bytes) as u16);
        self.ip[1] = pair(0, DONT_FRAGMENT);
        self.ip[3] = source;
        self.ip[4] = destination;
        let ends = source as u64 + destination as u64;
        let ip_sum = self.ip[0] as u64 + self.ip[1] as u64 + pair(TIME_AND_PROTOCOL, 0) as u64;
        self.ip[2] = with_checksum(TIME_AND_PROTOCOL, ip_sum + ends);
        let offset_and_flags = ((20 + option_bytes) << 10) as u16 | departure.flags as u16;
        self.tcp[0] = pair(port_of(tuple), settings.port);
        self.tcp[1] = departure.sequence.to_be();
        self.tcp[2] = acknowledgment.to_be();
        self.tcp[3] = pair(offset_and_flags, settings.window);
        let tcp_sum = self.tcp[0] as u64
            + self.tcp[1] as u64
            + self.tcp[2] as u64
            + self.tcp[3] as u64
            + pair(TCP as u16, tcp_bytes as u16) as u64;
        let sum = tcp_sum + ends + option_sum + payload_sum as u64;
        self.tcp[4] = u16::from_ne_bytes(complement(sum)) as u32;
        HEADER_BYTES + option_bytes
    }

    /// The options of a SYN: MSS, SACK permitted, window scale.
    #[inline(always)]
    fn offer(&mut self, settings: &Settings) -> (u32, u64) {
        self.options[0] = pair(0x0204, settings.mss);
        self.options[1] = pair(0x0101, 0x0402);
        self.options[2] = pair(0x0103, 0x0300 | settings.window_shift as u16);
        (12, self.options[0] as u64 + self.options[1] as u64 + self.options[2] as u64)
    }

    /// SACK blocks (RFC 2018). The nearest comes first, where the RFC wants the latest to: the
    /// whole set is told each time.
    #[inline(always)]
    fn tell(&mut self, islands: &[Island; ISLANDS]) -> (u32, u64) {
        let mut sum = 0;
        let mut blocks = 0;
        let mut index = 0;
        while index < ISLANDS {
            let island = islands[index];
            if island.is_empty() {
                break;
            }
            let (start, end) = (island.start.to_be(), island.end.to_be());
            self.options[1 + 2 * index] = start;
            self.options[2 + 2 * index] = end;
            sum += start as u64 + end as u64;
            blocks += 1;
            index += 1;
        }
        self.options[0] = pair(0x0101, 0x0500 | (2 + 8 * blocks) as u16);
        (4 + 8 * blocks, sum + self.options[0] as u64)
    }

    /// The frame's bytes.
    #[inline(always)]
    pub const fn bytes(&mut self) -> *mut u8 {
        // SAFETY: the struct has more bytes than that.
        unsafe { core::ptr::from_mut(self).cast::<u8>().add(FRONT_BYTES) }
    }
}

/// A word with a checksum behind a number.
#[inline(always)]
fn with_checksum(first: u16, sum: u64) -> u32 {
    first.to_be() as u32 | (u16::from_ne_bytes(complement(sum)) as u32) << 16
}

/// The lower bits of the client's address.
#[inline(always)]
const fn address_of(tuple: u32) -> u8 {
    (tuple >> PORT_BITS) as u8 & ADDRESS_MASK
}

/// The client's port.
#[inline(always)]
const fn port_of(tuple: u32) -> u16 {
    FIRST_PORT | (tuple as u16 & (FIRST_PORT - 1))
}
