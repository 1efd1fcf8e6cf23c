//! What the kernel side shows of single packets and requests, while somebody looks.
//!
//! The console writes into `OBSERVE` until when it wants to see what. As long as nobody does, that
//! costs the kernel side one comparison. Otherwise it writes [`Record`]s into two rings, `PACKETS`
//! and `ASKED`: arrays in which a record's place is its number modulo their length. Any
//! number of consoles can read them, and what nobody reads is overwritten.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::flow::FlowKey;

/// The single element of the map `OBSERVE`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Observe {
    /// Until when to observe, nanoseconds of `CLOCK_MONOTONIC`. Whoever looks moves it on, so that
    /// a console that dies leaves nothing running.
    pub until_ns: u64,
    /// Which packets: those that leave for one of these [`Reason`](crate::reason::Reason)s, a bit
    /// for each.
    pub reasons: u64,
    /// The least time between two packets that one CPU records.
    pub packet_gap_ns: u64,
    /// The least time between two requests that one CPU records; zero for none at all.
    pub request_gap_ns: u64,
}

const _: () = crate::size_is::<Observe, 32>();

/// The single element of the map `OBSERVED`. Only the kernel side writes it.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Observed {
    /// How many packets have been recorded; the number of the last.
    pub packets: u64,
    /// How many requests have been recorded; the number of the last.
    pub requests: u64,
}

const _: () = crate::size_is::<Observed, 16>();

/// Bytes kept of a packet or a request: enough for all headers, and for most request lines.
pub const CAPTURED_BYTES: usize = 256;

/// An element of `PACKETS` or `ASKED`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Record {
    /// Its number, counted from 1. Zero while it is being written, so a reader that finds another
    /// number than it looks for, before or after, has read nothing.
    pub number: u64,
    /// When it was, nanoseconds of `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// The connection, of a request.
    pub key: FlowKey,
    /// Why the packet left, a [`Reason`](crate::reason::Reason); of a request, the index of the
    /// route that answers it.
    pub what: u32,
    /// Of a request, the [`Refusal`](crate::refusal::Refusal) plus one, or zero.
    pub refusal: u32,
    /// Of a request, the form of the version it is answered with, see [`route`](crate::route).
    pub form: u32,
    /// Of a request, bytes of the answer.
    pub response_bytes: u32,
    /// Bytes of the packet; of a request, those that came with its last segment.
    pub bytes: u32,
    /// How many of them are in `captured`, from the first on.
    pub captured_bytes: u32,
    /// The bytes themselves.
    pub captured: [u8; CAPTURED_BYTES],
}

const _: () = crate::size_is::<Record, 336>();

/// How many packets are kept.
pub const PACKET_RECORDS: u32 = 256;
/// How many requests are kept.
pub const REQUEST_RECORDS: u32 = 512;
