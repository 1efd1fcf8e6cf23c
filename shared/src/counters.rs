//! The counters every CPU keeps, and what they must add up to.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    reason::{Egress, Reason, Verdict},
    refusal::Refusal,
};

/// The single element of the per-CPU map `COUNTERS`. All counters only ever rise.
///
/// `packets_in` is counted on entry and `verdicts` on exit, so a packet that left by no verdict,
/// or by two, shows as a difference: see [`Counters::unaccounted_packets`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Counters {
    /// Packets that entered the XDP program.
    pub packets_in: u64,
    /// Bytes of those packets, link-layer header included.
    pub bytes_in: u64,
    /// Packets by [`Verdict`].
    pub verdicts: [u64; Verdict::COUNT],
    /// Packets by [`Reason`], for those that left the fast path.
    pub reasons: [u64; Reason::COUNT],
    /// Clones by [`Egress`] outcome.
    pub egress: [u64; Egress::COUNT],
    /// Frames that left: rewritten in place, or as the segments of a burst.
    pub packets_out: u64,
    /// Bytes of those frames, link-layer header included.
    pub bytes_out: u64,
    /// Handshakes answered with a SYN cookie.
    pub handshakes: u64,
    /// Flows created.
    pub flows_created: u64,
    /// Flows removed because their connection ended. What gave way to others is not seen here.
    pub flows_removed: u64,
    /// Requests answered, errors included.
    pub requests: u64,
    /// Segments sent again because they were lost, or seemed to be.
    pub segments_repaired: u64,
    /// Flows whose segments were made smaller because a router told that they are too large.
    pub flows_narrowed: u64,
    /// Connections that the kernel was given, to whoever listens for them.
    pub handed_off: u64,
    /// Connections that the kernel would not take. The client tries again.
    pub handoffs_failed: u64,
    /// Requests by [`Refusal`], for those that were refused. They count as `requests` as well.
    pub refusals: [u64; Refusal::COUNT],
}

impl Counters {
    /// All zero.
    pub const ZERO: Self = Self {
        packets_in: 0,
        bytes_in: 0,
        verdicts: [0; Verdict::COUNT],
        reasons: [0; Reason::COUNT],
        egress: [0; Egress::COUNT],
        packets_out: 0,
        bytes_out: 0,
        handshakes: 0,
        flows_created: 0,
        flows_removed: 0,
        requests: 0,
        segments_repaired: 0,
        flows_narrowed: 0,
        handed_off: 0,
        handoffs_failed: 0,
        refusals: [0; Refusal::COUNT],
    };

    /// Adds another CPU's counters to these.
    pub fn add(&mut self, other: &Self) {
        let Self {
            packets_in,
            bytes_in,
            verdicts,
            reasons,
            egress,
            packets_out,
            bytes_out,
            handshakes,
            flows_created,
            flows_removed,
            requests,
            segments_repaired,
            flows_narrowed,
            handed_off,
            handoffs_failed,
            refusals,
        } = other;
        self.packets_in += packets_in;
        self.bytes_in += bytes_in;
        self.packets_out += packets_out;
        self.bytes_out += bytes_out;
        self.handshakes += handshakes;
        self.flows_created += flows_created;
        self.flows_removed += flows_removed;
        self.requests += requests;
        self.segments_repaired += segments_repaired;
        self.flows_narrowed += flows_narrowed;
        self.handed_off += handed_off;
        self.handoffs_failed += handoffs_failed;
        for (sum, value) in self.verdicts.iter_mut().zip(verdicts) {
            *sum += value;
        }
        for (sum, value) in self.reasons.iter_mut().zip(reasons) {
            *sum += value;
        }
        for (sum, value) in self.refusals.iter_mut().zip(refusals) {
            *sum += value;
        }
        for (sum, value) in self.egress.iter_mut().zip(egress) {
            *sum += value;
        }
    }

    /// How many packets entered without leaving by a verdict: zero, or there is a bug. While
    /// traffic flows, the packets in the middle of the program may be counted on one side only.
    pub fn unaccounted_packets(&self) -> i64 {
        self.packets_in as i64 - self.verdicts.iter().sum::<u64>() as i64
    }

    /// How many dropped, passed or aborted packets have no reason: zero, or there is a bug.
    pub fn unexplained_packets(&self) -> i64 {
        let [aborted, drop, pass, _tx, _redirect] = self.verdicts;
        (aborted + drop + pass) as i64 - self.reasons.iter().sum::<u64>() as i64
    }
}

/// What one CPU counted for one route: an element of the per-CPU map `HITS`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct RouteHits {
    /// Requests answered.
    pub requests: u64,
    /// Response bytes, headers included, that clients have acknowledged.
    pub delivered_bytes: u64,
}

const _: () = crate::size_is::<RouteHits, 16>();
