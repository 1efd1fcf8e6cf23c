//! A row of the reasons.

use zeroserve_shared::{
    reason::{Egress, Reason, Severity},
    refusal::Refusal,
};

use crate::tui::{
    advice::{self, Advice},
    rates::{Readings, SPARK_POINTS},
};

/// A row of the reasons: why packets left the fast path, what became of clones, or why requests
/// were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Reason(Reason),
    Egress(Egress),
    Refusal(Refusal),
}

impl Cause {
    /// All causes, what worries most first, else in the order of the shared tables.
    pub(crate) fn all() -> Vec<Self> {
        let reasons = Reason::ALL.iter().copied().map(Self::Reason);
        let clones = Egress::ALL.iter().copied().map(Self::Egress);
        let requests = Refusal::ALL.iter().copied().map(Self::Refusal);
        let mut causes: Vec<_> = reasons.chain(clones).chain(requests).collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.severity()));
        causes
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.name(),
            Self::Egress(outcome) => outcome.name(),
            Self::Refusal(refusal) => refusal.name(),
        }
    }

    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::Reason(reason) => reason.severity(),
            Self::Egress(outcome) => outcome.severity(),
            Self::Refusal(_) => Severity::Refused,
        }
    }

    /// What to make of it.
    pub(crate) fn advice(self) -> Advice {
        match self {
            Self::Reason(reason) => advice::reason(reason),
            Self::Egress(outcome) => advice::egress(outcome),
            Self::Refusal(refusal) => advice::refusal(refusal),
        }
    }

    /// What became of the packet, or the request; clones have no verdict of the XDP program's.
    pub(crate) fn verdict(self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.verdict().name(),
            Self::Egress(_) => "clone",
            Self::Refusal(_) => "request",
        }
    }

    /// How often per second in the last seconds, the newest last.
    pub(crate) fn spark(self, readings: &Readings) -> [f32; SPARK_POINTS] {
        match self {
            Self::Reason(reason) => readings.spark(|counters| counters.reasons[reason as usize]),
            Self::Egress(outcome) => readings.spark(|counters| counters.egress[outcome as usize]),
            Self::Refusal(refusal) => {
                readings.spark(|counters| counters.refusals[refusal as usize])
            }
        }
    }

    /// How often it was counted, and how often per second.
    pub(crate) fn counted(self, readings: &Readings) -> (u64, Option<f64>) {
        match self {
            Self::Reason(reason) => readings.reason(reason),
            Self::Egress(outcome) => readings.egress(outcome),
            Self::Refusal(refusal) => readings.refusal(refusal),
        }
    }
}
