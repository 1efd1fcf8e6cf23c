//! `log` and `capture`: single requests and packets as they happen.

use std::{
    fs::File,
    io::BufWriter,
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use zeroserve_shared::reason::Reason;

use super::{
    Failure,
    instruments::{CaptureArguments, LogArguments},
    output, running,
};
use crate::{
    observe::{Request, Wanted, pcapng::Capture},
    server::Server,
};

/// How often the records are read: well before their ring is full at the least gap.
const READ_EVERY: Duration = Duration::from_millis(2);

/// What one CPU shows at most: a record each so long.
const GAP: Duration = Duration::from_micros(20);

/// Prints requests as they are answered.
pub(super) fn log(arguments: &LogArguments) -> Result<(), Failure> {
    let LogArguments { interface, seconds, count, output } = arguments;
    let mut live = running::open(interface)?;
    let wanted = Wanted { requests: true, gap: GAP, ..Wanted::default() };
    let begun = SystemTime::now();
    let (mut printed, mut missed) = (0, 0);
    until(*seconds, || {
        let seen = live.observe(&wanted)?;
        missed += seen.missed;
        let mut text = String::new();
        for request in seen.requests.iter().filter(|request| request.time >= begun) {
            if count.is_some_and(|count| printed >= count) {
                break;
            }
            printed += 1;
            text += &if output.json { as_json(request) } else { as_text(request) };
        }
        if !text.is_empty() {
            output::text(&text)?;
        }
        Ok(count.is_some_and(|count| printed >= count))
    })?;
    if missed > 0 {
        output::note(&format!("{missed} requests came too fast to be shown"));
    }
    Ok(())
}

fn as_text(request: &Request) -> String {
    format!("{} {request}\n", httpdate::fmt_http_date(request.time))
}

/// One document a line, because the log has no end.
fn as_json(request: &Request) -> String {
    let since = request.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let document = json!({
        "time_unix_s": since.as_secs_f64(),
        "client": request.client.to_string(),
        "server": request.server.to_string(),
        "request_line": request.line,
        "status": request.status,
        "response_bytes": request.bytes,
        "refusal": request.refusal.map(|refusal| refusal.name()),
    });
    format!("{document}\n")
}

/// Writes packets that leave the fast path into a file.
pub(super) fn capture(arguments: &CaptureArguments) -> Result<(), Failure> {
    let CaptureArguments { interface, reasons, file, seconds, output } = arguments;
    let mut live = running::open(interface)?;
    let reasons = if reasons.is_empty() { Reason::ALL.to_vec() } else { reasons.clone() };
    let wanted = Wanted { reasons, gap: GAP, ..Wanted::default() };
    let cannot = || format!("cannot write {}", file.display());
    let mut capture =
        Capture::new(BufWriter::new(File::create(file).with_context(cannot)?), interface)?;
    let begun = SystemTime::now();
    let (mut written, mut missed) = (0_u64, 0);
    until(*seconds, || {
        let seen = live.observe(&wanted)?;
        missed += seen.missed;
        let wanted = |packet: &&_| wants(&wanted, begun, packet);
        for packet in seen.packets.iter().filter(wanted) {
            capture.write(packet)?;
            written += 1;
        }
        Ok(false)
    })?;
    capture.into_inner().into_inner().context("cannot finish the capture")?;
    if output.json {
        return Ok(output::json(&json!({
            "interface": interface,
            "file": file,
            "packets": written,
            "missed_packets": missed,
        }))?);
    }
    let missed = if missed > 0 { format!(", {missed} came too fast") } else { String::new() };
    Ok(output::text(&format!("{}: {written} packets{missed}\n", file.display()))?)
}

/// Whether a packet is new, and not shown because another console wanted it.
fn wants(wanted: &Wanted, begun: SystemTime, packet: &crate::observe::Packet) -> bool {
    packet.time >= begun && wanted.reasons.contains(&packet.reason)
}

/// Reads again and again until there is enough, the time is over, or somebody ends it.
fn until(
    seconds: Option<u32>,
    mut read: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let ended = std::sync::Arc::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, std::sync::Arc::clone(&ended))
            .context("cannot listen for signals")?;
    }
    let begun = Instant::now();
    let is_over = |begun: Instant| {
        seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds.into()))
    };
    loop {
        let last = is_over(begun) || ended.load(std::sync::atomic::Ordering::Relaxed);
        if read()? || last {
            return Ok(());
        }
        thread::sleep(READ_EVERY);
    }
}
