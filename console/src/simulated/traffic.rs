//! What requests do to the counters, and a small source of chance.

use zeroserve_shared::{
    counters::Counters,
    reason::{Egress, Reason, Verdict},
};

/// Counts requests that are answered, each with a response of so many bytes.
pub(super) fn serve(cpus: &mut [Counters], response_bytes: u64, requests: u64) {
    let weights: u64 = (0..cpus.len()).map(weight).sum();
    let mut left = requests;
    let last = cpus.len() - 1;
    for (number, cpu) in cpus.iter_mut().enumerate() {
        // What rounding leaves is the last one's.
        let share = if number == last { left } else { requests * weight(number) / weights };
        left -= share;
        let requests = share;
        let segments = response_bytes.div_ceil(1448);
        let bursts = segments.div_ceil(31);
        let connections = requests / 16;
        let closed = connections - connections / 8;
        cpu.requests += requests;
        cpu.handshakes += connections;
        cpu.flows_created += connections;
        cpu.flows_removed += closed;
        answer(cpu, Verdict::Tx, connections, 74);
        leave(cpu, Reason::HandshakeComplete, connections);
        leave(cpu, Reason::ConnectionClosed, closed);
        leave(cpu, Reason::AckConsumed, requests);
        if segments == 1 {
            answer(cpu, Verdict::Tx, requests, response_bytes + 54);
        } else {
            answer(cpu, Verdict::Redirect, requests * bursts, 0);
            cpu.packets_out += requests * (segments - bursts);
            cpu.bytes_out += requests * (response_bytes + segments * 54);
            cpu.egress[Egress::Sent as usize] += requests * segments;
            cpu.egress[Egress::Surplus as usize] += requests * bursts;
            cpu.segments_repaired += requests * segments / 5_000;
        }
    }
}

/// How many of the packets arrive at a CPU, as against the others: a skew, as RSS makes it. Of two
/// CPUs the first gets three requests in five.
fn weight(number: usize) -> u64 {
    match number {
        0 => 3,
        1 => 2,
        5 => 90,
        _ => (number as u64 * 7) % 5,
    }
}

/// Counts packets that are answered, each with one frame of so many bytes.
fn answer(cpu: &mut Counters, verdict: Verdict, packets: u64, frame_bytes: u64) {
    cpu.packets_in += packets;
    cpu.bytes_in += packets * 220;
    cpu.verdicts[verdict as usize] += packets;
    cpu.packets_out += packets;
    cpu.bytes_out += packets * frame_bytes;
}

/// Counts packets that leave the fast path.
pub(super) fn leave(cpu: &mut Counters, reason: Reason, packets: u64) {
    cpu.packets_in += packets;
    cpu.bytes_in += packets * 66;
    cpu.verdicts[reason.verdict() as usize] += packets;
    cpu.reasons[reason as usize] += packets;
}

/// Marsaglia's xorshift64: no more is needed to make numbers that look lively.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// Less than `limit`.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        (self.unit() * f64::from(limit)) as u32
    }

    /// In `[0, 1)`.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Up or down, so that the mean is kept.
    pub(super) fn round(&mut self, value: f64) -> u64 {
        (value + self.unit()) as u64
    }
}
