//! What a demo without a console says at its end.

use std::{collections::BTreeMap, fmt};

use humansize::{BINARY, format_size};
use serde::Serialize;
use zeroserve_shared::{
    counters::Counters,
    reason::{Egress, Reason, Verdict},
};

use super::load::Outcome;

/// What the clients saw and what the server counted.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Answers that were right in every byte.
    pub requests: u64,
    /// Those per second.
    pub requests_per_s: f64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Those per second.
    pub body_bytes_per_s: f64,
    /// Answers that were wrong or did not come.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// From sending a request to the last byte of its answer.
    pub latency_us: Latency,
    /// How long the load lasted.
    pub duration_s: f64,
    /// How many connections it used at a time.
    pub connections: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// What the server counted.
    pub server: ServerReport,
}

/// A distribution of latencies, in microseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Half of the requests took no longer.
    pub p50: f64,
    /// 99 % of the requests took no longer.
    pub p99: f64,
    /// No request took longer.
    pub max: f64,
}

/// What the server counted.
#[derive(Debug, Serialize)]
pub struct ServerReport {
    /// Packets that entered the XDP program.
    pub packets_in: u64,
    /// Bytes of those packets.
    pub bytes_in: u64,
    /// Frames that left.
    pub packets_out: u64,
    /// Bytes of those frames.
    pub bytes_out: u64,
    /// Handshakes answered.
    pub handshakes: u64,
    /// Flows created.
    pub flows_created: u64,
    /// Requests answered.
    pub requests: u64,
    /// Segments sent again.
    pub segments_repaired: u64,
    /// Packets that entered and left by no verdict: zero, or there is a bug.
    pub unaccounted_packets: i64,
    /// Packets that left the fast path without a reason: zero, or there is a bug.
    pub unexplained_packets: i64,
    /// Packets by verdict.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Packets by reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Clones by what became of them.
    pub egress: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Puts together what the two sides saw.
    pub fn new(outcome: &Outcome, connections: usize, totals: &Counters) -> Self {
        let duration_s = outcome.duration.as_secs_f64();
        let latency_us = |latency_ns: u64| latency_ns as f64 / 1e3;
        let latencies = &outcome.latency_ns;
        Self {
            requests: outcome.requests,
            requests_per_s: outcome.requests as f64 / duration_s,
            body_bytes: outcome.body_bytes,
            body_bytes_per_s: outcome.body_bytes as f64 / duration_s,
            errors: outcome.errors,
            first_error: outcome.first_error.clone(),
            latency_us: Latency {
                p50: latency_us(latencies.value_at_quantile(0.5)),
                p99: latency_us(latencies.value_at_quantile(0.99)),
                max: latency_us(latencies.max()),
            },
            duration_s,
            connections,
            kernel: kernel_release(),
            server: ServerReport::from(totals),
        }
    }

    /// Whether something was served and every answer was right.
    pub fn is_success(&self) -> bool {
        self.requests > 0 && self.errors == 0
    }
}

impl From<&Counters> for ServerReport {
    fn from(totals: &Counters) -> Self {
        let verdicts = Verdict::ALL.map(Verdict::name);
        Self {
            packets_in: totals.packets_in,
            bytes_in: totals.bytes_in,
            packets_out: totals.packets_out,
            bytes_out: totals.bytes_out,
            handshakes: totals.handshakes,
            flows_created: totals.flows_created,
            requests: totals.requests,
            segments_repaired: totals.segments_repaired,
            unaccounted_packets: totals.unaccounted_packets(),
            unexplained_packets: totals.unexplained_packets(),
            verdicts: verdicts.into_iter().zip(totals.verdicts).collect(),
            reasons: Reason::ALL.iter().map(|reason| reason.name()).zip(totals.reasons).collect(),
            egress: Egress::ALL.iter().map(|egress| egress.name()).zip(totals.egress).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, requests_per_s, errors, latency_us, duration_s, server, .. } = self;
        let bytes = format_size(self.body_bytes, BINARY);
        let bytes_per_s = format_size(self.body_bytes_per_s as u64, BINARY);
        let Latency { p50, p99, max } = latency_us;
        writeln!(formatter, "requests   {requests} in {duration_s:.1} s, {requests_per_s:.0}/s")?;
        writeln!(formatter, "bodies     {bytes}, {bytes_per_s}/s, every byte compared")?;
        writeln!(formatter, "latency    p50 {p50:.0} µs, p99 {p99:.0} µs, max {max:.0} µs")?;
        writeln!(
            formatter,
            "server     {} packets in, {} out, {} repaired, {} unaccounted for",
            server.packets_in,
            server.packets_out,
            server.segments_repaired,
            server.unaccounted_packets
        )?;
        match &self.first_error {
            None => writeln!(formatter, "errors     none"),
            Some(first) => writeln!(formatter, "errors     {errors}; the first: {first}"),
        }
    }
}

fn kernel_release() -> String {
    match nix::sys::utsname::uname() {
        Ok(name) => name.release().to_string_lossy().into_owned(),
        Err(error) => format!("unknown ({error})"),
    }
}
