//! How large the window is: what path and losses say about it.
//!
//! One segment in each round trip is timed, by our own clock: the answer to it tells how long the
//! path is now. The shortest time seen is the path without queues. A loss on a path that is
//! not longer than that is noise, of a radio or of a policer, and a smaller window would not help
//! against it; a loss on one that is, or of too much at once, is congestion.

use zeroserve_shared::flow::Flow;

use crate::{
    transport::{
        LONG, MAX_WINDOW_BYTES, PAUSED, QUIET_MS, SLOW_START_SEGMENTS, TIMED_OUT, TIMING, Work,
    },
    wire::sequence::{after, later},
};

/// Unit of the times in a flow, in microseconds.
const TICK_US: u32 = 64;

/// On a path shorter than this every loss counts as congestion: its queues are too short to be told
/// from the scheduling of a machine.
const SHORT_PATH_TICKS: u16 = (4000 / TICK_US) as u16;

/// Of so many segments one may be lost in a round trip for noise. BBR tolerates more, a fifth
/// (draft-cardwell-iccrg-bbr-congestion-control-00, section 4.2.3).
const NOISE_SHARE: u32 = 8;

/// And so many segments more, because a small window loses that share by chance.
const NOISE_SEGMENTS: u32 = 2;

/// What slow start may fill of a long path, in bytes for each tick of its round trip: 1 Gbit/s.
const BYTES_PER_TICK: u32 = 125 * TICK_US;

/// The clock that segments are timed by; it wraps after four seconds.
#[inline(always)]
const fn ticks(now_us: u32) -> u16 {
    (now_us / TICK_US) as u16
}

/// For how long a client says nothing new once something is wrong: [`QUIET_MS`] and the shortest round
/// trip, a sixteenth of a millisecond to a tick.
#[inline(always)]
pub(super) const fn quiet_ms(flow: &Flow) -> u32 {
    QUIET_MS + (flow.shortest_ticks as u32 >> 4)
}

/// Times a segment that is new and about to be sent, if none is timed now. Says whether it does.
#[inline(always)]
pub(super) fn time(flow: &mut Flow, sequence: u32, now_us: u32) -> bool {
    let begins = flow.flags & TIMING == 0 && flow.response_bytes > u32::from(flow.mss);
    if begins {
        flow.flags |= TIMING;
        flow.timed_sequence = sequence;
        flow.timed_at_ticks = ticks(now_us);
    }
    begins
}

/// Learns from the answer to the timed segment, or to one that was sent after it. It had not been
/// sent before, so it cannot have been answered sooner (Karn's rule, RFC 6298 section 3).
#[inline(always)]
pub(super) fn observe(flow: &mut Flow, work: &mut Work) {
    let lost = u32::from(flow.lost_segments);
    let segments = flow.window / u32::from(flow.mss).max(1);
    let limit = segments / NOISE_SHARE + NOISE_SEGMENTS;
    // More than 255 are not counted.
    if lost > limit.min(254) && is_tolerant(flow) {
        reduce_in_doubt(flow, work, lost - limit.min(254));
        flow.lost_segments = 0;
    }
    let seen = later(work.held_end, flow.send_unacknowledged);
    if flow.flags & TIMING == 0 || !after(seen, flow.timed_sequence) {
        return;
    }
    flow.flags &= !TIMING;
    // It may tell that while the oldest open byte stays open.
    flow.progress_ms = work.arrival.now_ms;
    let trip = ticks(work.arrival.now_us).wrapping_sub(flow.timed_at_ticks).max(1);
    if flow.shortest_ticks == 0 || trip < flow.shortest_ticks {
        flow.shortest_ticks = trip;
        allow_slow_start(flow);
    }
    let is_long = trip - flow.shortest_ticks > queue_ticks(flow.shortest_ticks);
    if !is_long {
        if flow.flags & PAUSED != 0 {
            // It was not a queue but a machine that was busy.
            flow.flags &= !PAUSED;
            flow.slow_start_threshold = open_threshold(flow);
        }
    } else if flow.window < flow.slow_start_threshold {
        // HyStart (RFC 9406): a queue may have begun to fill.
        flow.flags |= PAUSED;
        flow.slow_start_threshold = flow.window;
    }
    if is_long && flow.flags & LONG != 0 && flow.lost_segments > 0 && is_tolerant(flow) {
        reduce_in_doubt(flow, work, lost);
    }
    if is_long && flow.flags & LONG == 0 {
        flow.flags |= LONG;
    } else {
        flow.lost_segments = 0;
        if !is_long {
            flow.flags &= !LONG;
        }
    }
}

/// By how much a trip is longer than the shortest once there is a queue (RFC 9406 section 4.2).
#[inline(always)]
const fn queue_ticks(shortest_ticks: u16) -> u16 {
    const LEAST: u16 = (4000 / TICK_US) as u16;
    const MOST: u16 = (16_000 / TICK_US) as u16;
    let share = shortest_ticks / 8;
    if share < LEAST {
        LEAST
    } else if share > MOST {
        MOST
    } else {
        share
    }
}

/// Lets the first slow start go on for as long as the path is known to need.
#[inline(always)]
fn allow_slow_start(flow: &mut Flow) {
    if flow.slow_start_threshold == SLOW_START_SEGMENTS * u32::from(flow.mss) {
        flow.slow_start_threshold = open_threshold(flow);
    }
}

/// Where slow start ends on a path of this length, as long as nothing tells of a queue.
#[inline(always)]
fn open_threshold(flow: &Flow) -> u32 {
    let first = SLOW_START_SEGMENTS * u32::from(flow.mss);
    let room = u32::from(flow.shortest_ticks) * BYTES_PER_TICK;
    let room = if room > MAX_WINDOW_BYTES { MAX_WINDOW_BYTES } else { room };
    if room > first { room } else { first }
}

/// Whether a loss may be noise: not before the path has been measured.
#[inline(always)]
pub(super) const fn is_tolerant(flow: &Flow) -> bool {
    flow.shortest_ticks >= SHORT_PATH_TICKS
}

/// Takes note of lost segments.
#[inline(always)]
pub(super) const fn count_lost(flow: &mut Flow, segments: u32) {
    flow.lost_segments =
        flow.lost_segments.saturating_add(if segments > 255 { 255 } else { segments as u8 });
}

/// Reduces the window as CUBIC does (RFC 9438 section 4.6), but to four segments at least. The
/// RFC says two, but the acknowledgments of two are easily all lost, and nothing here would notice.
#[inline(always)]
pub(super) fn reduce(flow: &mut Flow) {
    flow.flags &= !PAUSED;
    let reduced = (u64::from(flow.window) * 7 / 10) as u32;
    let least = 4 * u32::from(flow.mss);
    flow.window = if reduced > least { reduced } else { least };
    flow.slow_start_threshold = flow.window;
}

/// Reduces the window, but keeps in mind what it was: so many needless repairs take that back.
#[inline(always)]
pub(super) fn reduce_in_doubt(flow: &mut Flow, work: &mut Work, doubts: u32) {
    work.board.doubts = doubts;
    work.board.prior_window = flow.window;
    reduce(flow);
}

/// Takes note of a needless repair: the segment had only been overtaken. If too few have been lost for
/// the window to be reduced, it gets back what it was (RFC 3708 section 3, and Linux).
#[inline(always)]
pub(super) fn take_back(flow: &mut Flow, work: &mut Work) {
    flow.lost_segments = flow.lost_segments.saturating_sub(1);
    let board = &mut work.board;
    board.doubts = board.doubts.saturating_sub(1);
    if board.doubts == 0 && board.prior_window > flow.window && flow.flags & TIMED_OUT == 0 {
        flow.window = board.prior_window;
        flow.slow_start_threshold = open_threshold(flow);
    }
}

/// Slow start below the threshold (RFC 5681 section 3.1, counting bytes as RFC 3465 does), then
/// half a segment for each window until it is as large as before the reduction, and then one
/// (RFC 9438 section 4.3).
#[inline(always)]
pub(super) fn grow(flow: &mut Flow, newly: u32) {
    let more = if flow.window < flow.slow_start_threshold {
        let room = flow.slow_start_threshold - flow.window;
        if newly < room { newly } else { room }
    } else if flow.window > 0 {
        let part = u64::from(newly) * u64::from(flow.mss) / u64::from(flow.window);
        let is_back = u64::from(flow.window) * 7 / 10 >= u64::from(flow.slow_start_threshold);
        (if is_back { part } else { part / 2 }) as u32
    } else {
        0
    };
    let window = flow.window.saturating_add(more);
    flow.window = if window > MAX_WINDOW_BYTES { MAX_WINDOW_BYTES } else { window };
}
