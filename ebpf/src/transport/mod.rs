//! What a flow sends next: acknowledgments in, ranges of the response out.
//!
//! There is no timer here, because an XDP program has none that could send. The client is the
//! clock: while a response is on its way the last byte of the request stays unacknowledged, so
//! the client's own retransmission timer runs, and its repeat of that byte is our timeout. See
//! ARCHITECTURE.md, "The client is the clock".
//!
//! | module | what it decides |
//! |---|---|
//! | [`admit`] | which segments belong to a flow |
//! | [`acknowledge`](mod@acknowledge) | what an acknowledgment changes |
//! | [`plan`](mod@plan) | which ranges leave in answer to it |
//! | [`plan_at_once`] | the same, where that is obvious |
//! | `board` | which segments the client holds |
//! | `congestion` | how large the window is |
//! | `crowd` | what a flow leaves to others in the same queue |
//! | [`conclude`] | how a burst ends |
//! | [`narrow`](mod@narrow) | what changes when segments turn out to be too large for the path |

use zeroserve_shared::flow::Flow;

use crate::wire::{
    options::{MAX_BLOCKS, SackBlock},
    sequence::{distance, earlier},
};

pub mod acknowledge;
pub mod admit;
mod at_once;
mod board;
pub mod conclude;
mod congestion;
mod crowd;
pub mod narrow;
pub mod plan;

pub use acknowledge::acknowledge;
pub use at_once::plan_at_once;
pub use board::Board;
pub use crowd::crowds;
pub use narrow::narrow;
pub use plan::{Plan, plan};

/// What the planning of a burst works on. It lies in memory, not in registers, because the
/// verifier takes what it reads from there for unknown and need not follow how it came about.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// What the packet says.
    pub arrival: Arrival,
    /// What the client holds beyond the acknowledgment number.
    pub board: Board,
    /// Bytes of it.
    pub held_bytes: u32,
    /// End of what the packet says the client holds.
    pub held_end: u32,
    /// Up to here holes are to be sent again although they have been already.
    pub again: u32,
    /// Whether the repairs of this burst begin a new pass.
    pub marks: bool,
    /// Whether a segment of this burst is the first of a round trip, and timed.
    pub times: bool,
    /// Bytes that may still be put on their way.
    pub budget: u32,
    /// Bytes that were on their way when the packet came.
    pub travelling: u32,
    /// What leaves.
    pub plan: Plan,
}

/// Lost segments are being sent again (fast recovery, RFC 6675).
pub const RECOVERING: u16 = zeroserve_shared::flow::RECOVERING;
/// Everything sent before the recovery began and not yet acknowledged counts as lost, because
/// the client's timer ran out.
pub const TIMED_OUT: u16 = 2;
/// The connection ends with the response.
pub const CLOSE: u16 = 4;
/// Our FIN has been sent.
pub const FIN_SENT: u16 = 8;
/// The client's FIN has been received.
pub const FIN_RECEIVED: u16 = 16;

/// Something of this response has been lost.
pub const LOSSY: u16 = 32;
/// A request has been read in part, and what was read of it is kept beside the flow.
pub const READING: u16 = 64;

/// The response says that the connection ends. A response keeps saying what it began with.
pub const SAYS_CLOSE: u16 = 128;

/// Further requests have come, and are kept beside the flow.
pub const BACKLOG: u16 = 256;

/// Something of the response before has been lost.
pub const WAS_LOSSY: u16 = 2048;
/// A segment is being timed.
pub const TIMING: u16 = 512;
/// A second timeout in a row: the client may have dropped what it said that it held (RFC 2018
/// section 8).
pub const FORGET: u16 = 1024;

/// Slow start pauses, because a round trip was long; it goes on after one that is not.
pub const PAUSED: u16 = 4096;
/// The latest round trip that was timed was long.
pub const LONG: u16 = 8192;

/// The lower of the two highest flags, which count the passes of repairs.
pub const PASS: u16 = 1 << 14;

/// The window we offer, in bytes: nothing is buffered, so it need not be scaled.
pub const RECEIVE_WINDOW: u16 = u16::MAX;

/// Segments in the initial window (RFC 6928).
pub const INITIAL_SEGMENTS: u32 = 10;

/// Segments that may leave right after a timeout. RFC 5681 says one, but the acknowledgments of
/// three are less easily all lost, and nothing here would notice.
pub const TIMEOUT_SEGMENTS: u32 = 3;

/// The largest congestion window, in bytes.
pub const MAX_WINDOW_BYTES: u32 = 4 << 20;

/// With more in flight than [`TIMEOUT_SEGMENTS`], a repeat of the request counts as a timeout only
/// if the client has told nothing new for so long and a round trip. Before that its timer merely ran
/// out of acknowledged request bytes.
pub const QUIET_MS: u32 = 30;

/// Where slow start ends at first, in segments: more than most paths hold, and less than the
/// queues of a virtual link overflow at.
pub const SLOW_START_SEGMENTS: u32 = 64;

/// What a packet says about what we have sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// Receive window in bytes, scale applied.
    pub window: u32,
    /// Ranges held beyond a gap, in the order of the header.
    pub blocks: [SackBlock; MAX_BLOCKS],
    /// How many of them there are.
    pub block_count: u32,
    /// Milliseconds of a clock that wraps.
    pub now_ms: u32,
    /// Microseconds of a clock that wraps; only read while there is more than a segment to send.
    pub now_us: u32,
    /// How many flows that [`crowds`] is true of have been heard of lately; like `now_us` only read
    /// while there is more than a segment to send.
    pub crowd: u32,
    /// Whether it repeats request bytes that had come before: the client's timer. Or [`reminds`].
    pub repeats: bool,
}

/// Starts a response of so many bytes: nothing of it is sent yet.
#[inline(always)]
pub fn begin(flow: &mut Flow, response_bytes: u32, now_ms: u32) {
    flow.response_start = flow.send_next;
    flow.response_bytes = response_bytes;
    flow.start_request();
    flow.recovery_end = flow.send_next;
    flow.repaired_to = flow.send_next;
    flow.oldest_sent = flow.send_next;
    flow.progress_ms = now_ms;
    flow.lost_segments = 0;
    flow.requests = flow.requests.wrapping_add(1);
    flow.flags &= !WAS_LOSSY;
    if flow.flags & LOSSY != 0 {
        flow.flags |= WAS_LOSSY;
    }
    flow.flags &= !(RECOVERING | TIMED_OUT | LOSSY | TIMING | FORGET);
    let initial = INITIAL_SEGMENTS * flow.mss as u32;
    if flow.window < initial {
        flow.window = initial;
    }
}

/// Whether the planning of a burst looks at the scoreboard.
#[inline(always)]
pub const fn needs_board(flow: &Flow, arrival: &Arrival) -> bool {
    arrival.block_count > 0 || flow.flags & RECOVERING != 0
}

/// Sequence number after the response's last byte.
#[inline(always)]
pub const fn response_end(flow: &Flow) -> u32 {
    flow.response_start.wrapping_add(flow.response_bytes)
}

/// What may be acknowledged without anything of the response: never the last byte of the request
/// while some of the response is missing, even if a segment that is lost by now did so, because
/// with it the client's timer would stop.
#[inline(always)]
pub const fn acknowledgment_alone(flow: &Flow) -> u32 {
    earlier(flow.acknowledged, flow.receive_next.wrapping_sub(1))
}

/// Whether a segment without data, with such a window, asks for what was sent to come again, unless it
/// acknowledges it: all of the request is acknowledged, so the client has nothing to repeat. It had no
/// memory for the response, and now it has: its window is wider than it was.
///
/// The same window says so only after a silence. Mostly it is how clients answer what they have already, and each
/// of our extras would bring another three.
#[inline(always)]
pub const fn reminds(flow: &Flow, window: u32, now_ms: u32) -> bool {
    let is_quiet = now_ms.wrapping_sub(flow.progress_ms) >= congestion::quiet_ms(flow);
    is_sending(flow)
        && flow.acknowledged == flow.receive_next
        && window > 0
        && (window > flow.peer_window() || is_quiet)
}

/// Whether a response is on its way.
#[inline(always)]
pub const fn is_sending(flow: &Flow) -> bool {
    !flow.version.is_none()
}

/// Whether the client has acknowledged the whole response.
#[inline(always)]
pub const fn is_delivered(flow: &Flow) -> bool {
    distance(flow.send_unacknowledged, response_end(flow)) >= 0
}

#[cfg(test)]
mod tests;
