//! What the load generator's program and its user space agree on.
//!
//! The generator is an object of its own, so that nobody who only serves has its maps. A
//! connection is named by its *slot*, its addresses and ports by a *tuple*: a number of which the
//! slot is the lower bits, so that neither side has to search.

mod histogram;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use histogram::{BUCKETS, Histogram, bucket, bucket_start_ns};

/// Name of the XDP program in the object.
pub const LOAD_PROGRAM: &str = "zeroserve_load";
/// Name of the program that microbenchmarks compare with, in the same object.
pub const REFERENCE_PROGRAM: &str = "zeroserve_reference";
/// Name of the program that does nothing, there as well: what it takes is what measuring takes.
pub const EMPTY_PROGRAM: &str = "zeroserve_empty";
/// Array of one [`Settings`].
pub const SETTINGS: &str = "SETTINGS";
/// Array of [`Target`].
pub const TARGETS: &str = "TARGETS";
/// Array of choices, [`CHOICES_COUNT`] of them: what is asked for, in random order. See [`choice`].
pub const CHOICES: &str = "CHOICES";
/// Array of [`Connection`], by slot.
pub const CONNECTIONS: &str = "CONNECTIONS";
/// Per-CPU array of one [`Tally`].
pub const TALLY: &str = "TALLY";
/// Per-CPU array of one [`Histogram`].
pub const LATENCY: &str = "LATENCY";

/// Most connections that there can be.
pub const MAX_SLOTS: u32 = 1 << 17;
/// Most different requests.
pub const MAX_TARGETS: u32 = 1 << 14;
/// How many choices there are; a power of two.
pub const CHOICES_COUNT: u32 = 1 << 16;

/// What a choice says beside the index of its target. Which requests are marked is as random as what is
/// asked for: were it every eighth, the same few connections would have it, always at the same
/// place among those that are answered together.
pub mod choice {
    /// The bits of the index.
    pub const TARGET: u32 = super::MAX_TARGETS - 1;
    /// How long it takes is noted.
    pub const IS_TIMED: u32 = 1 << 31;
    /// The response is checked to its last byte.
    pub const IS_CHECKED: u32 = 1 << 30;
}

/// Bits of a tuple: six choose the client's address, fifteen its port.
pub const TUPLE_BITS: u32 = 21;
/// The lower bits of a tuple, which choose the port.
pub const PORT_BITS: u32 = 15;
/// Its upper bits, which choose the client's address.
pub const ADDRESS_BITS: u32 = TUPLE_BITS - PORT_BITS;
/// The client's first port.
pub const FIRST_PORT: u16 = 1 << PORT_BITS;

/// Most bytes of a request: what an answer without a payload can be grown to where there is only
/// headroom to grow into.
pub const REQUEST_BYTES: usize = 192;

/// What is so for the whole of a load.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Settings {
    /// What every frame that is sent begins with: the hardware addresses of server and client, the
    /// EtherType of IPv4, and IP's first two bytes.
    pub front: [u64; 2],
    /// The server's address.
    pub server: [u8; 4],
    /// The client's first address. Its lower [`ADDRESS_BITS`] are zero.
    pub client: [u8; 4],
    /// The number of slots less one; the number is a power of two.
    pub slot_mask: u32,
    /// The tuple of the first slot's first connection. The bits of the slot are zero. Another for
    /// each load, so that what the server remembers of the last one is not in the way.
    pub first_tuple: u32,
    /// Where the server listens, in host byte order.
    pub port: u16,
    /// The largest payload that the client offers to take.
    pub mss: u16,
    /// The window that it offers, in units of `1 << window_shift`.
    pub window: u16,
    /// See `window`.
    pub window_shift: u8,
    /// 1 where every request has a connection of its own.
    pub closes: u8,
}

const _: () = crate::size_is::<Settings, 40>();

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// IP's first two bytes: version 4, a header of five words; type of service and ECN are zero.
pub const VERSION_AND_SERVICE: u16 = 0x4500;

/// [`Settings::front`], with the hardware addresses of server and client.
pub fn front([server, client]: [[u8; 6]; 2]) -> [u64; 2] {
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&server);
    bytes[6..12].copy_from_slice(&client);
    bytes[12..14].copy_from_slice(&IPV4.to_be_bytes());
    bytes[14..].copy_from_slice(&VERSION_AND_SERVICE.to_be_bytes());
    zerocopy::transmute!(bytes)
}

/// A request and what must come back.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Target {
    /// [`hash`] of the body.
    pub body_hash: u64,
    /// Bytes of the body.
    pub body_bytes: u32,
    /// Bytes of the head when it was last seen. A head may have another length.
    pub head_bytes: u32,
    /// The sum of the request, for the checksum.
    pub request_sum: u32,
    /// Bytes of the request.
    pub request_bytes: u32,
    /// What the response begins with: `HTTP/1.1 200`, up to and without the reason.
    pub status: [u8; STATUS_BYTES],
    /// Keeps the layout free of padding.
    pub reserved: u32,
    /// The request. It ends behind [`Target::request_bytes`].
    pub request: [u8; REQUEST_BYTES],
}

/// Bytes of protocol and status code at the beginning of a response.
pub const STATUS_BYTES: usize = 12;

const _: () = crate::size_is::<Target, 232>();

/// What [`hash`] starts from, and what it multiplies by: those of the 64-bit FNV-1a.
const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;
const HASH_FACTOR: u64 = 0x0100_0000_01b3;

/// The hash of no bytes.
pub const EMPTY_HASH: u64 = HASH_START;

/// The hash of bytes and one more. It depends on the order of bytes, but not on how they were cut
/// into segments.
#[inline(always)]
pub const fn hash_byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(HASH_FACTOR)
}

/// The hash of bytes: 64-bit FNV-1a.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(EMPTY_HASH, |hash, byte| hash_byte(hash, *byte))
}

/// How far a connection is: a value of [`Connection::state`].
pub mod state {
    /// There is none.
    pub const CLOSED: u8 = 0;
    /// SYN sent.
    pub const OPENING: u8 = 1;
    /// A request was sent, its response is not complete.
    pub const ASKED: u8 = 2;
    /// Open, and nothing is asked for.
    pub const IDLE: u8 = 3;
    /// The response is complete, and the server is going to close.
    pub const LEAVING: u8 = 4;
    /// FIN sent, after that of the server.
    pub const CLOSING: u8 = 5;
}

/// What a connection is for: a value of [`Connection::habit`].
pub mod habit {
    /// Each response is followed by the next request.
    pub const STEADY: u8 = 0;
    /// It asks once, and then when it is ordered to.
    pub const ORDERED: u8 = 1;
    /// The answer to its SYN is followed by the next SYN, from another port: a flood.
    pub const FLOOD: u8 = 2;
}

/// One connection of the client. Sequence numbers are in host byte order and wrap.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Connection {
    /// When the exchange began whose time is taken, nanoseconds of `CLOCK_MONOTONIC`: when the
    /// request was first sent, or the SYN where each request has a connection of its own. Zero
    /// where it is not taken.
    pub began_ns: u64,
    /// [`hash`] of what has come of the body, if `samples`.
    pub hash: u64,
    /// Its addresses and ports.
    pub tuple: u32,
    /// The next sequence number to be sent.
    pub send_next: u32,
    /// The next one expected.
    pub receive_next: u32,
    /// That of the response's first byte.
    pub response_start: u32,
    /// Bytes of the response; zero until its head has come.
    pub response_bytes: u32,
    /// Bytes of its head.
    pub head_bytes: u32,
    /// Index of the request.
    pub target: u32,
    /// See [`state`].
    pub state: u8,
    /// See [`habit`].
    pub habit: u8,
    /// 1 where this response is checked to its last byte.
    pub samples: u8,
    /// Segments that have come and were not acknowledged.
    pub unacknowledged: u8,
    /// What has come beyond a gap, nearest first; an empty range is none.
    pub islands: [Island; ISLANDS],
}

/// How many ranges beyond gaps are remembered: as many as SACK blocks are sent.
pub const ISLANDS: usize = 3;

const _: () = crate::size_is::<Connection, 72>();

/// Sequence numbers of what has come beyond a gap.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Island {
    /// Of its first byte.
    pub start: u32,
    /// Of the one after its last.
    pub end: u32,
}

impl Island {
    /// None.
    pub const NONE: Self = Self { start: 0, end: 0 };

    /// Whether it is none.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// What must not happen: the index of its counter in [`Tally::faults`]. Each makes a load fail.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server reset the connection.
    Reset,
    /// It closed the connection before the response was complete.
    ClosedEarly,
    /// It acknowledged what was never sent, or answered a SYN for another.
    Acknowledgment,
    /// The response does not begin with the status expected.
    Status,
    /// The head of the response does not end in the segment that it began in.
    Head,
    /// More came than the response has bytes.
    TooLong,
    /// The body is not the one expected.
    Body,
    /// A frame has no room for what is to be sent.
    NoRoom,
}

impl Fault {
    /// How many there are.
    pub const COUNT: usize = 8;

    /// All, in the order of their counters, each with what it means.
    pub const ALL: [(Self, &str); Self::COUNT] = [
        (Self::Reset, "connections that the server reset"),
        (Self::ClosedEarly, "connections closed before the response was complete"),
        (Self::Acknowledgment, "acknowledgments of what was never sent"),
        (Self::Status, "responses with another status"),
        (Self::Head, "heads of responses that came in pieces"),
        (Self::TooLong, "responses that were too long"),
        (Self::Body, "bodies that were not what was published"),
        (Self::NoRoom, "frames without room for a request"),
    ];
}

/// What one CPU counted: the element of the per-CPU map `TALLY`. Counters only rise.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Tally {
    /// Requests, those that were sent again not counted twice.
    pub requests: u64,
    /// Responses that were complete and as expected.
    pub responses: u64,
    /// Those of them that were checked to the last byte.
    pub samples: u64,
    /// Bytes of all of them, heads included.
    pub response_bytes: u64,
    /// Connections that the server accepted.
    pub connections: u64,
    /// SYNs of a flood that were answered.
    pub floods: u64,
    /// Orders to ask that found the connection busy.
    pub misses: u64,
    /// Segments that came, orders and strays included.
    pub segments_in: u64,
    /// Segments that were sent.
    pub segments_out: u64,
    /// Requests, SYNs and FINs that were sent again, because no answer came.
    pub repeats: u64,
    /// Segments with nothing new in them.
    pub duplicates: u64,
    /// Segments beyond a gap.
    pub gaps: u64,
    /// Segments of no connection, mostly of the one before.
    pub strays: u64,
    /// How often what must not happen did, by [`Fault`].
    pub faults: [u64; Fault::COUNT],
}

impl Tally {
    /// Adds another CPU's counters to these.
    pub fn add(&mut self, other: &Self) {
        let mut words: [u64; size_of::<Self>() / 8] = zerocopy::transmute!(*self);
        let others: [u64; size_of::<Self>() / 8] = zerocopy::transmute!(*other);
        for (word, other) in words.iter_mut().zip(others) {
            *word = word.wrapping_add(other);
        }
        *self = zerocopy::transmute!(words);
    }
}

/// EtherType of an [`Order`]: one of those for local experiments (IEEE 802-2014 section 9.2.3).
pub const ORDER_ETHER_TYPE: u16 = 0x88b5;

/// What user space has the program do, in a frame behind the Ethernet header. The frame itself
/// becomes the segment that is sent, so it is as long as a frame can be: a frame that was cut down
/// keeps its room.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Order {
    /// A value of [`order`].
    pub what: u32,
    /// The connection.
    pub slot: u32,
}

/// What is ordered: a value of [`Order::what`].
pub mod order {
    /// Open a connection, with the habit [`STEADY`](super::habit::STEADY).
    pub const OPEN_STEADY: u32 = 0;
    /// Open a connection, with the habit [`ORDERED`](super::habit::ORDERED).
    pub const OPEN_ORDERED: u32 = 1;
    /// Send again what has not been answered.
    pub const REPEAT: u32 = 2;
    /// Ask, if the connection is idle.
    pub const ASK: u32 = 3;
    /// Ask for nothing more when the present response is complete.
    pub const REST: u32 = 4;
    /// Reset the connection.
    pub const RESET: u32 = 5;
    /// Open a connection, with the habit [`FLOOD`](super::habit::FLOOD).
    pub const OPEN_FLOOD: u32 = 6;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
