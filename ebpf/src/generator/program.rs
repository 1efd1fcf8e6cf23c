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
        frame::{FRONT_BYTES, Frame, HEADER_BYTES, Kind},
    },
};
use zeroserve_shared::load::{
    BUCKETS, CHOICES_COUNT, Connection, Fault, Settings, TUPLE_BITS, Tally, Target, bucket, habit,
    order, state,
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
    frame: &'a mut Frame,
    /// The time, once it has been asked for: reading the clock costs as much as all else here.
    now_ns: u64,
}

/// Entered for every packet that the client's end receives.
#[xdp]
pub(crate) fn zeroserve_load(context: XdpContext) -> u32 {
    let (Some(settings), Some(tally), Some(scratch)) =
        (SETTINGS.get(0), TALLY.get_ptr_mut(0), SCRATCH.get_ptr_mut(0))
    else {
        return XDP_ABORTED;
    };
    // SAFETY: both elements are this CPU's own, and no two of these references overlap.
    let (tally, frame) = unsafe { (&mut *tally, &mut (*scratch).frame) };
    let packet = Packet::new(context.ctx);
    // SAFETY: the frame has room for that many bytes behind its front.
    let read = unsafe { packet.read_to(0, frame.bytes(), u64::from(HEADER_BYTES)) };
    const { assert!(FRONT_BYTES + HEADER_BYTES as usize <= size_of::<Frame>()) };
    if !read {
        return XDP_PASS;
    }
    let mut client = Client { packet, settings, tally, frame, now_ns: 0 };
    match client.frame.kind(client.settings) {
        Kind::Order(what, slot) => client.obey(what, slot),
        Kind::Segment(tuple) => client.receive(tuple),
        Kind::Other => XDP_PASS,
    }
}

#[inline(always)]
fn connection_at(slot: u32) -> Option<&'static mut Connection> {
    let connection = CONNECTIONS.get_ptr_mut(slot)?;
    // SAFETY: the interface has one queue, so programs run one after the other, and each looks up
    // one connection.
    Some(unsafe { &mut *connection })
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
    fn obey(&mut self, what: u32, slot: u32) -> u32 {
        let Some(connection) = connection_at(slot) else {
            return XDP_DROP;
        };
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
                self.take(connection, Step::Open)
            }
            (order::ASK, state::IDLE) => self.take(connection, Step::Ask),
            (order::ASK, _) => {
                self.tally.misses += 1;
                XDP_DROP
            }
            (order::REST, _) => {
                connection.habit = habit::ORDERED;
                XDP_DROP
            }
            (order::REPEAT, _) => self.repeat(connection),
            (order::RESET, _) if connection.tuple != 0 => self.give_up(connection),
            _ => XDP_DROP,
        }
    }

    #[inline(always)]
    fn repeat(&mut self, connection: &mut Connection) -> u32 {
        let Some(target) = TARGETS.get(connection.target) else {
            return XDP_DROP;
        };
        let Some(departure) = load::repeat(connection, target.request_bytes) else {
            return XDP_DROP;
        };
        self.tally.repeats += 1;
        self.send(connection, &departure, target)
    }

    #[inline(always)]
    fn give_up(&mut self, connection: &mut Connection) -> u32 {
        let Some(target) = TARGETS.get(connection.target) else {
            return XDP_DROP;
        };
        let departure = load::give_up(connection);
        self.send(connection, &departure, target)
    }

    #[inline(always)]
    fn receive(&mut self, tuple: u32) -> u32 {
        self.tally.segments_in += 1;
        let Some(connection) = connection_at(tuple & self.settings.slot_mask) else {
            return XDP_DROP;
        };
        if connection.tuple != tuple || connection.state == state::CLOSED {
            self.tally.strays += 1;
            return XDP_DROP;
        }
        let arrival = self.frame.arrival();
        let payload_offset = 34 + self.frame.tcp_header_bytes();
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
                let (offset, bytes) = (payload_offset + known, arrival.payload_bytes - known);
                self.read(connection, &arrival, offset, bytes)
            }
        };
        if was_opening {
            self.tally.connections += u64::from(matches!(step, Step::Ask));
            self.tally.floods += u64::from(matches!(step, Step::Open));
        }
        self.take(connection, step)
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
        note_latency(self.now_ns().wrapping_sub(connection.began_ns));
        load::complete(connection, arrival, self.settings.closes != 0)
    }

    #[inline(always)]
    fn take(&mut self, connection: &mut Connection, step: Step) -> u32 {
        let departure = match step {
            Step::Nothing => return XDP_DROP,
            Step::Fail(fault) => return self.fail(connection, fault),
            Step::Acknowledge => load::acknowledge(connection),
            Step::Refuse => load::refuse(&self.frame.arrival()),
            Step::Finish => load::close(connection),
            Step::Open => {
                let next = connection.tuple.wrapping_add(self.settings.slot_mask).wrapping_add(1);
                load::open(connection, next & ((1 << TUPLE_BITS) - 1), self.now_ns())
            }
            Step::Ask => return self.ask(connection),
        };
        let Some(target) = TARGETS.get(connection.target) else {
            return XDP_DROP;
        };
        self.send(connection, &departure, target)
    }

    #[inline(always)]
    fn ask(&mut self, connection: &mut Connection) -> u32 {
        let number = self.tally.requests;
        self.tally.requests += 1;
        let Some(choice) = CHOICES.get(number as u32 & (CHOICES_COUNT - 1)) else {
            return XDP_DROP;
        };
        let Some(target) = TARGETS.get(*choice) else {
            return XDP_DROP;
        };
        connection.target = *choice;
        connection.samples = u8::from(number as u32 & self.settings.sample_mask == 0);
        let closes = self.settings.closes != 0;
        let departure = load::ask(connection, target.request_bytes, closes, self.now_ns());
        self.send(connection, &departure, target)
    }

    #[inline(always)]
    fn send(&mut self, connection: &mut Connection, departure: &Departure, target: &Target) -> u32 {
        match send::write(self.packet, self.settings, connection, departure, target, self.frame) {
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
