//! A recording on the console's screens.

use std::{path::Path, time::Duration};

use super::{Leaving, Run, Server as _};
use crate::{
    record::{BlackBox, Recorded, Recording, Replay},
    simulated::{Event, Simulated},
    tui::Exit,
};

const SECOND: Duration = Duration::from_secs(1);

/// Records a minute of a server that is lost for a while and changed once.
fn recording(folder: &Path) -> Recording {
    let mut server = Simulated::new(1).with(80, Event::Lost("it was stopped".into()));
    server = server.with(120, Event::Found);
    let mut black_box = BlackBox::open(folder, server.identity().clone(), 8 << 20).unwrap();
    let epoch = server.identity().attached;
    for quarter in 1..=240_u64 {
        let at = epoch + Duration::from_millis(250 * quarter);
        let outcome = server.sample();
        if quarter % 4 != 0 {
            continue;
        }
        match outcome {
            Ok(sample) => {
                let routes = server.routes().unwrap();
                black_box.sample(at, &sample, Some(&routes)).unwrap();
            }
            Err(why) => black_box.lost(at, &why.to_string()).unwrap(),
        }
    }
    drop(black_box);
    Recording::open(&folder.join("eth0.zsr")).unwrap()
}

/// A console on a recording; each tick is a second.
fn replaying(columns: u16, rows: u16) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let replay = Replay::new(recording(folder.path())).stepping(SECOND);
    Run::with(replay, columns, rows, |options| options.leaving = Leaving::Replay)
}

#[test]
fn the_header_says_that_it_is_a_replay_and_of_which_moment() {
    let mut run = replaying(120, 30);
    run.ticks(11).assert_shows("▸ REPLAY  eth0  09 Oct 2025 08:53:31 UTC   10 s of 59 s   ×1");
    run.assert_shows("app.js").assert_hides("SERVING");
    let rate = run.model.shown.per_s(|counters| counters.requests).unwrap();
    assert!(rate > 10_000.0, "{rate}");
}

#[test]
fn seeking_speed_and_pause_have_keys_and_the_chart_has_its_past_after_each() {
    let mut run = replaying(120, 30);
    run.ticks(2).press(".").assert_shows("12 s of 59 s").press("x").assert_shows("×2");
    run.press("space").assert_shows("‖ REPLAY").ticks(5);
    let paused = run.screen();
    assert_eq!(run.ticks(5).screen(), paused, "time stands still");
    run.press("space e").assert_shows("59 s of 59 s").press("b").assert_shows(" 0 s of 59 s");
    assert_eq!(run.model.shown.history.len(), 0);
    run.press("e ,");
    let points = run.model.shown.history.len();
    assert!(points > 10, "{points}");
    assert!(run.model.shown.increase.is_some(), "rates are known at once");
}

#[test]
fn what_was_lost_then_is_lost_again() {
    let mut run = replaying(120, 30);
    run.ticks(21).assert_shows("it was stopped").ticks(15).assert_hides("it was stopped");
}

#[test]
fn nothing_can_be_changed_and_q_leaves_at_once() {
    let mut run = replaying(80, 24);
    run.ticks(4);
    for key in ["a", "r", "d"] {
        run.press("Down").press(key).assert_shows("this is a recording: nothing can be changed");
        assert!(run.model.popup.is_none());
    }
    run.press("W").assert_shows("this is a recording already").press("q");
    assert_eq!(run.exit, Some(Exit::Leave));
}

#[test]
fn the_footer_names_the_keys_of_the_replay_and_none_that_would_be_refused() {
    let mut run = replaying(120, 30);
    run.ticks(4);
    let footer = run.screen().lines().last().unwrap().to_owned();
    for hint in ["space pause", ", -10 s", ". +10 s", "b begin", "e end", "x speed", "q quit"] {
        assert!(footer.contains(hint), "no {hint} in {footer}");
    }
    assert!(!footer.contains("remove") && footer.matches("pause").count() == 1, "{footer}");
}

#[test]
fn one_key_saves_the_last_minutes_and_says_how_to_open_them() {
    let folder = tempfile::tempdir().unwrap();
    let (state, start) = (folder.path().join("state"), folder.path().to_owned());
    let server = Recorded::in_folder(Box::new(Simulated::new(1)), &state, 8 << 20).unwrap();
    let mut run = Run::with(server, 200, 30, |options| options.folder = start);
    run.ticks(20).press("W").assert_shows("✓ saved").assert_shows("zeroserve-tui replay");
    let file = folder.path().join("zeroserve-eth0-20251009T105325Z.zsr");
    assert_eq!(Recording::open(&file).unwrap().identity().interface, "eth0");
    run.press("W").assert_shows("✗ the recording was not saved");
    Run::new(120, 30).ticks(4).press("W").assert_shows("nothing is recorded here");
}
