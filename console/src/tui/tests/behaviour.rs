//! What keys, answers and trouble lead to.

use std::sync::Arc;

use zeroserve_shared::route::FixedRoute;

use super::{Effect, Exit, Leaving, Message, Run, ServerJob, folder};
use crate::{
    server::Change,
    simulated::{Event, Simulated},
    tui::model::{Health, Panel, Popup},
};

fn on_folder(folder: &tempfile::TempDir) -> Run {
    Run::with(Simulated::new(1), 120, 30, |options| options.folder = folder.path().to_owned())
}

#[test]
fn enter_never_removes_a_route() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press("Down d Right Enter Enter");
    assert!(run.has_route("/app.js"));
    run.press("Left Enter");
    assert!(run.has_route("/app.js"));
    assert!(run.model.popup.is_none());
}

#[test]
fn the_letter_removes_and_the_command_that_does_the_same_is_logged() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("Down d y").ticks(2);
    assert!(!run.has_route("/app.js"));
    run.assert_shows("✓ removed /app.js").assert_shows("zeroserve-tui remove eth0 /app.js");
}

#[test]
fn holding_the_key_that_asks_does_not_confirm() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press("Down d d d d d");
    assert!(run.has_route("/app.js"));
}

#[test]
fn a_file_is_published_only_after_somebody_said_yes() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.ticks(4).press("a").enter("notes").press("Enter Enter");
    run.assert_shows("Publish this?").assert_shows("13 bytes");
    assert!(!run.has_route("/notes.txt"));
    run.press("Enter");
    assert!(!run.has_route("/notes.txt"), "cancel is the default");
    run.press("a").enter("notes").press("Enter Enter y");
    assert!(run.has_route("/notes.txt"));
    run.assert_shows("✓ added /notes.txt, 13 B");
}

#[test]
fn a_path_is_proposed_in_the_folder_that_is_selected() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.ticks(4).select("tuning").press("a").enter("notes").press("Enter");
    run.assert_shows("/docs/guide/notes.txt");
}

#[test]
fn a_route_of_one_host_lies_in_a_folder_of_that_host() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.ticks(4).press("a").enter("notes").press("Enter ctrl-u").enter("//a.example/n.txt");
    run.press("Enter y");
    assert!(run.has_route("//a.example/n.txt"));
    run.assert_shows("//a.example").select("n.txt").press("a").enter("notes").press("Enter");
    run.assert_shows("//a.example/notes.txt");
}

#[test]
fn what_is_published_from_the_console_is_made_as_the_config_says() {
    let folder = folder();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "x".repeat(1000)).unwrap();
    let mut run = Run::with(Simulated::new(1), 160, 48, |options| {
        options.folder = folder.path().into();
        options.config.everywhere.compress = false;
        options.config_words = vec!["--header".into(), "X-A: b".into()];
    });
    run.ticks(4).press("a").enter("notes").press("Enter Enter y");
    let routes = run.server.routes().unwrap();
    let route = routes.iter().find(|route| route.source.as_deref() == Some(&file)).unwrap();
    assert_eq!(route.encodings, []);
    run.press("L").assert_shows("--header 'X-A: b'");
}

#[test]
fn a_name_that_has_to_be_encoded_in_a_path_is_proposed_encoded() {
    let folder = folder();
    std::fs::write(folder.path().join("50% off?.txt"), "x").unwrap();
    let mut run = on_folder(&folder);
    run.ticks(4).press("a").enter("50").press("Enter");
    run.assert_shows("/50%25 off%3F.txt").press("Enter y");
    assert!(run.has_route("/50% off?.txt"));
    run.press("L").assert_shows("add eth0 '/50%25 off%3F.txt'");
}

#[test]
fn publishing_behind_a_taken_path_is_offered_as_a_replacement() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.ticks(4).press("a").enter("app").press("Enter Enter");
    run.assert_shows("Replace this?").assert_shows("148 230 bytes").assert_shows("33 bytes");
    run.press("y").ticks(1);
    assert_eq!(run.model.route_at("/app.js").unwrap().version, 2);
    assert!(run.model.log.back().unwrap().command.as_ref().unwrap().contains("replace eth0"));
}

#[test]
fn a_change_that_another_console_made_first_is_an_error_that_can_be_read() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("Down d");
    run.server.apply(Change::Remove("/app.js".parse().unwrap())).unwrap();
    run.press("y");
    run.assert_shows("✗ /app.js was not removed: nothing is served at /app.js");
    assert!(!run.has_route("/app.js"), "the routes are read again");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_changes_nothing() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.ticks(4).press("a").enter("notes").press("Enter");
    std::fs::remove_file(folder.path().join("notes.txt")).unwrap();
    run.press("Enter").assert_shows("✗").assert_shows("notes.txt");
    assert!(run.model.popup.is_none());
    assert!(!run.has_route("/notes.txt"));
}

#[test]
fn a_file_rendered_after_somebody_cancelled_asks_nothing() {
    let folder = folder();
    let mut run = on_folder(&folder);
    run.ticks(4).press("a").enter("notes").press("Enter");
    run.held = Some(Vec::new());
    run.press("Enter").assert_shows("One moment").press("Esc");
    let Some(Effect::Files(job)) = run.held.take().unwrap().pop() else {
        panic!("no file is read")
    };
    run.send(crate::tui::effects::read(job));
    assert!(run.model.popup.is_none());
}

#[test]
fn the_picker_follows_pasted_paths_and_walks_folders() {
    let folder = folder();
    let mut run = Run::new(120, 30);
    run.ticks(4).press("a");
    run.send(Message::Paste(format!("{}/app.js\n", folder.path().display())));
    run.assert_shows("app.js").assert_hides("notes.txt").press("ctrl-u");
    run.assert_shows("notes.txt").assert_hides(".hidden").enter(".").assert_shows(".hidden");
    run.press("Backspace Left");
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    let Some(Popup::Picker(picker)) = &run.model.popup else { panic!("the picker is gone") };
    assert_eq!(picker.folder.to_str(), Some("/tmp"));
    assert_eq!(picker.entry(picker.selected).unwrap().name, name, "where it came from");
}

#[test]
fn enter_right_behind_a_pasted_path_waits_until_its_folder_is_read() {
    let folder = folder();
    let mut run = Run::new(120, 30);
    run.ticks(4).press("a");
    run.held = Some(Vec::new());
    run.send(Message::Paste(format!("{}/app.js", folder.path().display())));
    run.press("Enter");
    let jobs = run.held.take().unwrap();
    let [Effect::Files(job)] = <[_; 1]>::try_from(jobs).unwrap() else { panic!("no listing") };
    run.assert_shows("Publish a file").send(crate::tui::effects::read(job));
    run.assert_shows("Publish under which path?");
}

#[test]
fn pasted_text_is_no_command() {
    let mut run = Run::new(80, 24);
    run.ticks(4);
    run.send(Message::Paste("qld y".into()));
    assert!(run.model.popup.is_none());
    assert_eq!(run.exit, None);
}

#[test]
fn what_cannot_be_changed_says_so() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("End d").assert_shows("built in").press("r").assert_shows("built in");
    let to_their_folder = vec!["Up"; FixedRoute::ALL.len()].join(" ");
    run.press(&to_their_folder).press("d").assert_shows("this is a folder");
}

#[test]
fn the_selection_stays_on_its_route_when_others_come_and_go() {
    let mut run = Run::new(80, 24);
    run.ticks(4).select("hero").press("Esc").ticks(1);
    let rendered = crate::content::Rendered::ok("text/plain".into(), b"x", None);
    let path = "/aaa".parse().unwrap();
    run.server.apply(Change::Add(path, Arc::new(rendered))).unwrap();
    run.server.apply(Change::Remove("/app.js".parse().unwrap())).unwrap();
    run.server.apply(Change::Remove("/docs/reference.html".parse().unwrap())).unwrap();
    run.ticks(2);
    assert!(run.has_route("/aaa"));
    assert_eq!(
        run.model.routes.selected_route().unwrap().source.as_ref().unwrap().file_name().unwrap(),
        "hero.avif"
    );
}

#[test]
fn frozen_rows_keep_their_order_until_somebody_sorts() {
    let mut run = Run::new(80, 24);
    run.ticks(8).press("s s f");
    let before = run.model.routes.rows.clone();
    run.ticks(80);
    assert_eq!(run.model.routes.rows, before);
    let rate = |run: &Run, row: usize| {
        run.model.routes.tree.reading(run.model.routes.rows[row]).hits_per_s.unwrap()
    };
    run.press("S");
    assert!(rate(&run, 0) >= rate(&run, 1));
}

#[test]
fn the_longest_tree_scrolls_from_end_to_end() {
    let mut run = Run::on(Simulated::new(1).with_more_routes(10_000), 80, 24);
    run.ticks(4).press("* End").ticks(2);
    assert!(run.model.routes.rows.len() > 10_000);
    run.assert_shows("HTTP/2 GOAWAY").press("Home").assert_shows("app.js");
}

#[test]
fn keys_that_come_between_two_draws_act_on_what_the_first_of_them_did() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("*").screen();
    run.press("Down Down Right Right Down Right Right");
    run.assert_shows("first-steps.html");
    let source = run.model.routes.selected_route().unwrap().source.clone().unwrap();
    assert_eq!(source.file_name().unwrap(), "first-steps.html");
}

#[test]
fn no_row_stays_empty_while_there_are_routes_to_show() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press("End").assert_hides("app.js");
    run.terminal.backend_mut().resize(80, 60);
    run.send(Message::Resize(80, 60));
    run.assert_shows("app.js").assert_shows("HTTP/2 GOAWAY");
}

#[test]
fn folders_deeper_than_the_panel_is_wide_leave_its_numbers_and_frame_alone() {
    let mut run = Run::new(80, 24);
    run.ticks(4);
    let rendered = crate::content::Rendered::ok("text/plain".into(), b"x", None);
    let path = format!("/a{}", "/b".repeat(60)).parse().unwrap();
    run.server.apply(Change::Add(path, Arc::new(rendered))).unwrap();
    run.ticks(2).select("b/b");
    for line in run.screen().lines().skip(6).take(15) {
        assert!(line.matches("/s ").count() == 2 && line.ends_with("│\""), "{line}");
    }
}

#[test]
fn a_pause_freezes_the_screen_while_counting_goes_on() {
    let mut run = Run::new(200, 50);
    run.ticks(8).press("space");
    let before = run.screen();
    run.ticks(2).press("2 1");
    assert_eq!(run.screen(), before);
    let frozen = run.model.shown.totals.unwrap().requests;
    run.ticks(20).press("space");
    let shown = run.model.shown.totals.unwrap().requests;
    assert!(shown > frozen);
    let history: u64 = run.model.shown.history.iter().map(|point| point.requests).sum();
    assert!(history > frozen, "the chart has no hole");
}

#[test]
fn a_lost_server_is_said_once_and_a_found_one_is_shown_again() {
    let server = Simulated::new(1)
        .with(5, Event::Lost("the pinned map COUNTERS is gone".into()))
        .with(9, Event::Found);
    let mut run = Run::on(server, 120, 30);
    run.ticks(7).assert_shows("✗ LOST").assert_shows("the pinned map COUNTERS is gone");
    assert_eq!(run.model.log.len(), 1);
    run.press("Down d y").assert_shows("✗ /app.js was not removed: the pinned map");
    run.ticks(4).assert_shows("● SERVING").assert_shows("can be read again");
    assert_eq!(run.model.health, Health::Serving);
}

#[test]
fn counters_that_start_anew_have_no_rate_and_then_a_true_one() {
    let mut run = Run::on(Simulated::new(1).with(20, Event::Reset), 200, 50);
    run.ticks(19);
    assert!(run.model.shown.increase.is_some());
    run.ticks(1);
    assert!(run.model.shown.increase.is_none());
    run.assert_shows("–").ticks(1);
    assert!(run.model.shown.per_s(|counters| counters.requests).unwrap() > 1_000.0);
}

#[test]
fn an_idle_server_is_not_drawn_again() {
    let mut run = Run::on(Simulated::new(1).with(1, Event::Silence), 200, 50);
    // The second look around brings the first rates of the kernel's counters.
    run.ticks(16);
    run.model.changed = false;
    run.ticks(40);
    assert!(!run.model.changed);
}

#[test]
fn no_second_sample_is_asked_for_while_the_first_is_on_its_way() {
    let mut run = Run::new(80, 24);
    run.held = Some(Vec::new());
    run.press("5").ticks(40);
    let jobs = run.held.take().unwrap();
    let count = |wanted: fn(&ServerJob) -> bool| {
        jobs.iter().filter(|job| matches!(job, Effect::Server(job) if wanted(job))).count()
    };
    assert_eq!(count(|job| matches!(job, ServerJob::Sample)), 1, "{jobs:?}");
    assert_eq!(count(|job| matches!(job, ServerJob::LookAround)), 1);
    assert_eq!(count(|job| matches!(job, ServerJob::Flows(_))), 1);
}

#[test]
fn leaving_and_stopping_take_a_decision() {
    for (keys, exit) in [
        ("q Enter", None),
        ("q Esc", None),
        ("q n", None),
        ("q q", None),
        ("q Right Enter", Some(Exit::Leave)),
        ("q l", Some(Exit::Leave)),
        ("q Right Right Enter", None),
        ("q s", Some(Exit::Stop)),
        ("ctrl-c ctrl-c", Some(Exit::Leave)),
        ("Down d ctrl-c l", Some(Exit::Leave)),
    ] {
        let mut run = Run::new(80, 24);
        run.ticks(4).press(keys);
        assert_eq!(run.exit, exit, "{keys}");
    }
}

#[test]
fn in_the_demo_q_leaves_at_once() {
    let mut run = Run::with(Simulated::new(1), 80, 24, |options| {
        options.leaving = Leaving::StopsServing;
    });
    run.ticks(4).assert_shows("leaving stops the server").press("q");
    assert_eq!(run.exit, Some(Exit::Stop));
}

#[test]
fn panels_are_reached_by_number_and_by_tab() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press("2");
    assert_eq!(run.model.focus, Panel::Reasons);
    run.press("Tab Tab Tab Tab Tab");
    assert_eq!(run.model.focus, Panel::Routes);
}

#[test]
fn a_new_fault_is_on_view_although_the_list_is_longer_than_the_screen() {
    let fault = zeroserve_shared::reason::Reason::FlowTableFull;
    let mut run = Run::on(Simulated::new(1).with(10, Event::Leaving(fault, 9)), 80, 24);
    run.ticks(5).press("2").ticks(20).assert_shows("▲ flow-table-full");
}

#[test]
fn resizing_keeps_the_selection_on_the_screen() {
    let mut run = Run::new(200, 50);
    run.ticks(4).press("End");
    run.terminal.backend_mut().resize(80, 20);
    run.send(Message::Resize(80, 20));
    run.assert_shows("HTTP/2 GOAWAY");
}
