//! The picture and the recorded session that README shows are of the same run, and the session opens
//! for whoever has nothing but the repository.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use zeroserve_tests::{
    binary::{self, Terminal},
    host::{ALL_CAPABILITIES, without_capabilities},
};
use zeroserve_tui::record::Recording;

const SESSION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/session.zsr");
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/console.svg");

#[test]
fn the_recorded_session_is_whole_and_plays_without_capabilities() -> Result<()> {
    let recording = Recording::open(Path::new(SESSION))?;
    assert_eq!(recording.damage, None);
    assert_eq!((recording.unknown_records, &*recording.unknown_counters), (0, &[][..]));
    ensure!(recording.actions.iter().any(|action| action.text.starts_with("replaced /health.txt")));
    let last = recording.events().last().context("no samples")?.outcome;
    let totals = last.map_err(anyhow::Error::msg)?.totals();
    ensure!(totals.requests > 0 && totals.unaccounted_packets() == 0, "{totals:?}");

    let mut replay = Command::new(binary::path());
    replay.args(["replay", SESSION]);
    without_capabilities(&mut replay, ALL_CAPABILITIES);
    let mut terminal = Terminal::sized(replay, 132, 42)?;
    terminal.wait_for("REPLAY")?;
    terminal.wait_for(&recording.identity().interface)?;
    terminal.keys("e2")?;
    // In groups of three, as people read it.
    let digits = totals.packets_in.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    terminal.wait_for(&format!("add up to {} packets in", groups.join(" ")))?;
    terminal.keys("L")?;
    terminal.wait_for("replaced /health.txt")?;
    // The footer is drawn last.
    terminal.wait_for("Esc close")?;
    let log = terminal.contents();
    ensure!(log.contains("(ada)") && !log.contains(" by "), "who did it, not who watches:\n{log}");
    terminal.keys("\x1b")?;
    // Together with the escape before it, another key would be one with Alt.
    terminal.wait_for("b begin")?;
    terminal.keys("q")?;
    terminal.wait_for_end()?;
    Ok(())
}

#[test]
fn the_picture_is_of_the_recorded_session() -> Result<()> {
    let picture = fs::read_to_string(PICTURE)?;
    let interface = Recording::open(Path::new(SESSION))?.identity().interface;
    for text in [">SERVING<", &interface, ">/health.txt<"] {
        ensure!(picture.contains(text), "no {text} in the picture");
    }
    ensure!(picture.trim_end().ends_with("</svg>"));
    Ok(())
}
