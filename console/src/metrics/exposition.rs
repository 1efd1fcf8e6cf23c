//! OpenMetrics or Prometheus text, as the reader asks.

use std::{collections::HashMap, fmt::Write as _};

use prometheus_client::encoding::text;

use super::families::Reading;

/// A format that metrics are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>, version 1.0.
    OpenMetrics,
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.
    Prometheus,
}

impl Format {
    /// What HTTP calls it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// What the reader likes best of the two, as its `Accept` says (RFC 9110 section 12.5.1).
    /// Whoever likes everything gets the older: every reader understands it.
    pub fn negotiate(accept: &str) -> Self {
        let (mut open_metrics, mut text, mut everything) = (0.0_f32, None::<f32>, 0.0_f32);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let weight: f32 = weight.unwrap_or(1.0);
            match media.as_str() {
                "application/openmetrics-text" => open_metrics = open_metrics.max(weight),
                "text/plain" => text = Some(text.unwrap_or(0.0).max(weight)),
                "*/*" | "text/*" => everything = everything.max(weight),
                _ => {}
            }
        }
        let text = text.unwrap_or(everything);
        let newer = open_metrics > 0.0 && open_metrics >= text;
        if newer { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// A reading in this format.
    pub fn write(self, reading: Reading) -> String {
        let mut document = String::new();
        text::encode(&mut document, &reading.registry()).expect("writing to a string cannot fail");
        match self {
            Self::OpenMetrics => document,
            Self::Prometheus => as_prometheus(&document),
        }
    }
}

/// The older format calls a family by the name of its samples, and knows neither units nor `info`
/// nor an end.
fn as_prometheus(open_metrics: &str) -> String {
    let types = open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let types: HashMap<&str, &str> = types.filter_map(|line| line.split_once(' ')).collect();
    let mut out = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (Some(word @ ("HELP" | "TYPE")), Some(name), Some(rest)) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (suffix, kind) = match types.get(name).copied().unwrap_or("untyped") {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            other => ("", other),
        };
        let rest = if word == "TYPE" { kind } else { rest };
        // Writing to a string does not fail.
        let _ = writeln!(out, "# {word} {name}{suffix} {rest}");
    }
    out
}
