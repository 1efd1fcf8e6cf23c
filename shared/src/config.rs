//! What the console tells the programs when it attaches them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{bypass::Bypass, response::MAX_SEGMENT_BYTES};

/// Raised by one whenever a shared layout or the meaning of a map changes.
///
/// A console that finds another number in [`Config::abi`] says so and touches nothing.
pub const ABI: u32 = 2;

/// The single element of the `CONFIG` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Config {
    /// Key of the SYN cookies, random per attach.
    pub cookie_key: [u64; 2],
    /// Key of the path hashes, random per attach (see [`crate::path`]).
    pub path_key: [u64; 2],
    /// Key of the hash by which flows are found, random per attach.
    pub flow_key: [u64; 3],
    /// Which requests go to the server behind although their path is served here.
    pub bypass: Bypass,
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
    /// [`HOSTS`] and [`DRAINING`], or nothing.
    pub flags: u32,
    /// TCP port answered, in host byte order.
    pub port: u16,
    /// The interface's MTU, in bytes: the largest IP packet that it carries.
    pub mtu: u16,
    /// What becomes of requests that are not served here, as the number of an [`OnMiss`].
    pub on_miss: u32,
    /// Where the clock of the timestamps stands when `CLOCK_MONOTONIC` is at zero, in milliseconds;
    /// random per attach, because clients need not know how long the machine has been up.
    pub clock_start_ms: u32,
    /// How many sets of flows there are.
    pub flow_sets: u32,
}

const _: () = crate::size_is::<Config, 168>();

impl Config {
    /// What the clock of our timestamps says (RFC 7323 section 5.4), in milliseconds, when
    /// `CLOCK_MONOTONIC` is at `now_ms`.
    #[inline(always)]
    pub const fn timestamp_clock(&self, now_ms: u32) -> u32 {
        self.clock_start_ms.wrapping_add(now_ms)
    }

    /// The largest TCP payload that fits the interface's MTU, in bytes, behind an IP header of so
    /// many bytes and a TCP header without options.
    #[inline(always)]
    pub const fn mss(&self, ip_header_bytes: u16) -> u16 {
        let room = self.mtu.saturating_sub(ip_header_bytes + 20);
        if room > MAX_SEGMENT_BYTES as u16 { MAX_SEGMENT_BYTES as u16 } else { room }
    }
}

/// What becomes of requests that are not served here.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnMiss {
    /// They are refused: 404, 405 and so on.
    Refuse = 0,
    /// Their connections are given to the kernel, and so to the server that listens there.
    HandOff = 1,
}

impl OnMiss {
    /// Its name, as in the option `--on-miss`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "404",
            Self::HandOff => "handoff",
        }
    }
}

impl Config {
    /// Whether the programs are about to be detached.
    #[inline(always)]
    pub const fn is_draining(&self) -> bool {
        self.flags & DRAINING != 0
    }

    /// Whether requests that are not served here go to a server.
    #[inline(always)]
    pub const fn hands_off(&self) -> bool {
        self.on_miss == OnMiss::HandOff as u32
    }
}

/// Flag of [`Config::flags`]: some route is of one host only, so the host has to be looked at.
pub const HOSTS: u32 = 1;

/// Flag of [`Config::flags`]: the programs are about to be detached. They take no new connections,
/// finish the answers in flight and close, or hand off, what would go on.
pub const DRAINING: u32 = 2;

/// An address the programs answer for: IPv6, or IPv4 mapped into it (RFC 4291 section 2.5.5.2).
pub type Address = [u8; 16];

/// The key of the map `ADDRESSES`: an address, and the VLAN that it has there. What it leads to is a
/// number for the two, never zero, that no other address has had lately: flows name it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Local {
    /// The address.
    pub address: Address,
    /// The VLANs of the interface that it belongs to, as in [`FlowKey`](crate::flow::FlowKey).
    pub vlans: [[u8; 2]; 2],
}

const _: () = crate::size_is::<Local, 20>();

/// Maps an IPv4 address, in network byte order, into an [`Address`].
#[inline(always)]
pub const fn mapped(v4: [u8; 4]) -> Address {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4[0], v4[1], v4[2], v4[3]]
}
