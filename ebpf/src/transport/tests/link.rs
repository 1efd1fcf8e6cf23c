//! One direction of a path.

/// What happens to frames on their way.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) delay_us: u64,
    /// Probability that a frame is lost.
    pub(super) loss: f64,
    /// Probability that a frame arrives twice.
    pub(super) doubling: f64,
    /// Probability that a frame is held up, so that later ones overtake it.
    pub(super) holdup: f64,
    /// For how long at most.
    pub(super) holdup_us: u64,
    /// How long a frame occupies the slowest part of the way.
    pub(super) frame_us: u64,
    /// Frames that may wait for it.
    pub(super) queue_frames: u64,
    /// Frames that are lost in any case, counted from 0.
    pub(super) doomed: Vec<u64>,
    /// Frames that have been put on the way.
    pub(super) frames: u64,
    /// Frames that did not arrive.
    pub(super) lost: u64,
    busy_until_us: u64,
}

impl Link {
    /// A link like a veth pair: its ring holds 256 frames.
    pub(super) const fn new(delay_us: u64) -> Self {
        Self {
            delay_us,
            loss: 0.0,
            doubling: 0.0,
            holdup: 0.0,
            holdup_us: 0,
            frame_us: 1,
            queue_frames: 256,
            doomed: Vec::new(),
            frames: 0,
            lost: 0,
            busy_until_us: 0,
        }
    }

    /// Puts a frame on its way and says when it arrives: never, once or twice.
    pub(super) fn carry(&mut self, now_us: u64, random: &mut fastrand::Rng) -> Vec<u64> {
        let number = self.frames;
        self.frames += 1;
        let begins_us = self.busy_until_us.max(now_us);
        let overflows = begins_us - now_us >= self.queue_frames * self.frame_us;
        if overflows || random.f64() < self.loss || self.doomed.contains(&number) {
            self.lost += 1;
            return Vec::new();
        }
        self.busy_until_us = begins_us + self.frame_us;
        let mut arrives_us = self.busy_until_us + self.delay_us;
        if random.f64() < self.holdup {
            arrives_us += random.u64(1..=self.holdup_us);
        }
        let mut arrivals = vec![arrives_us];
        if random.f64() < self.doubling {
            arrivals.push(arrives_us + random.u64(0..=self.delay_us));
        }
        arrivals
    }
}
