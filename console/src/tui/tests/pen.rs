//! Two consoles on one server: one writes, the other reads, and both see what is done elsewhere.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Run, folder};
use crate::{
    content::Rendered,
    server::{Change, Holder},
    simulated::{Event, Simulated},
    tui::{
        Exit,
        message::{Effect, Message, ServerJob},
    },
};

pub(super) fn holder() -> Holder {
    Holder {
        user: "boris".into(),
        pid: Some(4711),
        terminal: Some("pts/3".into()),
        since: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_003_000)),
    }
}

fn read_only(server: Simulated) -> Run {
    let server = server.around(|around| around.pen = Some(holder()));
    Run::with(server, 80, 24, |options| options.pen = Some(holder()))
}

#[test]
fn who_has_not_the_pen_only_reads_and_is_told_who_has_it() {
    for key in ["a", "r", "R", "A", "Down d", "c", "u", "K"] {
        let mut run = read_only(Simulated::new(1));
        run.ticks(4).assert_shows(" READ-ONLY: boris ").press(key);
        run.assert_shows(
            "read-only: boris (process 4711, pts/3, since 09:43:20 UTC) holds the pen",
        );
        assert!(run.model.popup.is_none(), "{key}");
    }
}

#[test]
fn a_command_that_changes_something_is_refused_like_its_key() {
    let mut run = read_only(Simulated::new(1));
    run.ticks(4).press(":").enter("redirect /a /b").press("Enter");
    run.assert_shows("read-only: boris");
    assert!(run.model.popup.is_none());
}

#[test]
fn who_gets_the_pen_sees_to_what_was_left_on_trial() {
    let mut run = read_only(Simulated::new(1).with(20, Event::Pen(None)));
    run.ticks(16);
    run.held = Some(Vec::new());
    let free = crate::server::Surroundings::default();
    run.send(Message::LookedAround(Ok(Box::new(free))));
    let held = run.held.take().unwrap();
    assert!(matches!(held[..], [Effect::Server(ServerJob::Settle)]), "{held:?}");
    run.send(Message::Settled(Ok(Some("/app.js".into()))));
    run.assert_shows("✓ taken back: what the other console had on trial at /app.js; it was killed");
    run.send(Message::Settled(Err("the disk is broken".into())));
    run.press("L").assert_shows("cannot be taken back: the disk is broken");
}

#[test]
fn who_only_reads_is_not_asked_what_becomes_of_the_server() {
    let mut run = read_only(Simulated::new(1));
    run.ticks(4).press("q");
    assert_eq!(run.exit, Some(Exit::Leave));
}

#[test]
fn the_pen_goes_to_who_waits_for_it() {
    let mut run = read_only(Simulated::new(1).with(20, Event::Pen(None)));
    run.ticks(40).assert_hides("READ-ONLY").assert_shows("boris has let go of the pen");
    run.press("Down d y").assert_shows("removed /app.js");
    run.ticks(1);
    assert!(!run.has_route("/app.js"));
}

#[test]
fn what_was_opened_before_somebody_took_the_pen_changes_nothing_any_more() {
    let mut run = Run::on(Simulated::new(1).with(20, Event::Pen(Some(holder()))), 80, 24);
    run.ticks(8).press("Down d").ticks(40).press("y").assert_shows("read-only: boris");
    run.ticks(1);
    assert!(run.has_route("/app.js"));
}

#[test]
fn what_others_change_is_logged_and_what_was_done_here_is_not_logged_twice() {
    let folder = folder();
    let mut run = Run::with(Simulated::new(1), 100, 30, |options| {
        options.folder = folder.path().to_owned();
    });
    run.ticks(8).press("a").enter("app").press("Enter Enter y").ticks(8);
    run.press("L").assert_hides("elsewhere").press("Esc");
    let change = |run: &mut Run, change| run.server.apply(change).unwrap();
    let rendered = |body: &str| Arc::new(Rendered::ok("text/plain".into(), body.as_bytes(), None));
    change(&mut run, Change::Replace("/app.js".parse().unwrap(), rendered("1")));
    change(&mut run, Change::Remove("/style.css".parse().unwrap()));
    run.ticks(4).assert_shows("changed elsewhere: removed /style.css, replaced /app.js");
    for number in 0..9 {
        let path = format!("/new/{number}").parse().unwrap();
        change(&mut run, Change::Add(path, rendered("2")));
    }
    run.ticks(4).assert_shows("changed elsewhere: 9 routes");
    assert_eq!(run.model.marks.len(), 3, "what is done elsewhere is in the chart, too");
}
