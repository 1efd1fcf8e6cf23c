//! What changes when segments turn out to be too large for the path.

use zeroserve_shared::flow::Flow;

use crate::transport::{FORGET, LOSSY, RECOVERING, TIMED_OUT, TIMING};

/// Makes the segments of a flow smaller. What is on its way in larger ones counts as lost, as after
/// a timeout; but the windows stay as they are, because it was not lost to congestion (RFC 8201
/// section 5.4). The scoreboard, which counts segments, begins anew.
#[inline(always)]
pub fn narrow(flow: &mut Flow, mss: u16) {
    flow.mss = mss;
    flow.flags |= FORGET;
    if flow.send_next == flow.send_unacknowledged {
        return;
    }
    flow.flags |= RECOVERING | TIMED_OUT | LOSSY;
    flow.flags &= !TIMING;
    flow.lost_segments = 0;
    flow.recovery_end = flow.send_next;
    flow.repaired_to = flow.send_unacknowledged;
    flow.oldest_sent = flow.send_next;
}
