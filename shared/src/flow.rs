//! One TCP connection that the XDP program owns.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{config::Address, route::VersionId};

/// Whose packet it is: what tells connections apart. Aligned, so that it is read and written in words.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FlowKey {
    /// The client's address.
    pub remote: Address,
    /// The address the client connected to.
    pub local: Address,
    /// The client's port, in network byte order.
    pub remote_port: [u8; 2],
    /// The port the client connected to, in network byte order.
    pub local_port: [u8; 2],
    /// The identifiers of the VLANs it came through, outer and inner, in network byte order; zero
    /// where there is none (IEEE 802.1Q, 802.1ad). Addresses may repeat from VLAN to VLAN.
    pub vlans: [[u8; 2]; 2],
}

const _: () = crate::size_is::<FlowKey, 40>();

/// One TCP connection. Created by its first valid cookie that comes with request bytes, so a
/// flood of SYNs stores nothing; removed when it closes, or to make room for another.
///
/// Sequence numbers are in host byte order and wrap. The response in flight is the bytes from
/// `response_start` on; the send buffer is the version itself.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Flow {
    /// The version being sent; none while the flow is idle. A version that some flow names must
    /// not be freed.
    pub version: VersionId,
    /// When a packet of this flow last came, milliseconds of `CLOCK_MONOTONIC` (it wraps).
    pub touched_ms: u32,
    /// When the client last acknowledged something new, on the same clock.
    pub progress_ms: u32,
    /// The time put into `Date`, seconds since the Unix epoch, or what a copy has in `Age`: fixed when
    /// the response starts, so that a segment sent again is the same segment.
    pub date_unix_s: u32,
    /// The route being served, for its counters.
    pub route: u32,
    /// Next sequence number expected from the client (RCV.NXT), all request bytes read.
    pub receive_next: u32,
    /// What the client has been told: the last acknowledgment number sent. It trails
    /// `receive_next` while a response is on its way, so that the client's timer runs for us.
    pub acknowledged: u32,
    /// Oldest sequence number sent and not yet acknowledged (SND.UNA).
    pub send_unacknowledged: u32,
    /// Next sequence number to be sent (SND.NXT).
    pub send_next: u32,
    /// Sequence number of the response's first byte.
    pub response_start: u32,
    /// Bytes of the response that will be sent: all of it, or its head for HEAD.
    pub response_bytes: u32,
    /// Where in the version the body part of a partial response begins, which is sent behind the
    /// head of that [`Form`](crate::route::Form); what it is for other forms means nothing.
    pub body_start: u32,
    /// The value of `send_next` when recovery began; the recovery ends once it is acknowledged.
    pub recovery_end: u32,
    /// Holes below this sequence number have been sent again in this recovery.
    pub repaired_to: u32,
    /// Congestion window, in bytes (RFC 5681).
    pub window: u32,
    /// Slow-start threshold, in bytes (RFC 5681).
    pub slow_start_threshold: u32,
    /// Largest payload sent to this client, in bytes.
    pub mss: u16,
    /// Flags, see the kernel side's `transport` module.
    pub flags: u16,
    /// Shift of the client's window (RFC 7323) in the lower four bits, and above them [`SCALES`],
    /// [`SACKS`], [`HANDED`] and [`SEATED`].
    pub window_shift: u8,
    /// Which [`Form`](crate::route::Form) of the version is being sent. Of a connection that is handed
    /// off: one if the kernel has taken the packet that begins its socket, else zero.
    pub form: u8,
    /// Segments found lost since the timing of a segment began, 255 if there are more.
    pub lost_segments: u8,
    /// When a stray segment was last answered, in ticks of the kernel side's `transport::admit`.
    pub challenged: u8,
    /// What `send_next` was at the latest when the oldest open byte was last sent: once the client
    /// holds something beyond, that byte has been lost.
    pub oldest_sent: u32,
    /// Sequence number of the segment that is being timed.
    pub timed_sequence: u32,
    /// When it was sent, in ticks of the kernel side's `transport::congestion` module.
    pub timed_at_ticks: u16,
    /// The shortest round trip seen, in the same ticks; zero if none has been.
    pub shortest_ticks: u16,
    /// The client's clock when it sent the latest segment (TS.Recent, RFC 7323); never zero if both
    /// send timestamps, else zero.
    pub client_clock: u32,
    /// Responses begun in this connection. Nothing depends on it; consoles sum it up by client.
    pub requests: u32,
    /// What the client had been told when the response started: the lower half, see
    /// [`Self::request_start`].
    pub request_start_low: u16,
    /// The client's receive window as it says it, see [`Self::peer_window`].
    pub unscaled_window: u16,
    /// Segments of the responses that were sent again, 65,535 if there were more. As for `requests`.
    pub repairs: u16,
    /// When it was last counted among those that share a queue: the lower half of such a clock as
    /// `touched_ms`.
    pub counted_ms: u16,
}

const _: () = crate::size_is::<Flow, 104>();

impl Flow {
    /// What the client had been told when the response started. A request is not as long as 65,536
    /// bytes, because no window here is larger.
    #[inline(always)]
    pub const fn request_start(&self) -> u32 {
        let told_bytes = (self.receive_next as u16).wrapping_sub(self.request_start_low);
        self.receive_next.wrapping_sub(told_bytes as u32)
    }

    /// A response starts: what the client has been told so far is kept.
    #[inline(always)]
    pub const fn start_request(&mut self) {
        self.request_start_low = self.acknowledged as u16;
    }

    /// The client's receive window, in bytes.
    #[inline(always)]
    pub const fn peer_window(&self) -> u32 {
        (self.unscaled_window as u32) << (self.window_shift & SHIFT)
    }

    /// Takes note of the client's receive window, in bytes. What its scale has no number for is
    /// rounded down.
    #[inline(always)]
    pub const fn set_peer_window(&mut self, bytes: u32) {
        let window = bytes >> (self.window_shift & SHIFT);
        self.unscaled_window = if window > u16::MAX as u32 { u16::MAX } else { window as u16 };
    }
}

/// How many flows are in a set.
pub const WAYS: usize = 8;

/// A set of flows, an element of the map `FLOWS`. Which of its entries are in use is said by the byte
/// of that number in the word that `TAGS` has for the set: zero if it is not.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FlowSet {
    /// The entries.
    pub entries: [Entry; WAYS],
}

/// An entry of a [`FlowSet`]: a flow, and whose it is.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Entry {
    /// Whose it is.
    pub peer: Peer,
    /// The flow.
    pub flow: Flow,
}

// With its tag it takes 125 bytes: less than the 128 that two lines of a cache have.
const _: () = crate::size_is::<Entry, 124>();
const _: () = crate::size_is::<FlowSet, 992>();

/// Who is at the other end of a flow, and which of our addresses it is with.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Peer {
    /// The client's address.
    pub address: Address,
    /// The client's port, in network byte order.
    pub port: [u8; 2],
    /// The number that the map `ADDRESSES` has for the address the client connected to, and the VLANs it
    /// came through.
    pub local: [u8; 2],
}

const _: () = crate::size_is::<Peer, 20>();

/// The part of [`Flow::window_shift`] that is the shift.
pub const SHIFT: u8 = 0xf;

/// Part of [`Flow::window_shift`]: windows are scaled in this connection (RFC 7323 section 2.2).
pub const SCALES: u8 = 0x80;
/// Part of [`Flow::window_shift`]: the client takes SACK, and was offered it (RFC 2018).
pub const SACKS: u8 = 0x40;
/// Part of [`Flow::window_shift`]: the kernel has the connection, or is being given it. Nothing of it
/// is read or answered by the programs.
pub const HANDED: u8 = 0x20;
/// Part of [`Flow::window_shift`]: the kernel has been seen to have it.
pub const SEATED: u8 = 0x10;

/// Flag of [`Flow::flags`]: something was lost, and repairs of it are not all acknowledged yet. The
/// other flags concern the kernel side alone.
pub const RECOVERING: u16 = 1;
