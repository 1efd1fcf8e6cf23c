//! A flow under acknowledgments of any kind, over a path that loses anything.
//!
//! The input is a sequence of events: what arrives from the client, and which segments of the burst
//! that leaves in answer get through. Rules hold for every burst, whatever the client says. And a
//! client that has only been honest about what it acknowledges gets everything in the end, once the
//! path is clean: no sequence of losses, windows and selective acknowledgments, true or not, stops
//! a flow for good.
#![no_main]

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use zeroserve_ebpf::{
    cookie::MSS,
    descriptor::{MAX_RANGES, Range, segment},
    transport::{
        Arrival, CLOSE, Plan, Work, acknowledge, acknowledgment_alone,
        admit::{Admission, Place, admit},
        begin, is_delivered, plan, response_end,
    },
    wire::{
        options::{MAX_BLOCKS, SackBlock},
        sequence::{after, distance},
    },
};
use zeroserve_shared::{flow::Flow, map::MAX_BURST_SEGMENTS, route::VersionId};

/// Most segments of a response.
const MOST_SEGMENTS: u32 = 100;
/// The smallest MSS that a flow can have.
const LEAST_MSS: u16 = MSS[0];
/// Most events of an input.
const MOST_EVENTS: u32 = 200;
/// A client's window that holds everything.
const WIDE: u32 = 1 << 20;

/// By what windows are scaled, so that a wide one has a number.
const WIDE_SHIFT: u8 = 5;

/// Both ends of a connection.
struct World {
    flow: Flow,
    work: Work,
    /// Which bytes of the response the client has.
    have: Vec<bool>,
    /// How many of them come before the first that it has not.
    received: u32,
    /// The farthest end of a window that the client has offered.
    edge: u32,
    now_ms: u32,
    /// Whether the client has acknowledged only what it has.
    honest: bool,
}

fuzz_target!(|input: &[u8]| {
    // An input that ends in the middle of an event ends before it.
    let _ = play(&mut Unstructured::new(input));
});

fn play(input: &mut Unstructured<'_>) -> Result<()> {
    let mut world = World::new(input)?;
    world.send(u32::MAX);
    for _ in 0..MOST_EVENTS {
        if input.is_empty() || is_delivered(&world.flow) {
            break;
        }
        world.event(input)?;
    }
    if world.honest {
        world.finish();
    }
    Ok(())
}

impl World {
    fn new(input: &mut Unstructured<'_>) -> Result<Self> {
        let first: u32 = input.arbitrary()?;
        // What cookies can carry, and what routers ask for lies between these.
        let mss = input.int_in_range(LEAST_MSS..=1460)?;
        let response_bytes = input.int_in_range(1..=MOST_SEGMENTS * u32::from(mss))?;
        let window = if input.arbitrary()? { WIDE } else { input.int_in_range(0..=5000)? };
        let mut flow = Flow {
            version: VersionId::new(1, 1),
            send_next: first,
            send_unacknowledged: first,
            acknowledged: first,
            receive_next: first.wrapping_add(input.int_in_range(1..=2000)?),
            unscaled_window: (window >> WIDE_SHIFT) as u16,
            window_shift: WIDE_SHIFT,
            slow_start_threshold: 64 * u32::from(mss),
            mss,
            flags: if input.arbitrary()? { CLOSE } else { 0 },
            ..Flow::default()
        };
        let now_ms = input.arbitrary()?;
        begin(&mut flow, response_bytes, now_ms);
        Ok(Self {
            flow,
            work: Work::default(),
            have: vec![false; response_bytes as usize],
            received: 0,
            edge: first.wrapping_add(window),
            now_ms,
            honest: true,
        })
    }

    /// Something arrives, and the burst in answer gets through in part.
    fn event(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let says = input.int_in_range(0..=9_u8)?;
        let honest = self.flow.response_start.wrapping_add(self.received);
        let acknowledgment = match says {
            0..=7 => honest,
            8 => honest.wrapping_sub(input.int_in_range(0..=100_000)?),
            _ => self.flow.send_unacknowledged.wrapping_add_signed(input.arbitrary()?),
        };
        let place = Place { sequence: self.flow.receive_next, acknowledgment, ..Place::default() };
        if admit(&self.flow, &place, self.now_ms) != Admission::Belongs {
            return Ok(());
        }
        self.honest &= !after(acknowledgment, honest);
        let window = match input.int_in_range(0..=3_u8)? {
            0 => WIDE,
            1 => input.int_in_range(0..=3000)?,
            2 => 0,
            _ => input.arbitrary::<u32>()? >> 2,
        };
        let blocks = match says % 3 {
            0 => self.blocks(),
            1 => [SackBlock::default(); MAX_BLOCKS],
            _ => self.lies(input)?,
        };
        self.now_ms = self.now_ms.wrapping_add(u32::from(input.arbitrary::<u8>()?) * 4);
        let repeats = input.arbitrary()?;
        let arrives = input.arbitrary()?;
        self.arrive(acknowledgment, window, blocks, repeats, arrives);
        Ok(())
    }

    /// What the client holds beyond the first gap, the nearest first.
    fn blocks(&self) -> [SackBlock; MAX_BLOCKS] {
        let mut blocks = [SackBlock::default(); MAX_BLOCKS];
        let number = |offset: usize| self.flow.response_start.wrapping_add(offset as u32);
        let mut at = self.received as usize;
        for block in &mut blocks {
            let Some(gap) = self.have[at..].iter().position(|have| *have) else { break };
            let left = at + gap;
            let held = self.have[left..].iter().position(|have| !have);
            at = held.map_or(self.have.len(), |held| left + held);
            *block = SackBlock { left: number(left), right: number(at) };
        }
        blocks
    }

    fn lies(&self, input: &mut Unstructured<'_>) -> Result<[SackBlock; MAX_BLOCKS]> {
        let mut blocks = [SackBlock::default(); MAX_BLOCKS];
        for block in &mut blocks {
            let near = |input: &mut Unstructured<'_>| {
                let ahead = input.int_in_range(-5000..=200_000_i32)?;
                Ok(self.flow.send_unacknowledged.wrapping_add_signed(ahead))
            };
            *block = SackBlock { left: near(input)?, right: near(input)? };
        }
        Ok(blocks)
    }

    fn arrive(
        &mut self,
        acknowledgment: u32,
        window: u32,
        blocks: [SackBlock; MAX_BLOCKS],
        repeats: bool,
        arrives: u32,
    ) -> u32 {
        self.work.arrival = Arrival {
            acknowledgment,
            window,
            blocks,
            block_count: MAX_BLOCKS as u32,
            now_ms: self.now_ms,
            now_us: self.now_ms.wrapping_mul(1000),
            repeats,
            // Any number of flows. No input is taken for it, so inputs mean what they did before.
            crowd: self.now_ms % 100,
        };
        // An old segment's window means nothing any more (RFC 9293 section 3.10.7.4).
        let edge = acknowledgment.wrapping_add(window);
        let is_old = after(self.flow.send_unacknowledged, acknowledgment);
        if !is_old && after(edge, self.edge) {
            self.edge = edge;
        }
        let before = self.flow;
        let newly = acknowledge(&mut self.flow, &self.work.arrival);
        assert!(newly <= self.flow.response_bytes, "{newly} bytes delivered");
        assert!(distance(self.flow.send_unacknowledged, before.send_unacknowledged) >= 0);
        if is_delivered(&self.flow) { 0 } else { self.send(arrives) }
    }

    /// Sends a burst, of which those segments get through whose bits are set. Says how many leave.
    fn send(&mut self, arrives: u32) -> u32 {
        let before = self.flow;
        plan(&mut self.flow, &mut self.work);
        self.judge(&before);
        let mss = u32::from(self.flow.mss);
        for index in 0..self.work.plan.segments {
            let Plan { ranges, repeats, .. } = &self.work.plan;
            let range = segment(ranges, mss, *repeats as u16, index);
            assert!(!range.is_empty() && range.end - range.start <= mss, "{range:?}");
            if arrives >> (index % 32) & 1 != 0 {
                self.have[range.start as usize..range.end as usize].fill(true);
            }
        }
        let rest = &self.have[self.received as usize..];
        self.received += rest.iter().take_while(|have| **have).count() as u32;
        self.work.plan.segments
    }

    /// Rules for every burst.
    fn judge(&self, before: &Flow) {
        let (flow, plan) = (&self.flow, &self.work.plan);
        let mss = u32::from(flow.mss);
        let used = plan.ranges.iter().take_while(|range| !range.is_empty()).count();
        assert!(used <= MAX_RANGES && plan.ranges[used..].iter().all(Range::is_empty), "{plan:?}");
        let ranges = &plan.ranges[..used];
        let segments: u32 = ranges.iter().map(|range| range.segments(mss)).sum();
        assert_eq!(segments + plan.repeats, plan.segments, "{plan:?}");
        assert!(plan.segments <= MAX_BURST_SEGMENTS, "{plan:?}");
        assert!(plan.repairs + plan.spares <= plan.segments, "{plan:?}");
        // Nothing outside of the response, nothing new out of order.
        assert!(ranges.iter().all(|range| range.end <= flow.response_bytes), "{plan:?}");
        let old_next = before.send_next.wrapping_sub(flow.response_start);
        let sent_to = ranges.iter().map(|range| range.end).max().unwrap_or(0).max(old_next);
        assert!(!after(flow.send_unacknowledged, flow.send_next));
        assert!(distance(flow.send_next, response_end(flow)) <= 1, "our FIN is the last");
        assert!(distance(flow.send_next, before.send_next) >= 0, "something sent is forgotten");
        // Never beyond the client's window.
        if sent_to > old_next {
            let end = flow.response_start.wrapping_add(sent_to);
            assert!(!after(end, self.edge), "{} beyond the window", distance(end, self.edge));
        }
        // Acknowledgments only rise, and never beyond the request.
        assert!(!after(flow.acknowledged, flow.receive_next));
        assert!(distance(flow.acknowledged, before.acknowledged) >= 0);
        assert!(after(flow.receive_next, acknowledgment_alone(flow)), "the client's timer stops");
        assert!(flow.window > 0, "nothing could ever be sent");
    }

    /// The path is clean from now on, the client's timer runs: everything must arrive.
    fn finish(&mut self) {
        let rounds = 4 * MOST_SEGMENTS + 100;
        let mut quiet = false;
        for _ in 0..rounds {
            if is_delivered(&self.flow) {
                return;
            }
            if quiet {
                self.now_ms = self.now_ms.wrapping_add(300);
            }
            let acknowledgment = self.flow.response_start.wrapping_add(self.received);
            let sent = self.arrive(acknowledgment, WIDE, self.blocks(), quiet, u32::MAX);
            quiet = sent == 0;
        }
        panic!("stuck at {} of {} bytes: {:?}", self.received, self.have.len(), self.flow);
    }
}
