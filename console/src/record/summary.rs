//! One report on a recording.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use zeroserve_shared::{
    counters::Counters,
    reason::{Reason, Severity},
};

use super::{
    document::{Action, Start},
    reading::{Damage, Recording},
};
use crate::{server::Sample, tui::format};

/// Counters grown over a recording, as far as they were seen to grow.
#[derive(Clone, Debug, Default)]
struct Growth {
    requests: u64,
    bytes_out: u64,
    packets_in: u64,
    packets_out: u64,
    reasons: Vec<u64>,
}

/// The most of something in one second or so, and when that was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peak {
    /// How much per second.
    pub per_s: f64,
    /// At the end of that second.
    pub at: Option<SystemTime>,
}

/// What a recording says on the whole.
#[derive(Clone, Debug)]
pub struct Summary {
    start: Start,
    from: SystemTime,
    to: SystemTime,
    length: Duration,
    samples: usize,
    lost: usize,
    growth: Growth,
    requests_peak: Peak,
    bytes_peak: Peak,
    packets_peak: Peak,
    actions: Vec<Action>,
    damage: Option<Damage>,
    unknown_records: usize,
    unknown_counters: Vec<String>,
    warnings: Vec<String>,
}

impl Summary {
    /// Reads all of a recording.
    pub fn new(recording: &Recording) -> Self {
        let (from, to) = recording.span();
        let mut summary = Self {
            start: recording.start.clone(),
            from,
            to,
            length: recording.length(),
            samples: 0,
            lost: 0,
            growth: Growth { reasons: vec![0; Reason::COUNT], ..Growth::default() },
            requests_peak: Peak::default(),
            bytes_peak: Peak::default(),
            packets_peak: Peak::default(),
            actions: recording.actions.to_vec(),
            damage: recording.damage,
            unknown_records: recording.unknown_records,
            unknown_counters: recording.unknown_counters.clone(),
            warnings: recording.warnings(),
        };
        let mut before: Option<Sample> = None;
        for event in recording.events() {
            match event.outcome {
                Err(_) => summary.lost += 1,
                Ok(sample) => {
                    summary.samples += 1;
                    if let Some(before) = &before {
                        summary.step(before, &sample, event.at);
                    }
                    before = Some(sample);
                }
            }
        }
        summary
    }

    /// Adds what grew between two samples. Counters that fell belong to another server, and a clock
    /// that did not go on to another machine: then nothing is known of the time between.
    fn step(&mut self, before: &Sample, after: &Sample, at: SystemTime) {
        let (old, new) = (before.totals(), after.totals());
        let Some(over) = after.taken.checked_sub(before.taken).filter(|over| !over.is_zero())
        else {
            return;
        };
        let grown = |pick: fn(&Counters) -> u64| pick(&new).checked_sub(pick(&old));
        let (Some(requests), Some(bytes), Some(packets_in), Some(packets_out)) = (
            grown(|c| c.requests),
            grown(|c| c.bytes_out),
            grown(|c| c.packets_in),
            grown(|c| c.packets_out),
        ) else {
            return;
        };
        self.growth.requests += requests;
        self.growth.bytes_out += bytes;
        self.growth.packets_in += packets_in;
        self.growth.packets_out += packets_out;
        for (sum, (new, old)) in
            self.growth.reasons.iter_mut().zip(new.reasons.iter().zip(old.reasons))
        {
            *sum += new.saturating_sub(old);
        }
        for (peak, count) in [
            (&mut self.requests_peak, requests),
            (&mut self.bytes_peak, bytes),
            (&mut self.packets_peak, packets_in),
        ] {
            let per_s = count as f64 / over.as_secs_f64();
            if peak.at.is_none() || per_s > peak.per_s {
                *peak = Peak { per_s, at: Some(at) };
            }
        }
    }

    /// The reasons that were counted, with how often, what worries most first.
    fn reasons(&self) -> Vec<(Reason, u64)> {
        let counted = Reason::ALL.iter().copied().zip(self.growth.reasons.iter().copied());
        let mut counted: Vec<_> = counted.filter(|(_, packets)| *packets > 0).collect();
        counted.sort_by_key(|(reason, packets)| {
            (std::cmp::Reverse(reason.severity()), std::cmp::Reverse(*packets))
        });
        counted
    }

    /// As JSON.
    pub fn document(&self) -> Value {
        let peak = |peak: &Peak| json!({ "per_s": peak.per_s, "at_unix_s": peak.at.map(unix_s) });
        let reasons: serde_json::Map<String, Value> =
            self.reasons().iter().map(|(reason, n)| (reason.name().to_owned(), json!(n))).collect();
        json!({
            "interface": self.start.interface,
            "driver": self.start.driver,
            "port": self.start.port,
            "addresses": self.start.addresses,
            "recorded_by": self.start.program,
            "from_unix_s": unix_s(self.from),
            "to_unix_s": unix_s(self.to),
            "length_s": self.length.as_secs_f64(),
            "samples": self.samples,
            "samples_lost": self.lost,
            "totals": {
                "requests": self.growth.requests,
                "bytes_out": self.growth.bytes_out,
                "packets_in": self.growth.packets_in,
                "packets_out": self.growth.packets_out,
            },
            "peaks": {
                "requests": peak(&self.requests_peak),
                "bytes_out": peak(&self.bytes_peak),
                "packets_in": peak(&self.packets_peak),
            },
            "reasons": reasons,
            "actions": self.actions.iter().map(|action| json!({
                "at_unix_s": unix_s(action.at),
                "done": action.done,
                "text": action.text,
                "command": action.command,
                "user": action.user,
            })).collect::<Vec<_>>(),
            "damage": self.damage.map(|damage| {
                json!({ "at_byte": damage.at_byte, "bytes": damage.bytes })
            }),
            "unknown_records": self.unknown_records,
            "unknown_counters": self.unknown_counters,
        })
    }
}

impl Recording {
    /// What of it this program cannot show, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(Damage { at_byte, bytes }) = self.damage {
            warnings.push(format!(
                "the last {bytes} bytes, from byte {at_byte} on, are damaged or cut off and are left out"
            ));
        }
        if self.unknown_records > 0 {
            warnings.push(format!(
                "{} records are of a kind that only a newer version knows and are left out",
                self.unknown_records
            ));
        }
        if !self.unknown_counters.is_empty() {
            warnings.push(format!(
                "counters that only another version knows are left out: {}",
                self.unknown_counters.join(", ")
            ));
        }
        warnings
    }
}

fn unix_s(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.start;
        writeln!(out, "recording of zeroserve on {}, port {}", start.interface, start.port)?;
        writeln!(out, "  written by  zeroserve-tui {}", start.program)?;
        writeln!(out, "  from        {}", format::date(self.from))?;
        writeln!(out, "  to          {}", format::date(self.to))?;
        let samples = format::exact(self.samples as u64);
        writeln!(out, "  plays       {}, {samples} samples", format::duration(self.length))?;
        if self.lost > 0 {
            writeln!(out, "  lost        {} times the server could not be read", self.lost)?;
        }
        let Growth { requests, bytes_out, packets_in, packets_out, .. } = &self.growth;
        writeln!(out, "\nin this time")?;
        writeln!(out, "  requests    {}{}", format::exact(*requests), peak(&self.requests_peak))?;
        let rate = self.bytes_peak.at.map_or_else(String::new, |at| {
            let per_s = format::byte_rate(Some(self.bytes_peak.per_s));
            format!(", at most {per_s} at {}", format::time_of_day(at))
        });
        writeln!(out, "  sent        {}{rate}", format::bytes(*bytes_out))?;
        let (received, sent) = (format::exact(*packets_in), format::exact(*packets_out));
        writeln!(out, "  packets     {received} in, {sent} out{}", peak(&self.packets_peak))?;
        self.write_reasons(out)?;
        self.write_actions(out)?;
        for warning in &self.warnings {
            writeln!(out, "\nnote: {warning}")?;
        }
        Ok(())
    }
}

impl Summary {
    fn write_reasons(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = self.reasons();
        if !reasons.is_empty() {
            writeln!(out, "\nreasons to leave the fast path, in packets")?;
        }
        for (reason, packets) in reasons {
            let sign = if reason.severity() == Severity::Fault { "!" } else { " " };
            let (name, count) = (reason.name(), format::exact(packets));
            writeln!(out, "{sign} {name:<24}{count:>16}  {}", reason.explanation())?;
        }
        Ok(())
    }

    fn write_actions(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.actions.is_empty() {
            writeln!(out, "\nwhat was done")?;
        }
        for action in &self.actions {
            let user = action.user.as_deref().unwrap_or("somebody");
            writeln!(out, "  {}  {user}: {}", format::time_of_day(action.at), action.text)?;
        }
        Ok(())
    }
}

fn peak(peak: &Peak) -> String {
    let Some(at) = peak.at else { return String::new() };
    format!(", at most {} at {}", format::rate(Some(peak.per_s)), format::time_of_day(at))
}
