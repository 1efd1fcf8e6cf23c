//! Any sequence of samples, written and read; any file, cut off anywhere.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use zerocopy::FromBytes as _;
use zeroserve_shared::counters::{Counters, RouteHits};

use super::{at, read, recorded};
use crate::{
    record::{
        ReadError, Recording,
        document::{Action, Start},
        encoder::Encoder,
        frame::{self, Frame, HEADER_BYTES, Kind},
        sample::columns,
    },
    server::{Identity, Sample, Server as _},
    simulated::Simulated,
};

/// Counters that are small, large or anything between, as their differences are then, too.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..1000u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn counters() -> impl Strategy<Value = Counters> {
    let words = size_of::<Counters>() / 8;
    prop::collection::vec(number(), words).prop_map(|words| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Counters::read_from_bytes(&bytes).unwrap()
    })
}

fn sample() -> impl Strategy<Value = Sample> {
    let hits = (number(), number())
        .prop_map(|(requests, delivered_bytes)| RouteHits { requests, delivered_bytes });
    let index = prop_oneof![0..40u32, any::<u32>(), Just(u32::MAX)];
    let hits = prop::collection::btree_map(index, hits, 0..12);
    let cpus = prop::collection::vec(counters(), 0..4);
    (0..u64::MAX / 2, cpus, hits, number()).prop_map(|(taken_ns, cpus, hits, routes_revision)| {
        let taken = Duration::from_nanos(taken_ns);
        Sample { taken, cpus, hits: hits.into_iter().collect(), routes_revision }
    })
}

fn identity() -> Identity {
    Simulated::new(1).identity().clone()
}

/// All that a sample says.
fn said(sample: &Sample) -> (Duration, &[Counters], &[(u32, RouteHits)], u64) {
    (sample.taken, &sample.cpus, &sample.hits, sample.routes_revision)
}

/// What is in a recording, if anything is.
fn content(file: &[u8]) -> Vec<Sample> {
    match Recording::read(Path::new("a.zsr"), file.to_vec()) {
        Ok(recording) => recording.events().map(|event| event.outcome.unwrap()).collect(),
        Err(ReadError::Empty(_)) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #[test]
    fn any_sequence_of_samples_is_read_as_it_was_written(
        samples in prop::collection::vec((sample(), number(), prop::bool::weighted(0.2)), 1..12),
    ) {
        let mut file = frame::header().to_vec();
        let mut encoder = Encoder::default();
        encoder.start(&mut file, &identity());
        for (sample, unix_ns, anew) in &samples {
            if *anew {
                encoder.start(&mut file, &identity());
            }
            let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(*unix_ns);
            encoder.sample(&mut file, at, sample, None);
        }
        let recording = read(file);
        let events: Vec<_> = recording.events().collect();
        prop_assert_eq!(events.len(), samples.len());
        for (event, (sample, unix_ns, _)) in events.iter().zip(&samples) {
            prop_assert_eq!(said(event.outcome.as_ref().unwrap()), said(sample));
            let since = event.at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            prop_assert_eq!(since, Duration::from_nanos(*unix_ns));
        }
        prop_assert_eq!(recording.damage, None);
    }

    #[test]
    fn noise_behind_a_recording_is_left_out_and_said(noise in prop::collection::vec(any::<u8>(), 1..200)) {
        let file = recorded(&mut Simulated::new(1), 3);
        let whole = file.len();
        let recording = read([file, noise.clone()].concat());
        prop_assert_eq!(recording.entries.len(), 3);
        let damage = recording.damage.unwrap();
        prop_assert_eq!((damage.at_byte, damage.bytes), (whole, noise.len()));
    }

    #[test]
    fn one_flipped_bit_costs_what_comes_after_it_and_nothing_before(place in any::<prop::sample::Index>(), bit in 0..8u32) {
        let file = recorded(&mut Simulated::new(1), 6);
        let samples = content(&file);
        let at_byte = HEADER_BYTES + place.index(file.len() - HEADER_BYTES);
        let mut damaged = file;
        damaged[at_byte] ^= 1 << bit;
        let whole = frame::whole_bytes(&damaged);
        prop_assert!(whole <= at_byte);
        let kept = content(&damaged);
        prop_assert!(kept.len() < samples.len());
        for (kept, sample) in kept.iter().zip(&samples) {
            prop_assert_eq!(said(kept), said(sample));
        }
    }
}

#[test]
fn cut_off_at_any_byte_a_recording_opens_up_to_its_last_whole_record() {
    let file = recorded(&mut Simulated::new(1), 6);
    let samples = content(&file);
    assert_eq!(samples.len(), 6);
    // Where each sample is whole.
    let mut ends = Vec::new();
    let mut end = HEADER_BYTES;
    while let Some(frame) = Frame::at(&file, end) {
        end = frame.end;
        if frame.kind() == Some(Kind::Sample) {
            ends.push(end);
        }
    }
    for length in HEADER_BYTES..=file.len() {
        let whole = ends.iter().filter(|end| **end <= length).count();
        let kept = content(&file[..length]);
        assert_eq!(kept.len(), whole, "{length} bytes");
        for (kept, sample) in kept.iter().zip(&samples) {
            assert_eq!(said(kept), said(sample));
        }
    }
    for length in 0..HEADER_BYTES {
        let refused = Recording::read(Path::new("a.zsr"), file[..length].to_vec());
        assert!(matches!(refused, Err(ReadError::NoRecording(_))));
    }
}

#[test]
fn a_newer_format_and_another_file_are_refused_in_words() {
    let mut file = recorded(&mut Simulated::new(1), 1);
    file[8] = 2;
    let error = Recording::read(Path::new("new.zsr"), file).unwrap_err().to_string();
    assert!(error.contains("new.zsr has format 2") && error.contains("newer version"), "{error}");
    let error = Recording::read(Path::new("a.txt"), b"hello, world".to_vec()).unwrap_err();
    assert!(error.to_string().contains("a.txt is no recording"), "{error}");
}

#[test]
fn counters_are_found_by_name_where_another_version_has_others() {
    let counters = Counters { requests: 7, bytes_out: 9, ..Counters::ZERO };
    let sample = Sample {
        taken: Duration::from_secs(1),
        cpus: vec![counters],
        hits: vec![],
        routes_revision: 1,
    };
    let mut file = frame::header().to_vec();
    let mut start = Vec::new();
    let mut encoder = Encoder::default();
    encoder.start(&mut start, &identity());
    // As a version would have written it that calls one counter otherwise.
    let mut document = Start::new(&identity());
    let renamed = columns().iter().position(|name| name == "bytes_out").unwrap();
    document.columns[renamed] = "bytes_thrown".into();
    frame::append(&mut file, Kind::Start, &serde_json::to_vec(&document).unwrap());
    encoder.sample(&mut file, at(&sample), &sample, None);

    let recording = read(file);
    let seen = recording.events().next().unwrap().outcome.unwrap();
    assert_eq!(seen.cpus, [Counters { bytes_out: 0, ..counters }]);
    assert_eq!(recording.unknown_counters, ["bytes_thrown"]);
}

#[test]
fn records_of_a_kind_that_is_not_known_are_passed_over() {
    let mut server = Simulated::new(1);
    let mut file = recorded(&mut server, 2);
    let mut foreign = Vec::new();
    frame::append(&mut foreign, Kind::Action, b"something new");
    // Another kind, with its own checksum.
    foreign[8] = 99;
    let mut sum = crc32fast::Hasher::new();
    sum.update(&foreign[..4]);
    sum.update(&foreign[8..]);
    foreign[4..8].copy_from_slice(&sum.finalize().to_le_bytes());
    file.extend_from_slice(&foreign);
    let action = Action {
        at: SystemTime::UNIX_EPOCH + super::EPOCH,
        done: true,
        text: "removed /a".into(),
        before: None,
        command: None,
        user: Some("ada".into()),
    };
    Encoder::default().action(&mut file, &action);
    let recording = read(file);
    assert_eq!(recording.unknown_records, 1);
    assert_eq!(recording.actions[..], [action]);
    assert_eq!(recording.damage, None);
}

#[test]
fn a_busy_second_of_ten_thousand_routes_is_small_and_a_quiet_one_smaller() {
    let mut server = Simulated::new(1).with_more_routes(10_000);
    let begun = recorded(&mut server, 1).len();
    let busy = recorded(&mut server, 11).len() - begun;
    assert!(busy / 10 < 64 << 10, "{} bytes a second", busy / 10);
    assert!(begun < 2 << 20, "{begun} bytes for all routes");
    let mut quiet =
        Simulated::new(1).with_more_routes(10_000).with(5, crate::simulated::Event::Silence);
    let begun = recorded(&mut quiet, 2).len();
    let mut again =
        Simulated::new(1).with_more_routes(10_000).with(5, crate::simulated::Event::Silence);
    let longer = recorded(&mut again, 12).len();
    assert!((longer - begun) / 10 < 64, "{} bytes a second", (longer - begun) / 10);
}
