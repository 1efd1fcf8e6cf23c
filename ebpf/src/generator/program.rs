//! The XDP program: orders and segments in, segments out.

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX},
    helpers::generated::bpf_ktime_get_ns,
    macros::xdp,
    programs::XdpContext,
};
use zeroserve_ebpf::{
    bounds::opaque,
    load::{
        self, Arrival, Departure, Place, Step,
        frame::{Kind, RECEIVED_AT, Received},
    },
};
use zeroserve_shared::load::{
    BUCKETS, CHOICES_COUNT, Connection, Fault, Settings, TUPLE_BITS, Tally, Target, bucket, choice,
    habit, order, state,
};

use crate::{
    check,
    maps::{CHOICES, CONNECTIONS, LATENCY, SCRATCH, SETTINGS, TALLY, TARGETS},
    packet::Packet,
    send,
};

/// What every step works with.
struct Client<'a> {
    packet: Packet,
    settings: &'a Settings,
    tally: &'a mut Tally,
    received: Received,
    /// The time, once it has been asked for: reading the clock costs as much as all else here.
    now_ns: u64,
}

/// Entered for every packet that the client's end receives.
#[xdp]
pub(crate) fn zeroserve_load(context: XdpContext) -> u32 {
    let packet = Packet::new(context.ctx);
    let Some(words) = packet.header_words(RECEIVED_AT) else {
        return XDP_PASS;
    };
    let (Some(settings), Some(tally)) = (SETTINGS.get(0), TALLY.get_ptr_mut(0)) else {
        return XDP_ABORTED;
    };
    // SAFETY: the element is this CPU's own, and nothing else refers to it during this call.
    let tally = unsafe { &mut *tally };
    let mut client = Client { packet, settings, tally, received: Received(words), now_ns: 0 };
    let (slot, ordered) = match client.received.kind(settings) {
        Kind::Order(what, slot) => (slot, Some(what)),
        Kind::Segment(tuple) => (tuple, None),
        Kind::Other => return XDP_PASS,
    };
    let Some(connection) = CONNECTIONS.get_ptr_mut(slot & settings.slot_mask) else {
        return XDP_DROP;
    };
    // SAFETY: the interface has one queue, so programs run one after the other, and each looks up
    // one connection.
    let connection = unsafe { &mut *connection };
    let step = match ordered {
        Some(what) => client.obey(connection, what, slot),
        None => client.receive(connection, slot),
    };
    client.take(connection, step)
}

impl Client<'_> {
    #[inline(always)]
    fn now_ns(&mut self) -> u64 {
        if self.now_ns == 0 {
            // SAFETY: the helper takes no arguments and always succeeds.
            self.now_ns = unsafe { bpf_ktime_get_ns() };
        }
        self.now_ns
    }

    #[inline(always)]
    fn obey(&mut self, connection: &mut Connection, what: u32, slot: u32) -> Step {
        match (what, connection.state) {
            (order::OPEN_STEADY | order::OPEN_ORDERED | order::OPEN_FLOOD, state::CLOSED) => {
                connection.habit = match what {
                    order::OPEN_STEADY => habit::STEADY,
                    order::OPEN_ORDERED => habit::ORDERED,
                    _ => habit::FLOOD,
                };
                if connection.tuple == 0 {
                    connection.tuple = self.settings.first_tuple | slot;
                }
                Step::Open
            }
            (order::ASK, state::IDLE) => Step::Ask,
            (order::ASK, _) => {
                self.tally.misses += 1;
                Step::Nothing
            }
            (order::REST, _) => {
                connection.habit = habit::ORDERED;
                Step::Nothing
            }
            (order::REPEAT, _) => Step::Repeat,
            (order::RESET, _) if connection.tuple != 0 => Step::GiveUp,
            _ => Step::Nothing,
        }
    }

    #[inline(always)]
    fn receive(&mut self, connection: &mut Connection, tuple: u32) -> Step {
        self.tally.segments_in += 1;
        if connection.tuple != tuple || connection.state == state::CLOSED {
            self.tally.strays += 1;
            return Step::Nothing;
        }
        let arrival = self.received.arrival();
        let was_opening = connection.state == state::OPENING;
        let step = match load::receive(connection, &arrival) {
            Place::Judged(step) => step,
            Place::Duplicate => {
                self.tally.duplicates += 1;
                Step::Acknowledge
            }
            Place::Gap => {
                self.tally.gaps += 1;
                Step::Acknowledge
            }
            Place::Next(known) => {
                let offset = 34 + self.received.tcp_header_bytes() + known;
                self.read(connection, &arrival, offset, arrival.payload_bytes - known)
            }
        };
        if was_opening {
            self.tally.connections += u64::from(matches!(step, Step::Ask));
            self.tally.floods += u64::from(matches!(step, Step::Open));
        }
        step
    }

    /// Takes the next bytes of the response, which lie at `offset` in the frame.
    #[inline(always)]
    fn read(
        &mut self,
        connection: &mut Connection,
        arrival: &Arrival,
        offset: u32,
        bytes: u32,
    ) -> Step {
        let Some(target) = TARGETS.get(connection.target) else {
            return Step::Nothing;
        };
        let mut skipped = 0;
        if connection.response_bytes == 0 {
            if let Err(fault) = check::head(self.packet, connection, target, offset, bytes) {
                return Step::Fail(fault);
            }
            skipped = connection.head_bytes;
        }
        if connection.samples != 0 && bytes > skipped {
            let context = self.packet.context();
            check::zeroserve_load_hash(context, connection, offset + skipped, bytes - skipped);
        }
        match load::deliver(connection, arrival) {
            Ok(()) => self.finish(connection, arrival, target),
            Err(step) => step,
        }
    }

    /// Counts a response that is complete.
    #[inline(always)]
    fn finish(&mut self, connection: &mut Connection, arrival: &Arrival, target: &Target) -> Step {
        if connection.samples != 0 {
            if connection.hash != target.body_hash {
                return Step::Fail(Fault::Body);
            }
            self.tally.samples += 1;
        }
        self.tally.responses += 1;
        self.tally.response_bytes += u64::from(connection.response_bytes);
        if connection.began_ns != 0 {
            note_latency(self.now_ns().wrapping_sub(connection.began_ns));
        }
        load::complete(connection, arrival, self.settings.closes != 0)
    }

    /// Does what a segment or an order leads to.
    #[inline(always)]
    fn take(&mut self, connection: &mut Connection, step: Step) -> u32 {
        let mut begins_ns = 0;
        let departure = match step {
            Step::Nothing => return XDP_DROP,
            Step::Fail(fault) => return self.fail(connection, fault),
            Step::Acknowledge => load::acknowledge(connection),
            Step::Refuse => load::refuse(&self.received.arrival()),
            Step::Finish => load::close(connection),
            Step::GiveUp => load::give_up(connection),
            Step::Open => {
                let next = connection.tuple.wrapping_add(self.settings.slot_mask).wrapping_add(1);
                load::open(connection, next & ((1 << TUPLE_BITS) - 1), self.now_ns())
            }
            Step::Ask => {
                let number = self.tally.requests;
                self.tally.requests += 1;
                let Some(chosen) = CHOICES.get(number as u32 & (CHOICES_COUNT - 1)) else {
                    return XDP_DROP;
                };
                connection.target = *chosen & choice::TARGET;
                connection.samples = u8::from(*chosen & choice::IS_CHECKED != 0);
                if *chosen & choice::IS_TIMED != 0 {
                    begins_ns = self.now_ns();
                }
                // The rest needs the target.
                Departure::NONE
            }
            Step::Repeat => Departure::NONE,
        };
        let Some(target) = TARGETS.get(connection.target) else {
            return XDP_DROP;
        };
        let departure = match step {
            Step::Ask => {
                let closes = self.settings.closes != 0;
                load::ask(connection, target.request_bytes, closes, begins_ns)
            }
            Step::Repeat => match load::repeat(connection, target.request_bytes) {
                Some(departure) => {
                    self.tally.repeats += 1;
                    departure
                }
                None => return XDP_DROP,
            },
            _ => departure,
        };
        self.send(connection, &departure, target)
    }

    #[inline(always)]
    fn send(&mut self, connection: &mut Connection, departure: &Departure, target: &Target) -> u32 {
        let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
            return XDP_ABORTED;
        };
        // SAFETY: the element is this CPU's own, and nothing else refers to its options.
        let options = unsafe { &mut (*scratch).options };
        match send::write(self.packet, self.settings, connection, departure, target, options) {
            Ok(()) => {
                self.tally.segments_out += 1;
                XDP_TX
            }
            Err(fault) => self.fail(connection, fault),
        }
    }

    /// Gives up a connection. User space opens it again.
    #[inline(always)]
    fn fail(&mut self, connection: &mut Connection, fault: Fault) -> u32 {
        let index = opaque(fault as u64);
        if index < Fault::COUNT as u64 {
            self.tally.faults[index as usize] += 1;
        }
        connection.state = state::CLOSED;
        XDP_DROP
    }
}

#[inline(always)]
fn note_latency(latency_ns: u64) {
    let index = opaque(u64::from(bucket(latency_ns)));
    let Some(histogram) = LATENCY.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: the element is this CPU's own, and nothing else refers to it during this call.
    let histogram = unsafe { &mut *histogram };
    if index < BUCKETS as u64 {
        histogram[index as usize] += 1;
    }
}
