//! What the console tells the programs when it attaches them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Raised by one whenever a shared layout or the meaning of a map changes.
///
/// A console that finds another number in [`Config::abi`] says so and touches nothing.
pub const ABI: u32 = 1;

/// The single element of the `CONFIG` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Config {
    /// Key of the SYN cookies, random per attach.
    pub cookie_key: [u64; 2],
    /// Key of the path hashes, random per attach (see [`crate::path`]).
    pub path_key: [u64; 2],
    /// When the programs were attached, seconds since the Unix epoch.
    pub attached_unix_s: u64,
    /// What to subtract from `CLOCK_TAI` to get UTC, in seconds. The kernel's value, read when
    /// attaching and again by every command, because a time daemon may set it late.
    pub tai_minus_utc_s: i64,
    /// [`ABI`] of the programs.
    pub abi: u32,
    /// Index of the interface that the programs are attached to.
    pub if_index: u32,
    /// Routes that fit into the maps, fixed ones included.
    pub max_routes: u32,
    /// TCP port answered, in host byte order.
    pub port: u16,
    /// Largest TCP payload that fits the interface's MTU, in bytes.
    pub mss: u16,
}

const _: () = crate::size_is::<Config, 64>();

/// An address the programs answer for: IPv6, or IPv4 mapped into it (RFC 4291 section 2.5.5.2).
pub type Address = [u8; 16];

/// Maps an IPv4 address, in network byte order, into an [`Address`].
#[inline(always)]
pub const fn mapped(v4: [u8; 4]) -> Address {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4[0], v4[1], v4[2], v4[3]]
}
