//! What a segment of the load generator looks like on the wire: Ethernet, IPv4, TCP.
//!
//! Headers are read and written in words of eight bytes, their first byte the lowest, wherever
//! they lie in the frame: a word may begin in one header and end in the next. So nothing has to be
//! copied, and no field is put together from bytes.

use zeroserve_shared::load::{
    ADDRESS_BITS, FIRST_PORT, IPV4, ISLANDS, Island, ORDER_ETHER_TYPE, PORT_BITS, Settings,
    VERSION_AND_SERVICE,
};

use crate::{checksum::complement, load::Arrival, load::Departure, wire::tcp::SYN};

/// Bytes of the headers without options.
pub const HEADER_BYTES: u32 = 54;
/// Most bytes of options: three SACK blocks.
pub const MAX_OPTION_BYTES: u32 = 28;

/// Where the words begin that are [`Received`].
pub const RECEIVED_AT: [usize; 5] = [12, 20, 26, 34, 42];
/// Where the words begin that [`headers`] makes. The last two overlap.
pub const SENT_AT: [usize; 7] = [0, 8, 16, 24, 32, 40, 46];

/// A number of two bytes in network byte order, as it lies in memory.
#[inline(always)]
const fn network(number: u16) -> u64 {
    number.to_be() as u64
}

/// A word of two numbers in network byte order.
#[inline(always)]
const fn pair(first: u16, second: u16) -> u32 {
    (first.to_be() as u32) | (second.to_be() as u32) << 16
}

/// Don't fragment.
const DONT_FRAGMENT: u16 = 0x4000;
/// Time to live 64, TCP.
const TIME_AND_PROTOCOL: u16 = 0x4006;
/// IPv4's protocol number of TCP.
const TCP: u16 = 6;

/// The bits of the client's address that a tuple chooses.
const ADDRESS_MASK: u32 = (1 << ADDRESS_BITS) - 1;
/// Where they are: in the last byte.
const ADDRESS_SHIFT: u32 = 24;

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

/// What is looked at of the headers of a received frame: the words at [`RECEIVED_AT`].
#[derive(Clone, Copy, Debug)]
pub struct Received(pub [u64; 5]);

impl Received {
    /// What it is, judged by as many bytes as a segment has at least.
    #[inline(always)]
    pub const fn kind(&self, settings: &Settings) -> Kind {
        let [link_and_ip, protocol, addresses, ports, _] = self.0;
        if link_and_ip as u16 == ORDER_ETHER_TYPE.to_be() {
            let slot = (link_and_ip >> 48) as u32 | (protocol as u32) << 16;
            return Kind::Order((link_and_ip >> 16) as u32, slot);
        }
        let (source, destination) = (addresses as u32, (addresses >> 32) as u32);
        let other_bits = destination ^ u32::from_ne_bytes(settings.client);
        let port = (ports as u32 >> 16) as u16;
        let port = port.to_be();
        // Version and length of the header stand behind the EtherType, and any type of service.
        if link_and_ip as u32 & 0x00ff_ffff != pair(IPV4, VERSION_AND_SERVICE)
            || (protocol >> 24) as u8 != TCP as u8
            || source != u32::from_ne_bytes(settings.server)
            || other_bits & !(ADDRESS_MASK << ADDRESS_SHIFT) != 0
            || ports as u16 != settings.port.to_be()
            || port < FIRST_PORT
        {
            return Kind::Other;
        }
        let address = destination >> ADDRESS_SHIFT & ADDRESS_MASK;
        Kind::Segment(address << PORT_BITS | (port - FIRST_PORT) as u32)
    }

    /// Bytes of TCP's header.
    #[inline(always)]
    pub const fn tcp_header_bytes(&self) -> u32 {
        (self.0[4] >> 36) as u32 % 16 * 4
    }

    /// The segment, as its headers have it.
    #[inline(always)]
    pub const fn arrival(&self) -> Arrival {
        let total_bytes = ((self.0[0] >> 32) as u16).to_be() as u32;
        Arrival {
            sequence: ((self.0[3] >> 32) as u32).to_be(),
            acknowledgment: (self.0[4] as u32).to_be(),
            payload_bytes: total_bytes.saturating_sub(20 + self.tcp_header_bytes()),
            flags: (self.0[4] >> 40) as u8,
        }
    }
}

/// The headers of a segment between the ends that `tuple` names: the words at [`SENT_AT`]. Options and
/// payload will follow, of each how many bytes and their sum.
#[inline(always)]
pub fn headers(
    settings: &Settings,
    tuple: u32,
    departure: &Departure,
    acknowledgment: u32,
    (option_bytes, option_sum): (u32, u64),
    (payload_bytes, payload_sum): (u32, u32),
) -> [u64; 7] {
    let tcp_bytes = 20 + option_bytes + payload_bytes;
    let total_bytes = network((20 + tcp_bytes) as u16);
    let source = u32::from_ne_bytes(settings.client) | address_of(tuple) << ADDRESS_SHIFT;
    let (source, destination) = (source as u64, u32::from_ne_bytes(settings.server) as u64);
    let ends = source + destination;
    let ip_sum = const {
        network(VERSION_AND_SERVICE) + network(DONT_FRAGMENT) + network(TIME_AND_PROTOCOL)
    };
    let ip_checksum = checksum(ip_sum + total_bytes + ends);
    let ports = pair(port_of(tuple), settings.port) as u64;
    let sequence = departure.sequence.to_be() as u64;
    let acknowledgment = acknowledgment.to_be() as u64;
    let offset_and_flags = (((20 + option_bytes) << 2) | (departure.flags as u32) << 8) as u64;
    let window = network(settings.window);
    let numbers = ports + sequence + acknowledgment + offset_and_flags + window;
    let pseudo = ends + network(TCP) + network(tcp_bytes as u16);
    let tcp_checksum = checksum(numbers + pseudo + option_sum + payload_sum as u64);
    [
        settings.front[0],
        settings.front[1],
        total_bytes | const { network(DONT_FRAGMENT) << 32 | network(TIME_AND_PROTOCOL) << 48 },
        ip_checksum | source << 16 | destination << 48,
        destination >> 16 | ports << 16 | sequence << 48,
        sequence >> 16 | acknowledgment << 16 | offset_and_flags << 48,
        offset_and_flags | window << 16 | tcp_checksum << 32,
    ]
}

/// TCP's options, in words of four bytes as they lie in memory.
pub type Options = [u32; MAX_OPTION_BYTES as usize / 4];

/// Writes the options of a segment, and says how many bytes they have and what their sum is.
#[inline(always)]
pub fn options(
    options: &mut Options,
    settings: &Settings,
    departure: &Departure,
    islands: &[Island; ISLANDS],
) -> (u32, u64) {
    if departure.flags & SYN != 0 {
        offer(options, settings)
    } else if islands[0].is_empty() {
        (0, 0)
    } else {
        tell(options, islands)
    }
}

/// The options of a SYN: MSS, SACK permitted, window scale.
#[inline(always)]
fn offer(options: &mut Options, settings: &Settings) -> (u32, u64) {
    options[0] = pair(0x0204, settings.mss);
    options[1] = pair(0x0101, 0x0402);
    options[2] = pair(0x0103, 0x0300 | settings.window_shift as u16);
    (12, options[0] as u64 + options[1] as u64 + options[2] as u64)
}

/// SACK blocks (RFC 2018). The nearest comes first, where the RFC wants the latest to: the whole set
/// is told each time.
#[inline(always)]
fn tell(options: &mut Options, islands: &[Island; ISLANDS]) -> (u32, u64) {
    let mut sum = 0;
    let mut blocks = 0;
    let mut index = 0;
    while index < ISLANDS {
        let island = islands[index];
        if island.is_empty() {
            break;
        }
        let (start, end) = (island.start.to_be(), island.end.to_be());
        options[1 + 2 * index] = start;
        options[2 + 2 * index] = end;
        sum += start as u64 + end as u64;
        blocks += 1;
        index += 1;
    }
    options[0] = pair(0x0101, 0x0500 | (2 + 8 * blocks) as u16);
    (4 + 8 * blocks, sum + options[0] as u64)
}

/// A checksum as it lies in a header.
#[inline(always)]
fn checksum(sum: u64) -> u64 {
    u16::from_ne_bytes(complement(sum)) as u64
}

/// The lower bits of the client's address.
#[inline(always)]
const fn address_of(tuple: u32) -> u32 {
    tuple >> PORT_BITS & ADDRESS_MASK
}

/// The client's port.
#[inline(always)]
const fn port_of(tuple: u32) -> u16 {
    FIRST_PORT | (tuple as u16 & (FIRST_PORT - 1))
}
