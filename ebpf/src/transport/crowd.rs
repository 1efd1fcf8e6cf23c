//! What a flow leaves to others in the same queue.
//!
//! Packets come in polls, up to 64 at a time, and the answers to all of them are queued before the
//! first leaves. A burst has up to 31 segments, so a few flows on a short path fill the queue of any
//! device: a veth pair's holds 256 frames. What is beyond is dropped, whole bursts of it, and the windows
//! that this teaches are so small that a flow often loses all of one, and waits for its client's timer.
//!
//! So busy flows share the queue before that happens, see [`crowds`] for who is counted. With
//! [`FEW_FLOWS`] or less nothing is different, and on longer paths hardly anything.
//!
//! Where the queue has overflowed all the same, as it does with the first answers of very many, their clients'
//! timers run out together. Then each sends its share and nothing else, whatever is thought of its path:
//! that may be one acknowledgment that was delayed.

use zeroserve_shared::flow::Flow;

use crate::transport::{RECOVERING, TIMED_OUT, Work, congestion::is_tolerant, is_sending};

/// So many flows can all have [`SLOW_START_SEGMENTS`](super::SLOW_START_SEGMENTS) in the smallest queue.
const FEW_FLOWS: u32 = 4;

/// Segments that busy flows have in the queue together: as many as a veth pair's holds.
const QUEUE_SEGMENTS: u32 = 256;

/// For how long a segment is in the queue at most, half a millisecond in ticks of
/// [`congestion`](super::congestion). On a longer path the rest of the round trip has room for as many
/// segments each time.
const QUEUE_TICKS: u32 = 8;

/// Segments on their way that are sure to be answered at once (RFC 9293 section 3.8.6.3).
const ANSWERED_SEGMENTS: u32 = 2;

/// Segments that are worth a burst, however large the share is.
const BURST_SEGMENTS: u32 = 15;

/// Whether a flow fills the queue with others: it sends more than a segment, and for all that is known
/// its path is so short that most of what is on its way is in a queue, or it has had a timeout.
#[inline(always)]
pub const fn crowds(flow: &Flow) -> bool {
    let is_long = is_tolerant(flow) && flow.flags & TIMED_OUT == 0;
    is_sending(flow) && flow.response_bytes > flow.mss as u32 && !is_long
}

/// Whether the flow is one of many in its queue, on a path that is known to be short, or after a timeout: then
/// it was most likely in this queue that all was lost.
#[inline(always)]
pub(super) const fn is_crowded(flow: &Flow, work: &Work) -> bool {
    let is_short = flow.shortest_ticks != 0 && !is_tolerant(flow);
    work.arrival.crowd > FEW_FLOWS && (is_short || flow.flags & TIMED_OUT != 0)
}

/// The congestion window, or the flow's share of the queue if that is less.
#[inline(always)]
pub(super) const fn share(flow: &Flow, work: &Work) -> u32 {
    if !is_crowded(flow, work) {
        return flow.window;
    }
    let is_known = flow.flags & TIMED_OUT == 0;
    let times = if is_known { 1 + flow.shortest_ticks as u32 / QUEUE_TICKS } else { 1 };
    let share = full_burst(QUEUE_SEGMENTS / work.arrival.crowd * times) * flow.mss as u32;
    if share < flow.window { share } else { flow.window }
}

/// The most segments up to a number that the copies of a carrier are just enough for (see
/// [`copies`](crate::descriptor::copies)), if one burst can have them; two at least, because a client
/// waits with its answer to one (RFC 5681 section 4.2).
#[inline(always)]
const fn full_burst(segments: u32) -> u32 {
    match segments {
        ..=2 => 2,
        3..=6 => 3,
        7..=14 => 7,
        15..=30 => 15,
        _ => segments,
    }
}

/// Whether new data waits until most of the share may be sent at once, while enough is on its way to
/// bring the acknowledgments for it. A client that gathers segments (GRO) answers a burst of many with
/// one packet and bursts of two with one each, and that would go on as it began: each packet costs both
/// ends as much as several segments. Linux waits for as much with TSO (`tcp_tso_should_defer`).
#[inline(always)]
pub(super) const fn is_deferred(flow: &Flow, work: &Work, bytes: u32) -> bool {
    let mss = flow.mss as u32;
    let part = share(flow, work) / 4 * 3;
    let most = BURST_SEGMENTS * mss;
    let least = if part < most { part } else { most };
    is_crowded(flow, work)
        && flow.flags & RECOVERING == 0
        && work.plan.segments == 0
        && work.travelling >= ANSWERED_SEGMENTS * mss
        && bytes < least
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroserve_shared::route::VersionId;

    use super::*;
    use crate::transport::{Arrival, MAX_WINDOW_BYTES, acknowledge, begin, plan};

    const MSS: u16 = 1448;

    /// A response of 600 segments of which so many are on their way, on a path of so many ticks.
    fn sending(travelling: u32, shortest_ticks: u16) -> Flow {
        let mut flow = Flow {
            version: VersionId::new(1, 1),
            mss: MSS,
            unscaled_window: (MAX_WINDOW_BYTES >> 7) as u16,
            window_shift: 7,
            window: 100 * u32::from(MSS),
            slow_start_threshold: 100 * u32::from(MSS),
            shortest_ticks,
            ..Flow::default()
        };
        begin(&mut flow, 600 * u32::from(MSS), 0);
        flow.send_next = flow.send_next.wrapping_add(travelling * u32::from(MSS));
        flow
    }

    /// How many segments of new data are sent in such a crowd.
    fn sent(flow: &Flow, crowd: u32) -> u32 {
        let mut work = Work {
            arrival: Arrival {
                acknowledgment: flow.send_unacknowledged,
                window: flow.peer_window(),
                crowd,
                ..Arrival::default()
            },
            ..Work::default()
        };
        plan(&mut flow.clone(), &mut work);
        work.plan.segments - work.plan.spares
    }

    #[test]
    fn a_crowd_on_short_paths_has_no_more_on_its_way_than_the_queue_holds() {
        for crowd in FEW_FLOWS + 1..=QUEUE_SEGMENTS / 3 {
            let flow = sending(0, 1);
            let work = Work { arrival: Arrival { crowd, ..Arrival::default() }, ..Work::default() };
            assert!(crowd * share(&flow, &work) <= QUEUE_SEGMENTS * u32::from(MSS), "{crowd}");
            assert!(sent(&flow, crowd) >= 3, "{crowd}");
        }
    }

    #[test]
    fn few_flows_long_paths_and_unknown_ones_have_their_windows() {
        for (crowd, shortest_ticks) in [(0, 1), (FEW_FLOWS, 1), (1000, 0), (1000, 1000)] {
            assert_eq!(sent(&sending(0, shortest_ticks), crowd), 30);
            assert_eq!(sent(&sending(98, shortest_ticks), crowd), 2);
        }
    }

    #[test]
    fn after_a_timeout_a_flow_of_a_crowd_sends_its_share_and_nothing_else_whatever_its_path() {
        for shortest_ticks in [0, 1, 1000] {
            for (crowd, expected) in [(FEW_FLOWS, 3), (32, 3), (200, 2)] {
                let mut flow = sending(10, shortest_ticks);
                // Without a byte that the client has there would be no probe.
                flow.send_unacknowledged = flow.send_unacknowledged.wrapping_add(MSS.into());
                let mut work = Work::default();
                work.arrival.acknowledgment = flow.send_unacknowledged;
                work.arrival.window = flow.peer_window();
                work.arrival.crowd = crowd;
                work.arrival.repeats = true;
                work.arrival.now_ms = 5_000;
                acknowledge(&mut flow, &work.arrival);
                assert!(crowds(&flow));
                plan(&mut flow, &mut work);
                let spares = u32::from(crowd == FEW_FLOWS);
                assert_eq!((work.plan.segments, work.plan.spares), (expected + spares, spares));
            }
        }
    }

    #[test]
    fn in_a_crowd_new_data_waits_for_a_burst_as_long_as_answers_are_on_their_way() {
        // The share of one in 32 is seven segments.
        for (travelling, expected) in [(0, 7), (1, 6), (2, 0), (6, 0), (7, 0), (9, 0)] {
            assert_eq!(sent(&sending(travelling, 1), 32), expected, "{travelling}");
        }
        let mut flow = sending(4, 1);
        flow.response_bytes = 6 * u32::from(MSS);
        assert_eq!(sent(&flow, 32), 2, "the end of the response does not wait");
    }

    proptest! {
        #[test]
        fn a_flow_with_nothing_on_its_way_always_sends(
            crowd: u32, shortest_ticks: u16, window in 1u32..1_000_000,
        ) {
            let mut flow = sending(0, shortest_ticks);
            flow.window = window.max(u32::from(MSS));
            prop_assert!(sent(&flow, crowd) > 0);
        }
    }
}
