//! The black box on disk.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    sync::Arc,
};

use super::{at, second};
use crate::{
    content::Rendered,
    record::{
        BlackBox, Recorded, Recording, RecordingFile, Summary,
        black_box::{FILE_BYTES, OpenError},
    },
    server::{Change, Server},
    simulated::{Event, Simulated},
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A recorded server whose calendar goes with its samples.
fn on(server: Simulated, folder: &Path, bytes: u64) -> Recorded {
    Recorded::in_folder(Box::new(server), folder, bytes).unwrap().with_clock(at)
}

fn open(folder: &Path) -> Recording {
    Recording::open(&folder.join("eth0.zsr")).unwrap()
}

#[test]
fn a_second_has_one_sample_however_often_it_is_looked_at() {
    let folder = folder();
    let mut server = on(Simulated::new(1), folder.path(), FILE_BYTES);
    for _ in 0..40 {
        server.sample().unwrap();
    }
    assert_eq!(open(folder.path()).entries.len(), 10);
}

#[test]
fn what_was_done_is_recorded_with_who_and_how() {
    let folder = folder();
    let mut server = on(Simulated::new(1), folder.path(), FILE_BYTES);
    server.sample().unwrap();
    let mut rendered = Rendered::ok("text/plain".into(), b"hello", None);
    rendered.source = Some("/srv/it's new".into());
    server.apply(Change::Add("/new".parse().unwrap(), Arc::new(rendered))).unwrap();
    assert!(server.apply(Change::Remove("/nothing".parse().unwrap())).is_err());
    server.sample().unwrap();
    let recording = open(folder.path());
    let [added, refused] = &recording.actions[..] else { panic!("{:?}", recording.actions) };
    assert_eq!((added.done, added.text.as_str()), (true, "added /new, 5 B"));
    assert_eq!(added.command.as_deref(), Some(r"zeroserve-tui add eth0 /new '/srv/it'\''s new'"));
    assert!(added.user.is_some());
    assert!(!refused.done && refused.text.contains("nothing is served at /nothing"), "{refused:?}");
    // The sample right behind a change shows it.
    assert_eq!(recording.entries.len(), 2);
    let sample = recording.events().last().unwrap().outcome.unwrap();
    assert_eq!(sample.hits.len(), server.sample().unwrap().hits.len());
}

#[test]
fn however_long_it_runs_two_files_of_bounded_length_are_all_there_is() {
    let folder = folder();
    let mut server = Simulated::new(1);
    let mut black_box = BlackBox::open(folder.path(), server.identity().clone(), 64 << 10).unwrap();
    let mut last = None;
    for _ in 0..2_000 {
        let sample = second(&mut server);
        let routes = black_box.needs_routes().then(|| server.routes().unwrap());
        black_box.sample(at(&sample), &sample, routes.as_deref()).unwrap();
        last = Some(sample.totals());
    }
    let bytes = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    // The last record may go beyond, and the start of a file is one.
    assert!(bytes("eth0.zsr") < 72 << 10 && bytes("eth0.zsr.old") < 72 << 10);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "recording, older, lock");

    let saved = folder.path().join("saved.zsr");
    let copied = black_box.save(&saved).unwrap();
    assert_eq!(copied, fs::metadata(&saved).unwrap().len());
    let recording = Recording::open(&saved).unwrap();
    assert_eq!(recording.damage, None);
    let samples: Vec<_> = recording.events().map(|event| event.outcome.unwrap()).collect();
    assert!(samples.len() > 50);
    assert_eq!(samples.last().map(|sample| sample.totals()), last);
    for pair in samples.windows(2) {
        assert_eq!((pair[1].taken - pair[0].taken).as_secs(), 1, "nothing is missing between");
    }
    assert!(black_box.save(&saved).is_err(), "nothing is overwritten");
}

#[test]
fn after_a_crash_the_recording_goes_on_and_the_torn_record_is_gone() {
    let folder = folder();
    let mut server = on(Simulated::new(1), folder.path(), FILE_BYTES);
    for _ in 0..8 {
        server.sample().unwrap();
    }
    drop(server);
    let path = folder.path().join("eth0.zsr");
    let whole = fs::read(&path).unwrap();
    let torn = &whole[whole.len() - 40..];
    OpenOptions::new().append(true).open(&path).unwrap().write_all(torn).unwrap();
    assert!(open(folder.path()).damage.is_some());

    let mut server = on(Simulated::new(2), folder.path(), FILE_BYTES);
    for _ in 0..8 {
        server.sample().unwrap();
    }
    let recording = open(folder.path());
    assert_eq!(recording.damage, None);
    assert_eq!(recording.entries.len(), 4);
}

#[test]
fn a_second_console_does_not_write_into_the_recording_of_the_first() {
    let folder = folder();
    let identity = Simulated::new(1).identity().clone();
    let first = BlackBox::open(folder.path(), identity.clone(), FILE_BYTES).unwrap();
    let second = BlackBox::open(folder.path(), identity.clone(), FILE_BYTES);
    assert!(matches!(second, Err(OpenError::Taken)));
    drop(first);
    BlackBox::open(folder.path(), identity, FILE_BYTES).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_costs_the_recording_and_not_the_console() {
    let folder = folder();
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    let server = Box::new(Simulated::new(1));
    assert!(Recorded::in_folder(server, &file.join("below"), FILE_BYTES).is_err());
    let black_box = Err(anyhow::anyhow!("no room"));
    let mut server = Recorded::with(Box::new(Simulated::new(1)), black_box);
    server.sample().unwrap();
    let error = server.save_recording(&folder.path().join("copy")).unwrap_err();
    assert_eq!(error.to_string(), "nothing is recorded: no room");
}

#[test]
fn what_another_version_left_in_its_place_is_kept_beside() {
    let folder = folder();
    fs::write(folder.path().join("eth0.zsr"), "ZSREC of the future").unwrap();
    let mut server = on(Simulated::new(1), folder.path(), FILE_BYTES);
    server.sample().unwrap();
    assert_eq!(open(folder.path()).entries.len(), 1);
    let kept = fs::read_to_string(folder.path().join("eth0.zsr.other")).unwrap();
    assert_eq!(kept, "ZSREC of the future");
}

#[test]
fn a_server_that_cannot_be_read_is_recorded_as_such() {
    let folder = folder();
    let server =
        Simulated::new(1).with(3, Event::Lost("it was stopped".into())).with(5, Event::Found);
    let mut server = on(server, folder.path(), FILE_BYTES);
    for _ in 0..12 {
        let _ = server.sample();
    }
    let recording = open(folder.path());
    let lost: Vec<_> = recording.events().filter_map(|event| event.outcome.err()).collect();
    assert_eq!(lost, ["it was stopped"]);
    let summary = Summary::new(&recording).to_string();
    assert!(summary.contains("could not be read"), "{summary}");
}

#[test]
fn a_script_gets_a_file_of_its_own_and_a_report_that_adds_up() {
    let folder = folder();
    let path = folder.path().join("run.zsr");
    let mut server = Simulated::new(1).with(30, Event::Reset);
    let mut file = RecordingFile::create(&path, server.identity().clone()).unwrap();
    assert!(RecordingFile::create(&path, server.identity().clone()).is_err());
    let (mut grown, mut before) = (0, None);
    for _ in 0..20 {
        let sample = second(&mut server);
        let requests = sample.totals().requests;
        if let Some(before) = before
            && before <= requests
        {
            grown += requests - before;
        }
        before = Some(requests);
        let routes = server.routes().unwrap();
        file.sample(at(&sample), &sample, &routes).unwrap();
    }
    assert_eq!(file.bytes(), fs::metadata(&path).unwrap().len());
    let summary = Summary::new(&Recording::open(&path).unwrap());
    let document = summary.document();
    assert_eq!(document["totals"]["requests"], grown);
    assert_eq!(document["samples"], 20);
    assert_eq!(document["length_s"], 19.0);
    assert!(document["peaks"]["requests"]["per_s"].as_f64().unwrap() >= grown as f64 / 19.0);
    assert!(document["reasons"]["handshake-complete"].as_u64().unwrap() > 0);
}

#[test]
fn who_waits_for_the_black_box_records_once_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let server = || Box::new(Simulated::new(1));
    let first = Recorded::in_folder(server(), folder.path(), 1 << 20).unwrap();
    let mut second = Recorded::waiting_in(server(), folder.path());
    let copy = folder.path().join("copy.zsr");
    second.sample().unwrap();
    assert!(second.save_recording(&copy).is_err());
    drop(first);
    // Ten seconds of the simulated clock.
    (0..40).for_each(|_| drop(second.sample().unwrap()));
    assert!(second.save_recording(&copy).unwrap() > 0);
}
