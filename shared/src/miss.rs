//! What is asked for and not served here, counted by path.
//!
//! `MISSES` is an LRU hash, so what is kept is what was asked for lately: an element stays as long as
//! it is asked for again before about as many other paths as the map holds have come for the first
//! time. A path that is worth serving is asked for much more often than that, and what is asked for
//! once, however much of it there is, only pushes out its like. The kernel gives each CPU some free
//! elements in advance, so a flood can make it evict a little earlier.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes kept of the first request for a path: its request line and mostly its `Host`.
pub const MISS_BYTES: usize = 256;

/// An element of `MISSES`, keyed by [`PathHash::at`](crate::path::PathHash::at): the path at the host
/// that was asked.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Miss {
    /// Requests that a copy could have answered.
    pub requests: u64,
    /// Requests that it could not have, because they are particular (see the kernel side's `request`
    /// module): they have a query, for instance.
    pub particular: u64,
    /// When the last came, nanoseconds of `CLOCK_BOOTTIME`, to about a tick.
    pub last_ns: u64,
    /// How many bytes are in `captured`.
    pub captured_bytes: u32,
    /// Keeps the layout free of padding.
    pub reserved: u32,
    /// The beginning of the first request. Whatever it reads as, only what hashes to the key is
    /// what was asked for.
    pub captured: [u8; MISS_BYTES],
}

const _: () = crate::size_is::<Miss, { 32 + MISS_BYTES }>();
