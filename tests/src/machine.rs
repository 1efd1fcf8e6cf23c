//! What something was measured on, and when: every benchmark's JSON says so.

use std::{
    fs, thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use zeroserve_tui::load::threads::{Policy, Thread};

/// The machine, the date, and how this program was built.
///
/// # Errors
///
/// Where the kernel does not tell its name.
pub fn about() -> Result<Value> {
    let release = nix::sys::utsname::uname()?.release().display().to_string();
    // What a distribution appends says nothing about the kernel.
    let kernel: Vec<&str> = release.split(['.', '-']).take(2).collect();
    let kernel = kernel.join(".");
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpus = info.lines().filter(|line| line.starts_with("processor")).count();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, model)| model);
    Ok(json!({
        "machine": format!("Linux {kernel}, {cpus} CPUs ({model})"),
        "date": httpdate::HttpDate::from(SystemTime::now()).to_string(),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
    }))
}

/// Gaps that are shorter are the clock's own.
const SHORTEST_GAP: Duration = Duration::from_micros(1);

/// How long a CPU keeps waiting whoever comes at random, one time in 1000: a thread that goes first there does
/// nothing but read the clock, for so long, and whatever it misses was the machine's. No server on that
/// CPU could have a shorter p99.9.
///
/// # Errors
///
/// Where the kernel does not let the thread go first.
pub fn wait_p999(cpu: usize, duration: Duration) -> Result<Duration> {
    let watch = move || -> Result<Vec<Duration>> {
        let this = Thread::of(0);
        this.pin(cpu)?;
        this.schedule(Policy::First(2))?;
        let mut gaps = Vec::new();
        let began = Instant::now();
        let mut last = began;
        while last - began < duration {
            let now = Instant::now();
            if now - last > SHORTEST_GAP {
                gaps.push(now - last);
            }
            last = now;
        }
        Ok(gaps)
    };
    let gaps =
        thread::spawn(watch).join().map_err(|_| anyhow!("the watching thread panicked"))??;
    Ok(quantile(gaps, duration, 0.001))
}

/// What part `rare` of all that come at random wait for longer than, if these are the times when nobody
/// was served.
fn quantile(mut gaps: Vec<Duration>, all: Duration, rare: f64) -> Duration {
    gaps.sort_by(|one, other| other.cmp(one));
    let allowed = all.as_secs_f64() * rare;
    let mut sum = 0.0;
    for (index, gap) in gaps.iter().enumerate() {
        // If the longest were cut down to the next, so much would be left over.
        let next = gaps.get(index + 1).map_or(0.0, Duration::as_secs_f64);
        let count = (index + 1) as f64;
        sum += gap.as_secs_f64();
        if sum - count * next > allowed {
            return Duration::from_secs_f64((sum - allowed) / count);
        }
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_at_random_waits_for_the_rest_of_a_gap() {
        let us = Duration::from_micros;
        let close = |gaps: &[Duration], expected: f64| {
            let found = quantile(gaps.to_vec(), us(1_000_000), 0.001).as_secs_f64() * 1e6;
            assert!((found - expected).abs() < 1e-2, "{gaps:?}: {found}");
        };
        close(&[], 0.0);
        // One in 1000 comes at all while nobody is served.
        close(&[us(1000)], 0.0);
        // A thousand of 3,000 microseconds in a second are those of one in 1000.
        close(&[us(3000)], 2000.0);
        close(&[us(100); 20], 50.0);
        // Of 2,080 microseconds 1,000 are to be left when each gap is cut by as much.
        close(&[vec![us(280)], vec![us(180); 10]].concat(), 1080.0 / 11.0);
    }
}
