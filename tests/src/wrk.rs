//! Runs wrk and reads its report.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What wrk measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Requests per second.
    pub requests_per_s: f64,
    /// Half of the requests took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 99 % of the requests took no longer, in milliseconds.
    pub p99_ms: f64,
}

/// Runs wrk with one thread. `command` is wrk, set up to run where it should.
///
/// # Errors
///
/// Where it fails, or any request did.
pub fn run(mut command: Command, connections: u32, duration_s: u32, url: &str) -> Result<Measured> {
    command.args(["-t1", "--latency", &format!("-c{connections}"), &format!("-d{duration_s}s")]);
    // A slow answer is to be measured; wrk would count it as an error after two seconds.
    command.args(["--timeout", "30s"]);
    let output = command.arg(url).output().context("wrk did not start")?;
    let report = String::from_utf8(output.stdout)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "wrk failed: {errors}");
    ensure!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{report}");
    read(&report).with_context(|| format!("wrk's report makes no sense:\n{report}"))
}

fn read(report: &str) -> Option<Measured> {
    let value = |label: &str| {
        let mut fields = report.lines().map(str::trim_start);
        fields.find_map(|line| line.strip_prefix(label)).map(str::trim)
    };
    Some(Measured {
        requests_per_s: value("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(value("50%")?)?,
        p99_ms: milliseconds(value("99%")?)?,
    })
}

fn milliseconds(written: &str) -> Option<f64> {
    let end = written.find(|character: char| character.is_ascii_alphabetic())?;
    let (number, unit) = written.split_at(end);
    let scale = match unit {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_whatever_its_units() {
        let report = "Running 10s test @ http://198.18.0.1/\n  1 threads and 32 connections\n  \
            Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   150.00us    1.10ms\n  \
            Latency Distribution\n     50%  120.50us\n     75%  160.00us\n     90%  200.00us\n     \
            99%    2.70ms\n  100 requests in 10.00s, 1.00MB read\nRequests/sec: 211934.50\n";
        let measured = read(report).expect("a report");
        assert_eq!(measured.requests_per_s, 211_934.5);
        assert!((measured.p50_ms - 0.1205).abs() < 1e-9);
        assert_eq!(measured.p99_ms, 2.7);
        assert!(read("nothing").is_none());
    }
}
