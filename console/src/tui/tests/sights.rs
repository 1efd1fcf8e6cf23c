//! Single requests and packets: looked for only while somebody looks, and exported.

use super::{Run, folder};
use crate::{
    simulated::Simulated,
    tui::message::{Effect, ServerJob},
};

/// Whether something asks for single requests or packets within a second.
fn observes(run: &mut Run) -> bool {
    run.held = Some(Vec::new());
    run.ticks(4);
    let held = run.held.take().unwrap_or_default();
    run.model.sampling = false;
    run.model.looking_around = false;
    run.model.sights.asked = false;
    held.iter().any(|effect| matches!(effect, Effect::Server(ServerJob::Observe(_))))
}

#[test]
fn nothing_is_observed_unless_somebody_looks() {
    let mut run = Run::new(80, 24);
    run.ticks(8);
    assert!(!observes(&mut run));
    run.press("6");
    assert!(observes(&mut run));
    run.press("space");
    assert!(!observes(&mut run), "paused");
    run.press("space 2");
    assert!(!observes(&mut run), "the list of reasons shows no packets");
    run.press("Enter");
    assert!(observes(&mut run));
    run.press("Esc");
    assert!(!observes(&mut run));
}

#[test]
fn where_there_is_room_the_requests_take_the_place_of_the_rates() {
    let mut run = Run::new(200, 50);
    run.ticks(8);
    assert!(!observes(&mut run));
    run.press("6").ticks(4).assert_shows("a sample, newest first").press("1").ticks(4);
    assert!(observes(&mut run), "still on view");
    run.press("3").assert_hides("a sample, newest first");
    assert!(!observes(&mut run));
}

#[test]
fn a_filter_holds_for_the_panel_that_has_the_focus() {
    let mut run = Run::new(200, 50);
    run.ticks(8).press("6").ticks(40).press("/").enter("405").press("Enter");
    assert_eq!(run.model.routes.filter.text(), "");
    run.press("Esc").press("1 /").enter("app").press("Enter");
    assert_eq!(run.model.sights.requests.filter.text(), "");
    assert_eq!(run.model.routes.filter.text(), "app");
}

#[test]
fn packets_are_written_to_a_file_that_is_not_there_yet() {
    let folder = folder();
    let mut run = Run::with(Simulated::new(1), 80, 24, |options| {
        options.folder = folder.path().to_owned();
    });
    run.ticks(8).press("2 Enter").ticks(8).press("w").assert_shows("wrote");
    let written = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|end| end == "pcapng")).collect::<Vec<_>>()
    };
    let [file] = &written()[..] else { panic!("{:?}", written()) };
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("reset-by-peer-eth0-"), "{name}");
    let bytes = std::fs::read(file).unwrap();
    assert_eq!(bytes[..4], [0x0a, 0x0d, 0x0d, 0x0a], "a section header");
    run.press("w").assert_shows("no packets were written: cannot create");
    assert_eq!(std::fs::read(file).unwrap(), bytes);
}

#[test]
fn details_of_a_route_tell_its_head_and_whether_its_file_has_changed() {
    let folder = folder();
    let mut run = Run::with(Simulated::new(1), 100, 50, |options| {
        options.folder = folder.path().to_owned();
    });
    run.ticks(8).press("a").enter("notes").press("Enter Enter y").ticks(1).select("notes");
    run.press("Enter").assert_shows("on disk        ✓ the file has the same bytes");
    run.assert_shows("HTTP/1.1 200 OK").assert_shows("Content-Length: 13");
    std::fs::write(folder.path().join("notes.txt"), "other words").unwrap();
    run.press("Esc Enter").assert_shows("◆ the file has changed: 11 bytes");
    std::fs::remove_file(folder.path().join("notes.txt")).unwrap();
    run.press("Esc Enter").assert_shows("◆ the file is gone; what it was is still served");
}
