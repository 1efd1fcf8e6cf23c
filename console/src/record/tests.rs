//! What is written is read again, however it ends, and a recording plays like a server.

mod files;
mod playing;
mod sequences;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use super::{Recording, encoder::Encoder, frame};
use crate::{
    server::{Sample, Server as _},
    simulated::Simulated,
};

/// The calendar when the simulated clocks began.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);

/// When a sample was taken, if the calendar goes with its clock.
fn at(sample: &Sample) -> SystemTime {
    SystemTime::UNIX_EPOCH + EPOCH + sample.taken
}

/// What `seconds` of a simulated server look like in a file, a sample each second.
fn recorded(server: &mut Simulated, seconds: u32) -> Vec<u8> {
    let mut file = frame::header().to_vec();
    let mut encoder = Encoder::default();
    encoder.start(&mut file, server.identity());
    for _ in 0..seconds {
        let sample = second(server);
        let routes = server.routes().unwrap();
        encoder.sample(&mut file, at(&sample), &sample, Some(&routes));
    }
    file
}

/// The sample a second later.
fn second(server: &mut Simulated) -> Sample {
    for _ in 0..3 {
        server.sample().unwrap();
    }
    server.sample().unwrap()
}

fn read(file: Vec<u8>) -> Recording {
    Recording::read(Path::new("a.zsr"), file).unwrap()
}
