//! What is wrong, or may be: faults that are being counted, and what is odd around the server.

use zeroserve_shared::reason::Severity;

use super::{Cause, Health, Model};
use crate::{
    server::{Identity, Surroundings, Usage},
    tui::advice::{self, Advice},
};

/// Payload that a segment has beside its headers, at most: IPv4 and TCP without options.
const HEADER_BYTES: u32 = 40;

/// Something that somebody should know of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Issue {
    /// A fault is being counted, so many a second.
    Fault(Cause, f64),
    Lint(Lint),
}

/// Something odd around the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lint {
    /// Another XDP program is on the interface; its kernel id, if there is one.
    ForeignProgram(Option<u32>),
    /// The program runs in another place than the driver.
    NotNative(&'static str),
    /// The interface carries less than segments are made for, in bytes.
    MtuTooSmall(u32),
    /// Of a veth pair, the far end takes no frames.
    PeerWithoutNapi,
    RoutesNearlyFull(Usage),
    VersionsNearlyFull(Usage),
    FlowsNearlyFull(Usage),
    /// Nobody can be kept from changing the server at the same time, and why.
    PenNotLocked(String),
    /// Servers are pinned for these interfaces that no longer run.
    StalePins(Vec<String>),
}

impl Lint {
    /// A short name, in kebab case as reasons have it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ForeignProgram(_) => "foreign-program",
            Self::NotNative(_) => "not-native",
            Self::MtuTooSmall(_) => "mtu-too-small",
            Self::PeerWithoutNapi => "peer-without-napi",
            Self::RoutesNearlyFull(_) => "routes-nearly-full",
            Self::VersionsNearlyFull(_) => "versions-nearly-full",
            Self::FlowsNearlyFull(_) => "flows-nearly-full",
            Self::PenNotLocked(_) => "pen-not-locked",
            Self::StalePins(_) => "stale-pin",
        }
    }

    /// How much it should worry.
    pub(crate) fn severity(&self) -> Severity {
        match self {
            Self::ForeignProgram(_) | Self::NotNative(_) | Self::PeerWithoutNapi => Severity::Fault,
            Self::MtuTooSmall(_)
            | Self::PenNotLocked(_)
            | Self::RoutesNearlyFull(_)
            | Self::VersionsNearlyFull(_)
            | Self::FlowsNearlyFull(_) => Severity::Refused,
            Self::StalePins(_) => Severity::Normal,
        }
    }
}

impl Issue {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Fault(cause, _) => cause.name(),
            Self::Lint(lint) => lint.name(),
        }
    }

    pub(crate) fn severity(&self) -> Severity {
        match self {
            Self::Fault(cause, _) => cause.severity(),
            Self::Lint(lint) => lint.severity(),
        }
    }

    pub(crate) fn advice(&self, model: &Model) -> Advice {
        match self {
            Self::Fault(cause, _) => cause.advice(),
            Self::Lint(lint) => advice::lint(lint, &model.identity),
        }
    }
}

impl Model {
    /// What is wrong, the worst first. The latest values count, also while the screen is paused.
    pub(crate) fn issues(&self) -> Vec<Issue> {
        if matches!(self.health, Health::Lost(_)) {
            return Vec::new();
        }
        let faults =
            self.rising_faults().into_iter().map(|(cause, rate)| Issue::Fault(cause, rate));
        let lints = lints(&self.identity, &self.around.now, self.published());
        let mut issues: Vec<_> = faults.chain(lints.into_iter().map(Issue::Lint)).collect();
        issues.sort_by_key(|issue| std::cmp::Reverse(issue.severity()));
        issues
    }

    /// How many routes there are with a path.
    pub(crate) fn published(&self) -> u32 {
        self.routes.published
    }
}

/// What is odd around a server that serves so many paths.
pub(crate) fn lints(identity: &Identity, around: &Surroundings, published: u32) -> Vec<Lint> {
    let mut lints = Vec::new();
    if let Some(interface) = &around.interface {
        if interface.program_id != around.program_id {
            lints.push(Lint::ForeignProgram(interface.program_id));
        }
        lints.extend(interface.mode.filter(|mode| *mode != "native").map(Lint::NotNative));
        if interface.peer_takes_frames == Some(false) {
            lints.push(Lint::PeerWithoutNapi);
        }
        if interface.mtu_bytes < u32::from(identity.mss) + HEADER_BYTES {
            lints.push(Lint::MtuTooSmall(interface.mtu_bytes));
        }
    }
    let full = |usage: Option<Usage>| usage.filter(|usage| usage.is_nearly_full());
    let (used, capacity) = (published, identity.route_capacity);
    lints.extend(full(Some(Usage { used, capacity })).map(Lint::RoutesNearlyFull));
    lints.extend(full(around.versions).map(Lint::VersionsNearlyFull));
    lints.extend(full(around.flows).map(Lint::FlowsNearlyFull));
    lints.extend(around.pen_trouble.clone().map(Lint::PenNotLocked));
    if !around.stale.is_empty() {
        lints.push(Lint::StalePins(around.stale.clone()));
    }
    lints
}

/// Something odd around a server, in words for where there is no console.
#[derive(Debug)]
pub(crate) struct Warning {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    pub(crate) meaning: String,
    pub(crate) mend: String,
}

/// What is odd around a server, the worst first, in the words of the console.
pub(crate) fn warnings(identity: &Identity, around: &Surroundings, published: u32) -> Vec<Warning> {
    let mut lints = lints(identity, around, published);
    lints.sort_by_key(|lint| std::cmp::Reverse(lint.severity()));
    let in_words = |lint: &Lint| {
        let Advice { meaning, mend, .. } = advice::lint(lint, identity);
        Warning { name: lint.name(), severity: lint.severity(), meaning, mend }
    };
    lints.iter().map(in_words).collect()
}
