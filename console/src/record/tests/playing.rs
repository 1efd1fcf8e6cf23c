//! A recording plays like a server.

use std::{sync::Arc, time::Duration};

use super::{EPOCH, at, read, recorded, second};
use crate::{
    content::Rendered,
    record::{Play, Replay, document::Action, encoder::Encoder, frame},
    server::{Change, ChangeError, Sample, Server as _},
    simulated::Simulated,
};

const SECOND: Duration = Duration::from_secs(1);

/// Plays a minute and a half, a second at a time.
fn replay() -> Replay {
    Replay::new(read(recorded(&mut Simulated::new(1), 90))).stepping(SECOND)
}

fn taken(samples: &[Result<Sample, String>]) -> Vec<u64> {
    samples.iter().map(|sample| sample.as_ref().unwrap().taken.as_secs()).collect()
}

#[test]
fn every_sample_is_told_once_at_every_speed() {
    for presses in 0..4 {
        let mut replay = replay();
        let mut told = taken(&replay.play(None).samples);
        for _ in 0..presses {
            told.extend(taken(&replay.play(Some(Play::Speed)).samples));
        }
        let mut before = Duration::ZERO;
        loop {
            let playing = replay.play(None);
            told.extend(taken(&playing.samples));
            let speed = [1, 2, 10, 60][presses];
            assert_eq!(playing.speed, speed);
            if playing.position == playing.length {
                break;
            }
            assert!(before.is_zero() || playing.position - before == SECOND * speed);
            before = playing.position;
        }
        assert_eq!(told, (1..=90).collect::<Vec<_>>());
    }
}

/// A server with a route that only one host has.
fn with_a_host() -> Simulated {
    let mut server = Simulated::new(1);
    let rendered = Rendered::ok("text/plain".into(), b"x", None);
    let path = "//a.example/page".parse().unwrap();
    server.apply(Change::Add(path, Arc::new(rendered))).unwrap();
    server
}

#[test]
fn what_is_played_is_what_was_sampled() {
    let (mut original, mut recorded_server) = (with_a_host(), with_a_host());
    let samples: Vec<Sample> = (0..90).map(|_| second(&mut original)).collect();
    let mut replay = Replay::new(read(recorded(&mut recorded_server, 90))).stepping(SECOND);
    replay.play(None);
    for _ in 0..30 {
        let playing = replay.play(None);
        let played = replay.sample().unwrap();
        let sample = &samples[playing.position.as_secs() as usize];
        assert_eq!(
            (played.taken, &played.cpus, &played.hits),
            (sample.taken, &sample.cpus, &sample.hits)
        );
        assert_eq!(playing.at, at(sample));
    }
    let names = |infos: &[crate::server::RouteInfo]| {
        infos.iter().map(|info| format!("{info:?}")).collect::<Vec<_>>()
    };
    assert_eq!(names(&replay.routes().unwrap()), names(&original.routes().unwrap()));
}

#[test]
fn time_stands_still_in_a_pause_and_goes_on_after_it() {
    let mut replay = replay();
    replay.play(None);
    let paused = replay.play(Some(Play::Pause));
    for _ in 0..5 {
        let playing = replay.play(None);
        assert!(playing.paused && playing.samples.is_empty());
        assert_eq!(playing.position, paused.position);
    }
    replay.play(Some(Play::Pause));
    assert_eq!(replay.play(None).position, paused.position + SECOND);
}

#[test]
fn jumps_go_where_they_say_and_no_further_than_there_is() {
    let mut replay = replay();
    replay.play(None);
    assert_eq!(replay.play(Some(Play::Back)).position, Duration::ZERO);
    let forward = replay.play(Some(Play::Forward));
    assert_eq!(forward.position, 11 * SECOND);
    assert!(!forward.anew, "what lies between is told");
    assert_eq!(taken(&forward.samples), (2..=12).collect::<Vec<_>>());
    let end = replay.play(Some(Play::End));
    assert_eq!(end.position, end.length);
    assert_eq!(replay.play(Some(Play::Forward)).position, end.length);
    assert_eq!(replay.play(Some(Play::Begin)).position, Duration::ZERO);
}

#[test]
fn after_a_jump_the_past_is_told_so_that_a_chart_has_its_history() {
    let mut replay = replay();
    replay.play(Some(Play::End));
    let back = replay.play(Some(Play::Back));
    assert!(back.anew);
    assert_eq!(taken(&back.samples), (1..=80).collect::<Vec<_>>());
    let full = back.samples.last().unwrap().as_ref().unwrap();
    assert_eq!(full.cpus.len(), 2);
    assert!(!full.hits.is_empty());
    let past = back.samples[0].as_ref().unwrap();
    assert!(past.hits.is_empty() && past.cpus.len() == 1, "only what a chart needs");
}

#[test]
fn nothing_can_be_changed() {
    let mut replay = replay();
    let refused = replay.apply(Change::Remove("/app.js".parse().unwrap()));
    assert!(matches!(refused, Err(ChangeError::Recording)));
    assert!(replay.routes().unwrap().is_empty(), "nothing was told yet");
    replay.sample().unwrap();
    assert!(!replay.routes().unwrap().is_empty());
}

#[test]
fn a_long_silence_is_passed_over_and_the_time_shown_is_the_time_it_was() {
    let mut file = recorded(&mut Simulated::new(1), 3);
    let mut server = Simulated::new(2);
    let mut encoder = Encoder::default();
    encoder.start(&mut file, server.identity());
    for _ in 0..3 {
        let sample = second(&mut server);
        let later = at(&sample) + Duration::from_secs(3600);
        encoder.sample(&mut file, later, &sample, Some(&server.routes().unwrap()));
    }
    let mut replay = Replay::new(read(file)).stepping(SECOND);
    let shown: Vec<_> = (0..6).map(|_| replay.play(None)).collect();
    assert_eq!(shown[0].length, 5 * SECOND);
    let since = |at: std::time::SystemTime| {
        at.duration_since(std::time::SystemTime::UNIX_EPOCH + EPOCH).unwrap().as_secs()
    };
    let times: Vec<_> = shown.iter().map(|playing| since(playing.at)).collect();
    assert_eq!(times[..], [1, 2, 3, 3601, 3602, 3603]);
}

#[test]
fn what_was_done_shows_when_it_was_done() {
    let mut server = Simulated::new(1);
    let mut file = frame::header().to_vec();
    let mut encoder = Encoder::default();
    encoder.start(&mut file, server.identity());
    for number in 0..6 {
        let sample = second(&mut server);
        encoder.sample(&mut file, at(&sample), &sample, Some(&server.routes().unwrap()));
        if number == 3 {
            server.apply(Change::Remove("/app.js".parse().unwrap())).unwrap();
            let action = Action {
                at: at(&sample),
                done: true,
                text: "removed /app.js".into(),
                before: None,
                command: None,
                user: None,
            };
            encoder.action(&mut file, &action);
        }
    }
    let mut replay = Replay::new(read(file)).stepping(SECOND);
    replay.play(None);
    let mut seen = Vec::new();
    for _ in 0..5 {
        let playing = replay.play(None);
        let served = replay.routes().unwrap().len();
        seen.push((playing.actions.len(), served));
    }
    let all = seen[0].1;
    assert_eq!(seen, [(0, all), (0, all), (0, all), (1, all - 1), (1, all - 1)]);
}

#[test]
fn a_console_that_slept_does_not_find_the_recording_over() {
    let mut replay = Replay::new(read(recorded(&mut Simulated::new(1), 90)));
    replay.play(None);
    assert!(replay.play(None).position <= SECOND);
}
