//! Commands that are typed.

use super::{Exit, Leaving, Message, Run};
use crate::{
    simulated::Simulated,
    tui::model::{Panel, Popup},
};

#[test]
fn a_command_does_what_its_key_does_from_every_panel() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press("4 :").enter("flows").press("Enter");
    assert_eq!(run.model.focus, Panel::Flows);
    run.press(":").enter("whose").press("Enter").assert_shows("Whose drop is it?");
    run.press("Esc :").enter("pause").press("Enter").assert_shows("PAUSED");
}

#[test]
fn a_command_that_removes_asks_as_its_key_does() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press(":").enter("goto /app.js").press("Enter :").enter("remove").press("Enter");
    run.assert_shows("Remove this?").press("Enter");
    assert!(run.has_route("/app.js"));
}

#[test]
fn quitting_by_command_asks_too_but_in_the_demo() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press(":").enter("quit").press("Enter").assert_shows("Leave the console");
    assert_eq!(run.exit, None);
    let mut run = Run::with(Simulated::new(1), 80, 24, |options| {
        options.leaving = Leaving::StopsServing;
    });
    run.ticks(4).press(":").enter("quit").press("Enter");
    assert_eq!(run.exit, Some(Exit::Stop));
}

#[test]
fn tab_goes_through_the_completions_and_the_only_one_is_finished() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press(":").enter("r").press("Tab Tab").assert_shows(": reasons");
    run.press("ctrl-u").enter("sor").press("Tab").enter("h").press("Tab Tab Enter");
    run.assert_shows("by hits/s");
}

#[test]
fn what_cannot_be_meant_is_said_and_can_be_mended() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press(":").enter("remove /app.js").press("Enter");
    run.assert_shows("takes nothing behind it");
    run.press("ctrl-u").enter("frobnicate").press("Enter").assert_shows("there is no command");
    run.press("ctrl-u").enter("log").press("Enter").assert_shows("Nothing has been done");
}

#[test]
fn an_answer_can_be_typed_and_what_is_missing_or_wrong_is_asked_for() {
    let mut run = Run::new(120, 30);
    run.ticks(4).press(":").enter("respond /healthz2 all is well").press("Enter");
    run.assert_shows("Publish this?");
    run.assert_shows("$ zeroserve-tui respond eth0 /healthz2 'all is well'").press("y");
    assert!(run.has_route("/healthz2"));
    run.press(":").enter("redirect /a b").press("Enter").assert_shows("\"b\" is no target");
    run.press("ctrl-u").enter("/b").press("Enter s").assert_shows("1 STAGED");
    run.press(":").enter("redirect /e /f 307").press("Enter");
    run.assert_shows("$ zeroserve-tui redirect eth0 /e /f --status 307").press("Esc");
    run.press(":").enter("redirect /c").press("Enter").enter("/d").press("Enter");
    run.assert_shows("Publish this?").press("Esc :").enter("respond").press("Enter");
    run.assert_shows("Answer with a few words").press("Esc");
    assert!(run.model.popup.is_none() && !run.has_route("/a"));
}

#[test]
fn the_history_gives_back_what_was_done_once_each() {
    let mut run = Run::new(80, 24);
    run.ticks(4);
    for command in ["filter img", "rates", "filter img"] {
        run.press(":").enter(command).press("Enter");
    }
    run.press(": Up").assert_shows(": filter img").press("Up").assert_shows(": rates");
    run.press("Up").assert_shows(": rates").press("Down Down");
    let Some(Popup::Palette(palette)) = &run.model.popup else { panic!("the palette is gone") };
    assert_eq!(palette.field.text(), "");
}

#[test]
fn goto_opens_the_folders_around_a_route() {
    let mut run = Run::on(Simulated::new(1).with_more_routes(1_000), 80, 24);
    run.ticks(4).press(":").enter("goto /lib/42/package-00542/index.js").press("Enter");
    let source = run.model.routes.selected_route().unwrap().source.clone().unwrap();
    assert!(source.ends_with("package-00542/index.js"));
    run.assert_shows("index.js");
}

#[test]
fn pasted_lines_become_one_command_that_is_not_carried_out() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press(":");
    run.send(Message::Paste("quit\nquit\n".into()));
    assert_eq!(run.exit, None);
    run.assert_shows(": quitquit");
}
