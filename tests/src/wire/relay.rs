//! Carries frames from one end of a wire to the other, as well as the weather permits.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{PipeWriter, pipe},
    os::fd::AsFd,
    panic,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use zeroserve_tui::net::Namespace;

use super::packet_socket::{MAX_FRAME_BYTES, PacketSocket};
use crate::frames::{Tag, tagged, untagged};

/// How many frames of one direction are carried before the other has its turn.
const TURN_FRAMES: usize = 32;

/// What happens to frames in one direction. Shares are between 0 and 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Impairment {
    /// The share of frames that is lost.
    pub lost: f64,
    /// The share of frames that arrives twice.
    pub duplicated: f64,
    /// The share of frames that is overtaken by those behind it.
    pub held_back: f64,
    /// For how long these are held back, at most.
    pub hold: Duration,
    /// How long each frame is on its way.
    pub delay: Duration,
}

/// What happens to a frame.
#[derive(Debug, PartialEq, Eq)]
struct Fate {
    copies: u32,
    held_back: Duration,
}

impl Impairment {
    /// Decides what happens to the next frame. The same number of dice is thrown for each, so that
    /// with other shares most frames fare as they did.
    fn fate(&self, dice: &mut Rng) -> Fate {
        let [lost, duplicated, held_back, hold] = [(); 4].map(|()| dice.f64());
        let copies = match (lost < self.lost, duplicated < self.duplicated) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        let hold =
            if held_back < self.held_back { self.hold.mul_f64(hold) } else { Duration::ZERO };
        Fate { copies, held_back: hold }
    }
}

/// What became of the frames of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Frames that came in.
    pub frames: u64,
    /// Frames that were lost on purpose.
    pub lost: u64,
    /// Frames that were sent twice.
    pub duplicated: u64,
    /// Frames that were held back.
    pub held_back: u64,
    /// Frames that the relay lost because it or an interface was too slow. They make a measurement
    /// worthless.
    pub overruns: u64,
}

/// A thread that carries frames, until it is stopped or dropped.
pub struct Relay {
    /// Closing it ends the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<Result<Result<[Counts; 2]>>>>,
}

impl Relay {
    pub(super) fn start(
        middle: &Namespace,
        interfaces: [&str; 2],
        seed: u64,
        impairments: [Impairment; 2],
        tags: Vec<Tag>,
    ) -> Result<Self> {
        let [to_server, to_client] = interfaces;
        let (server, client) = middle.run(|| -> Result<_> {
            Ok((PacketSocket::open(to_server)?, PacketSocket::open(to_client)?))
        })??;
        let (stopped, stop) = pipe()?;
        let mut seeds = Rng::with_seed(seed);
        let mut ways = impairments.map(|impairment| Way::new(impairment, seeds.u64(..)));
        let thread = middle.spawn("relay", move || {
            let sockets = [server, client];
            carry(&sockets, &mut ways, &tags, &stopped)?;
            let [to_server, to_client] = &mut ways;
            to_server.counts.overruns += sockets[1].overruns()?;
            to_client.counts.overruns += sockets[0].overruns()?;
            Ok([to_server.counts, to_client.counts])
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// Cuts the wire. Returns what became of the frames to the server and to the client.
    ///
    /// # Errors
    ///
    /// Where the relay had failed.
    pub fn stop(mut self) -> Result<[Counts; 2]> {
        drop(self.stop.take());
        let thread = self.thread.take().context("the relay has been stopped already")?;
        thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload))?
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && !matches!(thread.join(), Ok(Ok(Ok(_))))
        {
            eprintln!("the relay on a wire failed");
        }
    }
}

/// A frame that is still on its way: when it is due, its number, its bytes.
type Late = Reverse<(Instant, u64, Vec<u8>)>;

/// One direction.
struct Way {
    impairment: Impairment,
    dice: Rng,
    counts: Counts,
    late: BinaryHeap<Late>,
    sent: u64,
}

/// Carries frames until the other end of `stopped` is closed. `ways[i]` leads out of `sockets[i]`.
/// Towards the server, the first, frames get the tags; from there they must have them, and lose
/// them.
fn carry(
    sockets: &[PacketSocket; 2],
    ways: &mut [Way; 2],
    tags: &[Tag],
    stopped: &impl AsFd,
) -> Result<()> {
    let mut frame = vec![0; MAX_FRAME_BYTES + 1];
    loop {
        let due = ways.iter().filter_map(Way::due).min();
        let left = due.map(|due| TimeSpec::from(due.saturating_duration_since(Instant::now())));
        let mut polled = [
            PollFd::new(sockets[0].as_fd(), PollFlags::POLLIN),
            PollFd::new(sockets[1].as_fd(), PollFlags::POLLIN),
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
        ];
        ppoll(&mut polled, left, None)?;
        if polled[2].any().unwrap_or(true) {
            return Ok(());
        }
        for (index, way) in ways.iter_mut().enumerate() {
            let (from, to) = (&sockets[1 - index], &sockets[index]);
            for _ in 0..TURN_FRAMES {
                let Some(bytes) = from.receive(&mut frame)? else { break };
                ensure!(
                    bytes <= MAX_FRAME_BYTES,
                    "a frame of {bytes} bytes came in: a host has segmentation offload on"
                );
                if tags.is_empty() {
                    way.take(&frame[..bytes], to)?;
                } else if index == 0 {
                    way.take(&tagged(tags, &frame[..bytes]), to)?;
                } else {
                    let (found, frame) = untagged(&frame[..bytes]);
                    ensure!(found == tags, "the server sent a frame with the tags {found:x?}");
                    way.take(&frame, to)?;
                }
            }
            way.deliver_due(to)?;
        }
    }
}

impl Way {
    fn new(impairment: Impairment, seed: u64) -> Self {
        let (dice, late) = (Rng::with_seed(seed), BinaryHeap::new());
        Self { impairment, dice, counts: Counts::default(), late, sent: 0 }
    }

    /// Sends a frame on, now or later, as often as it is to arrive.
    fn take(&mut self, frame: &[u8], to: &PacketSocket) -> Result<()> {
        let Fate { copies, held_back } = self.impairment.fate(&mut self.dice);
        self.counts.frames += 1;
        self.counts.lost += u64::from(copies == 0);
        self.counts.duplicated += u64::from(copies > 1);
        self.counts.held_back += u64::from(copies > 0 && !held_back.is_zero());
        let delay = self.impairment.delay + held_back;
        for _ in 0..copies {
            if delay.is_zero() {
                self.send(frame, to)?;
            } else {
                self.sent += 1;
                self.late.push(Reverse((Instant::now() + delay, self.sent, frame.to_vec())));
            }
        }
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        self.late.peek().map(|Reverse((due, ..))| *due)
    }

    fn deliver_due(&mut self, to: &PacketSocket) -> Result<()> {
        let now = Instant::now();
        while self.due().is_some_and(|due| due <= now) {
            if let Some(Reverse((_, _, frame))) = self.late.pop() {
                self.send(&frame, to)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, frame: &[u8], to: &PacketSocket) -> Result<()> {
        if !to.send(frame)? {
            self.counts.overruns += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Impairment = Impairment {
        lost: 0.1,
        duplicated: 0.2,
        held_back: 0.3,
        hold: Duration::from_millis(5),
        delay: Duration::ZERO,
    };

    fn fates(seed: u64, impairment: Impairment) -> Vec<Fate> {
        let mut dice = Rng::with_seed(seed);
        (0..10_000).map(|_| impairment.fate(&mut dice)).collect()
    }

    #[test]
    fn the_same_seed_brings_the_same_fates() {
        assert_eq!(fates(1, BAD), fates(1, BAD));
        assert_ne!(fates(1, BAD), fates(2, BAD));
    }

    #[test]
    fn about_as_many_frames_suffer_as_was_asked_for() {
        let fates = fates(1, BAD);
        let count = |holds: fn(&Fate) -> bool| fates.iter().filter(|fate| holds(fate)).count();
        assert!((900..1100).contains(&count(|fate| fate.copies == 0)));
        assert!((1600..2000).contains(&count(|fate| fate.copies == 2)));
        assert!((2800..3200).contains(&count(|fate| !fate.held_back.is_zero())));
        assert!(fates.iter().all(|fate| fate.held_back <= BAD.hold));
    }

    #[test]
    fn a_frame_that_is_lost_at_a_low_rate_is_lost_at_a_higher_one_too() {
        let few = fates(1, Impairment { lost: 0.01, ..BAD });
        let many = fates(1, BAD);
        for (few, many) in few.iter().zip(&many) {
            assert!(few.copies > 0 || many.copies == 0);
        }
    }

    #[test]
    fn a_good_wire_does_nothing() {
        let good = fates(1, Impairment::default());
        assert!(good.iter().all(|fate| *fate == Fate { copies: 1, held_back: Duration::ZERO }));
    }
}
