//! Changes that wait, that are on trial, that are taken back, and what the log says of them.

use std::time::Duration;

use super::{Message, Run, folder};
use crate::{
    record::history::{self, Entry},
    server::{Change, Server as _},
    simulated::Simulated,
    tui::{message::ServerJob, model::Popup, update},
};

fn on_folder(folder: &tempfile::TempDir) -> Run {
    let mut run =
        Run::with(Simulated::new(1), 120, 30, |options| options.folder = folder.path().to_owned());
    run.ticks(4);
    run
}

fn bytes_at(run: &Run, path: &str) -> Option<u32> {
    run.model.route_at(path).map(|info| info.body_bytes)
}

#[test]
fn staged_changes_go_live_together_and_not_before() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.press("a").enter("notes").press("Enter Enter s").assert_shows("1 STAGED");
    run.press("a").enter("app").press("Enter Enter s").select("style").press("d s Esc");
    run.assert_shows("3 STAGED");
    assert!(!run.has_route("/notes.txt") && run.has_route("/style.css"));
    run.press("c").assert_shows("+ add      /notes.txt").assert_shows("✗ remove   /style.css");
    run.press("Down").assert_shows("148 230 bytes").assert_shows("33 bytes");
    run.press("Enter");
    assert!(!run.has_route("/notes.txt"), "Enter makes nothing live");
    run.press("y").assert_hides("STAGED");
    assert!(run.has_route("/notes.txt") && !run.has_route("/style.css"));
    assert_eq!(bytes_at(&run, "/app.js"), Some(33));
    run.assert_shows("✓ 3 changes were made");
}

#[test]
fn one_refused_change_keeps_all_of_them_from_going_live() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.press("a").enter("notes").press("Enter Enter s").select("style").press("d s Esc");
    run.server.apply(Change::Remove("/style.css".parse().unwrap())).unwrap();
    run.press("c y");
    run.assert_shows("✗ none of 2 changes was made: /style.css was not removed");
    assert!(!run.has_route("/notes.txt"));
    run.assert_shows("2 STAGED").press("c x x").assert_hides("STAGED");
    assert!(run.model.popup.is_none());
}

#[test]
fn a_later_change_of_a_path_takes_the_place_of_the_staged_one() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("Down d s d s").assert_shows("1 STAGED");
}

#[test]
fn a_trial_is_taken_back_unless_somebody_keeps_it() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.press("a").enter("app").press("Enter Enter t");
    assert_eq!(bytes_at(&run, "/app.js"), Some(33));
    run.assert_shows("taken back in 60 s: replaced /app.js").ticks(40);
    run.assert_shows("taken back in 50 s");
    run.ticks(199);
    assert_eq!(bytes_at(&run, "/app.js"), Some(33));
    run.ticks(2);
    assert_eq!(bytes_at(&run, "/app.js"), Some(148_230));
    run.assert_shows("✓ taken back: replaced /app.js, 33 B → 148 kB");
}

#[test]
fn a_trial_that_was_kept_stays_and_can_be_undone_later() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.press("a").enter("app").press("Enter Enter t").ticks(8).press("K").ticks(400);
    assert_eq!(bytes_at(&run, "/app.js"), Some(33));
    run.press("u").assert_shows("Take the last change back?").press("y");
    assert_eq!(bytes_at(&run, "/app.js"), Some(148_230));
}

#[test]
fn a_trial_can_be_taken_back_at_once_and_only_one_runs_at_a_time() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.press("a").enter("app").press("Enter Enter t").select("style").press("d t");
    assert!(run.has_route("/style.css"));
    run.press("u");
    assert_eq!(bytes_at(&run, "/app.js"), Some(148_230));
    run.press("u").assert_shows("nothing was done here that can be undone");
}

#[test]
fn whoever_leaves_takes_a_trial_back() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("Down d t").assert_shows("taken back in 60 s: removed /app.js");
    run.press("q").assert_shows("What is on trial is taken back").press("l");
    let Some(ServerJob::Commit(commit)) = update::leave(&mut run.model) else {
        panic!("nothing is taken back")
    };
    assert_eq!(commit.changes[0].path().as_str(), "/app.js");
    assert!(update::leave(&mut run.model).is_none());
}

#[test]
fn undoing_goes_back_version_by_version() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.press("a").enter("app").press("Enter Enter y").select("app");
    run.press("r ctrl-u").send(Message::Paste(format!("{}/notes", folder.path().display())));
    run.press("Enter y d y");
    let mut seen = vec![bytes_at(&run, "/app.js")];
    for _ in 0..3 {
        run.press("u y");
        seen.push(bytes_at(&run, "/app.js"));
    }
    assert_eq!(seen, [None, Some(13), Some(33), Some(148_230)]);
    assert!(run.model.changes.last_undo().is_empty());
}

#[test]
fn enter_neither_removes_nor_tries_to() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("Down d Right Enter Right Enter").assert_shows("Remove this?");
    assert!(run.has_route("/app.js"));
    run.press("Right Enter").assert_shows("1 STAGED");
    assert!(run.has_route("/app.js"));
}

#[test]
fn the_diff_shows_which_headers_differ() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.press("a").enter("app").press("Enter Enter");
    run.assert_shows("− Content-Length: 148230").assert_shows("+ Content-Length: 33");
    run.assert_hides("Server: zeroserve");
}

#[test]
fn the_log_says_when_who_what_was_there_before_and_the_command() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("Down d y L");
    run.assert_shows("✓ removed /app.js");
    run.assert_shows("it was version 1, 148 230 bytes, text/javascript, SHA-256 06420003");
    run.assert_shows("by anna").assert_shows("$ zeroserve-tui remove eth0 /app.js");
}

#[test]
fn the_log_says_what_others_did_and_what_was_done_before() {
    let state = tempfile::tempdir().unwrap();
    let note = |path: &str, days_ago: u32, pid: u32| {
        let mut server = Simulated::new(1);
        let opened = server.identity().attached + Duration::from_secs(2 * 3600);
        let change = Change::Remove(path.parse().unwrap());
        let old = history::replaced_by(&mut server, &change);
        let outcome = server.apply(change.clone());
        let mut entry = Entry::new("eth0", &change, &outcome, old.as_ref());
        (entry.pid, entry.action.user) = (pid, Some("boris".into()));
        entry.action.at = opened - Duration::from_secs(86_400) * days_ago;
        history::append(state.path(), &entry).unwrap();
    };
    let own = std::process::id();
    note("/img/logo.svg", 2, own + 1);
    note("/gone", 1, own);
    let mut run = Run::with(Simulated::new(1), 120, 40, |options| {
        options.state_folder = Some(state.path().to_owned());
    });
    run.ticks(4).press("Down d y");
    // What this console did since it was opened it knows better.
    note("/style.css", 0, own);
    run.press("L").assert_hides("/style.css");
    let screen = run.screen();
    let parts = [
        "removed /app.js",
        "SHA-256 0642000302460407; by anna",
        " 08 Oct 2025",
        "/gone was not removed",
        " 07 Oct 2025",
        "removed /img/logo.svg",
        "by boris",
        "$ zeroserve-tui remove eth0 /img/logo.svg",
    ];
    let mut rest = &screen[..];
    for part in parts {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("no {part:?} in\n{rest}"));
        rest = after;
    }
}

#[test]
fn a_head_that_comes_after_somebody_cancelled_changes_nothing() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press("Down d Esc");
    let path = "/app.js".parse().unwrap();
    run.send(Message::Head { route: crate::server::RouteName::Path(path), lines: Ok(Vec::new()) });
    assert!(run.model.popup.is_none());
    run.press("d");
    let Some(Popup::Confirm(confirm)) = &run.model.popup else { panic!("nothing is asked") };
    assert!(confirm.planned.old_head.is_some());
}

#[test]
fn a_redirect_is_written_down_seen_made_and_undone() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press("R").enter("old.html").press("Enter").enter("app.js").press("Enter");
    run.assert_shows("\"app.js\" is no target").press("Home").enter("/").press("Enter");
    run.assert_shows("Publish this?").assert_shows("+ HTTP/1.1 301 Moved Permanently");
    run.assert_shows("$ zeroserve-tui redirect eth0 /old.html /app.js");
    assert!(!run.has_route("/old.html"));
    run.press("y").assert_shows("✓ added /old.html, 301 to /app.js");
    assert_eq!(run.model.route_at("/old.html").map(|info| info.status), Some(301));
    run.press("L").assert_shows("$ zeroserve-tui redirect eth0 /old.html /app.js").press("Esc");
    run.press("u y").assert_shows("undone: removed /old.html");
    assert!(!run.has_route("/old.html"));
}

#[test]
fn a_reply_takes_the_place_of_a_file_and_what_undoes_a_reply_is_its_command() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("A ctrl-u").enter("/app.js").press("Enter").enter("gone").press("Tab");
    run.press("ctrl-u").enter("410").press("Enter").assert_shows("Replace this?");
    run.assert_shows("$ zeroserve-tui respond eth0 /app.js gone --status 410 --replace");
    run.press("t").assert_shows("taken back in 60 s: replaced /app.js, 148 kB → 4 B").press("K");
    assert_eq!(run.model.route_at("/app.js").map(|info| info.status), Some(410));
    run.select("app.js").press("d y");
    assert!(!run.has_route("/app.js"));
    let undo = &run.model.changes.last_undo()[0];
    assert_eq!(undo.command, "zeroserve-tui respond eth0 /app.js gone --status 410");
    run.press("u y u y");
    assert_eq!(bytes_at(&run, "/app.js"), Some(148_230));
}
