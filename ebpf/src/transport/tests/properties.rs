//! Rules for any input whatever, in any order.

use proptest::prelude::*;
use zeroserve_shared::{flow::Flow, map::MAX_BURST_SEGMENTS, route::VersionId};

use super::{
    Arrival, MAX_BLOCKS, SackBlock, Work, acknowledge, begin, is_delivered, plan, response_end,
};
use crate::{
    descriptor::{MAX_RANGES, Range},
    wire::sequence::{after, distance},
};

/// A sequence number, said relative to a flow so that it is worth something.
#[derive(Clone, Copy, Debug)]
enum Number {
    /// So far from the oldest byte that is open.
    FromOldest(i32),
    /// So far from the next byte to be sent.
    FromNext(i32),
    /// Nothing to do with the flow.
    Any(u32),
}

impl Number {
    fn of(self, flow: &Flow) -> u32 {
        match self {
            Self::FromOldest(ahead) => flow.send_unacknowledged.wrapping_add_signed(ahead),
            Self::FromNext(ahead) => flow.send_next.wrapping_add_signed(ahead),
            Self::Any(number) => number,
        }
    }
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        8 => (-3000..60_000_i32).prop_map(Number::FromOldest),
        4 => (0..30_i32).prop_map(|segments| Number::FromOldest(segments * 1460)),
        4 => (-30_000..3000_i32).prop_map(Number::FromNext),
        1 => any::<u32>().prop_map(Number::Any),
    ]
}

/// What a packet says, before it is known to which flow.
#[derive(Clone, Debug)]
struct Said {
    acknowledgment: Number,
    window: u32,
    blocks: [(Number, Number); MAX_BLOCKS],
    block_count: u32,
    later_ms: u32,
    repeats: bool,
    crowd: u32,
}

prop_compose! {
    fn said()(
        acknowledgment in number(),
        window in prop_oneof![Just(0), 1..3000_u32, 3000..1_000_000_u32, 0..u32::MAX >> 2],
        blocks in prop::array::uniform4((number(), number())),
        block_count in prop_oneof![0..=4_u32, any::<u32>()],
        later_ms in 0..500_u32,
        repeats: bool,
        crowd in prop_oneof![Just(0_u32), 1..100_u32],
    ) -> Said {
        Said { acknowledgment, window, blocks, block_count, later_ms, repeats, crowd }
    }
}

/// The ranges of a plan that are not empty. None follows an empty one.
fn ranges(work: &Work) -> Vec<Range> {
    let used = work.plan.ranges.iter().take_while(|range| !range.is_empty()).count();
    assert!(work.plan.ranges[used..].iter().all(Range::is_empty), "{:?}", work.plan);
    work.plan.ranges[..used].to_vec()
}

fn judge(before: &Flow, flow: &Flow, work: &Work) {
    let mut ranges = ranges(work);
    let mss = u32::from(flow.mss);
    let segments = |ranges: &[Range]| ranges.iter().map(|range| range.segments(mss)).sum::<u32>();
    assert!(ranges.len() <= MAX_RANGES);
    assert_eq!(segments(&ranges) + work.plan.repeats, work.plan.segments);
    assert!(work.plan.segments <= MAX_BURST_SEGMENTS && work.plan.repairs <= work.plan.segments);
    assert_eq!(u32::from(flow.repairs - before.repairs), work.plan.repairs);
    assert!(ranges.iter().all(|range| range.end <= flow.response_bytes), "{:?}", work.plan);
    let mut spares = work.plan.spares - work.plan.repeats;
    while spares > 0 {
        spares -= segments(&[ranges.pop().expect("more spares than ranges")]);
    }
    let old_next = before.send_next.wrapping_sub(flow.response_start);
    let is_old = |range: &Range| range.end <= old_next;
    let mut next = old_next;
    for range in ranges.iter().filter(|range| !is_old(range)) {
        assert_eq!(range.start, next, "{:?}", work.plan);
        next = range.end;
    }
    let repairs: Vec<_> = ranges.iter().filter(|range| is_old(range)).collect();
    assert!(repairs.windows(2).all(|pair| pair[0].end <= pair[1].start), "{:?}", work.plan);
    assert!(!after(flow.send_unacknowledged, flow.send_next));
    assert!(!after(flow.acknowledged, flow.receive_next));
    assert!(distance(flow.acknowledged, before.acknowledged) >= 0);
    assert!(distance(flow.send_next, response_end(flow)) <= 1, "our FIN is the last");
}

proptest! {
    #[test]
    fn no_arrival_breaks_a_flow(
        first: u32,
        response_bytes in prop_oneof![1..5000_u32, 5000..10_000_000_u32],
        request_bytes in 1..2000_u32,
        mss in prop_oneof![Just(1460_u16), 1..1461_u16],
        flags: bool,
        window in 0..100_000_u32,
        arrivals in prop::collection::vec(said(), 1..60),
    ) {
        let mut flow = Flow {
            version: VersionId::new(1, 1),
            send_next: first,
            send_unacknowledged: first,
            acknowledged: first,
            receive_next: first.wrapping_add(request_bytes),
            unscaled_window: (window >> 1) as u16,
            window_shift: 1,
            slow_start_threshold: 64 * u32::from(mss),
            mss,
            flags: if flags { super::CLOSE } else { 0 },
            ..Flow::default()
        };
        let mut work = Work::default();
        let mut now_ms = u32::MAX - 1000;
        begin(&mut flow, response_bytes, now_ms);
        let before = flow;
        plan(&mut flow, &mut work);
        judge(&before, &flow, &work);
        for said in arrivals {
            now_ms = now_ms.wrapping_add(said.later_ms);
            let acknowledgment = said.acknowledgment.of(&flow);
            if after(acknowledgment, flow.send_next) {
                // The caller refuses it.
                continue;
            }
            work.arrival = Arrival {
                acknowledgment,
                window: said.window,
                blocks: said.blocks.map(|(left, right)| {
                    SackBlock { left: left.of(&flow), right: right.of(&flow) }
                }),
                block_count: said.block_count,
                now_us: now_ms.wrapping_mul(1000),
                now_ms,
                crowd: said.crowd,
                repeats: said.repeats,
            };
            let before = flow;
            acknowledge(&mut flow, &work.arrival);
            if is_delivered(&flow) {
                break;
            }
            plan(&mut flow, &mut work);
            judge(&before, &flow, &work);
        }
    }

    #[test]
    fn an_old_acknowledgment_changes_nothing(behind in 1..1_000_000_u32, window: u32) {
        let mut flow =
            Flow { send_unacknowledged: 5, send_next: 9000, mss: 1460, ..Flow::default() };
        let before = flow;
        let acknowledgment = 5_u32.wrapping_sub(behind);
        let arrival = Arrival { acknowledgment, window, repeats: true, ..Arrival::default() };
        prop_assert_eq!(acknowledge(&mut flow, &arrival), 0);
        prop_assert_eq!(flow, before);
    }
}
