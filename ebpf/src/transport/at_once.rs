//! The plan for what most answers are: one segment, with nothing else on its way.

use zeroserve_shared::flow::Flow;

use crate::{
    descriptor::Range,
    transport::{BACKLOG, WAS_LOSSY, Work, conclude::acknowledge_request},
    words,
};

/// Plans a response that has just begun, if it leaves as one segment and nothing else is to be thought
/// of; false if the steps of [`plan`](super::plan()) have to find out. They would come to the same.
#[inline(always)]
pub fn plan_at_once(flow: &mut Flow, work: &mut Work) -> bool {
    let bytes = flow.response_bytes;
    let fits = bytes <= u32::from(flow.mss) && bytes <= flow.peer_window();
    let is_fresh = flow.send_next == flow.response_start
        && flow.send_unacknowledged == flow.response_start
        && work.arrival.block_count == 0;
    if bytes == 0 || !fits || !is_fresh || flow.flags & (BACKLOG | WAS_LOSSY) != 0 {
        return false;
    }
    words::clear(&mut work.plan);
    work.plan.ranges[0] = Range { start: 0, end: bytes };
    work.plan.segments = 1;
    flow.send_next = flow.send_next.wrapping_add(bytes);
    acknowledge_request(flow, &mut work.plan);
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::{CLOSE, begin, plan};

    proptest! {
        #[test]
        fn it_is_what_the_steps_would_have_planned(
            response_bytes in 0u32..3000,
            peer_window in 0u32..3000,
            mss in 536u16..1461,
            was_lossy: bool,
            backlog: bool,
            closes: bool,
            next: u32,
            request_bytes in 1u32..2000,
        ) {
            let mut flow = Flow {
                mss,
                send_next: next,
                send_unacknowledged: next,
                receive_next: next.wrapping_add(request_bytes),
                acknowledged: next,
                unscaled_window: peer_window as u16,
                ..Flow::default()
            };
            begin(&mut flow, response_bytes, 0);
            let flags = [(WAS_LOSSY, was_lossy), (BACKLOG, backlog), (CLOSE, closes)];
            flow.flags |= flags.iter().filter(|(_, set)| *set).map(|(flag, _)| flag).sum::<u16>();
            let mut work = Work::default();
            let (mut expected_flow, mut expected) = (flow, work);
            if plan_at_once(&mut flow, &mut work) {
                plan(&mut expected_flow, &mut expected);
                prop_assert_eq!(work.plan, expected.plan);
                prop_assert_eq!(flow, expected_flow);
            } else {
                prop_assert_eq!(flow, expected_flow);
                let is_simple = response_bytes > 0 && !was_lossy && !backlog;
                let fits = response_bytes <= u32::from(mss) && response_bytes <= peer_window;
                prop_assert!(!is_simple || !fits);
            }
        }
    }
}
