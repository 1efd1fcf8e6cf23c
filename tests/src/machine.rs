//! What something was measured on, and when: every benchmark's JSON says so.

use std::{fs, time::SystemTime};

use anyhow::Result;
use serde_json::{Value, json};

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
