//! The figures of the header: which counters they come from.

use zeroserve_shared::{
    counters::Counters,
    reason::{Egress, Reason, Severity, Verdict},
};

/// A figure that is shown with its rate, its means and its sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    /// Whether it counts bytes.
    pub(crate) is_bytes: bool,
    /// The figure, from the counters.
    pub(crate) pick: fn(&Counters) -> u64,
}

/// All figures. Where there is not room for all, those at the end are left out.
pub(crate) const FIGURES: [Figure; 7] = [
    Figure { name: "requests", is_bytes: false, pick: |c| c.requests },
    Figure { name: "bytes out", is_bytes: true, pick: |c| c.bytes_out },
    Figure { name: "packets in", is_bytes: false, pick: |c| c.packets_in },
    Figure { name: "packets out", is_bytes: false, pick: |c| c.packets_out },
    Figure { name: "drops", is_bytes: false, pick: drops },
    Figure { name: "new flows", is_bytes: false, pick: |c| c.flows_created },
    Figure { name: "repairs", is_bytes: false, pick: |c| c.segments_repaired },
];

/// Packets and segments that were lost or refused. What was dropped because it had done its work,
/// such as an acknowledgment, is none.
pub(crate) fn drops(counters: &Counters) -> u64 {
    let reasons = Reason::ALL.iter().filter(|reason| {
        reason.verdict() != Verdict::Pass && reason.severity() != Severity::Normal
    });
    let egress = Egress::ALL.iter().filter(|outcome| outcome.severity() == Severity::Fault);
    reasons.map(|reason| counters.reasons[*reason as usize]).sum::<u64>()
        + egress.map(|outcome| counters.egress[*outcome as usize]).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumed_acknowledgments_are_no_drops_but_resets_and_faults_are() {
        let mut counters = Counters::ZERO;
        counters.reasons[Reason::AckConsumed as usize] = 1_000;
        counters.reasons[Reason::MalformedHeader as usize] = 100;
        counters.egress[Egress::Surplus as usize] = 10_000;
        assert_eq!(drops(&counters), 0);
        counters.reasons[Reason::ResetIgnored as usize] = 1;
        counters.reasons[Reason::MapMissing as usize] = 2;
        counters.egress[Egress::NoTailroom as usize] = 4;
        assert_eq!(drops(&counters), 7);
    }
}
