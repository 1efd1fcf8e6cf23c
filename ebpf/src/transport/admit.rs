//! Whether a segment may belong to a flow, what of it counts, and when a stray one is answered
//! (RFC 9293 section 3.10.7.4, RFC 5961).

use zeroserve_shared::flow::Flow;

use crate::{
    transport::{
        CLOSE, FIN_RECEIVED, FIN_SENT, MAX_WINDOW_BYTES, RECEIVE_WINDOW, acknowledgment_alone,
    },
    wire::{
        sequence::{after, distance},
        tcp::{FIN, RST, SYN},
    },
};

/// What the header of a segment says of its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Sequence number of its first byte.
    pub sequence: u32,
    /// Bytes of its payload.
    pub payload_bytes: u32,
    /// Its acknowledgment number.
    pub acknowledgment: u32,
    /// Its flags.
    pub flags: u8,
}

impl Place {
    /// Sequence number after the last payload byte.
    #[inline(always)]
    pub const fn payload_end(&self) -> u32 {
        self.sequence.wrapping_add(self.payload_bytes)
    }

    #[inline(always)]
    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// What is to be done with a segment that has the addresses and ports of a flow.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It belongs to the flow.
    Belongs,
    /// It is a reset with just the number expected: the flow ends.
    Ends,
    /// It is a reset that could only be a guess.
    Ignored,
    /// It begins another connection, and the flow is dead: answer it as if there were none.
    Begins,
    /// A SYN, or a reset in the window: only who has the flow's numbers can confirm it, so it gets
    /// an acknowledgment that says them (RFC 5961 sections 3 and 4).
    Challenged,
    /// It acknowledges what was not sent, or what was delivered long ago (RFC 5961 section 5).
    AckOutOfRange,
    /// It lies outside the window.
    SequenceOutOfWindow,
}

/// A flow that nothing has come of for so long gives way to a SYN.
const DEAD_AFTER_MS: u32 = 60_000;

/// Judges a segment.
#[inline(always)]
pub const fn admit(flow: &Flow, place: &Place, now_ms: u32) -> Admission {
    if place.has(SYN) {
        let is_over = flow.flags & (FIN_SENT | FIN_RECEIVED) == FIN_SENT | FIN_RECEIVED;
        let is_dead = now_ms.wrapping_sub(flow.touched_ms) >= DEAD_AFTER_MS;
        return if is_over || is_dead { Admission::Begins } else { Admission::Challenged };
    }
    let ahead = distance(place.sequence, flow.receive_next);
    let is_near = ahead <= RECEIVE_WINDOW as i32 && ahead >= -(RECEIVE_WINDOW as i32);
    if place.has(RST) {
        // Expected is, as the client sees it, what was last acknowledged to it, which trails what
        // has been read: a client that has forgotten the connection resets it with just that
        // number. Were it challenged, it would send the same reset again, and so on for ever.
        let open = distance(flow.receive_next, acknowledgment_alone(flow));
        return if ahead <= 0 && ahead >= -open {
            Admission::Ends
        } else if is_near {
            Admission::Challenged
        } else {
            Admission::Ignored
        };
    }
    let acknowledges = distance(place.acknowledgment, flow.send_unacknowledged);
    if after(place.acknowledgment, flow.send_next) || acknowledges < -(MAX_WINDOW_BYTES as i32) {
        return Admission::AckOutOfRange;
    }
    if is_near { Admission::Belongs } else { Admission::SequenceOutOfWindow }
}

/// Whether a stray segment is answered now: once in a tick of a quarter of a second. Whoever guesses
/// numbers shall neither make us send much nor learn from how much others make us send, so the limit
/// is each flow's own (RFC 5961 section 7, CVE-2016-5696).
#[inline(always)]
pub const fn may_challenge(flow: &mut Flow, now_ms: u32) -> bool {
    // Never zero, which is what a new flow has.
    let tick = (now_ms >> 8) as u8 | 1;
    let is_new = flow.challenged != tick;
    flow.challenged = tick;
    is_new
}

/// Takes the client's FIN, if it stands where everything before it has come: it has nothing more
/// to ask, but still gets its answer (half-close).
#[inline(always)]
pub const fn take_fin(flow: &mut Flow, place: &Place) {
    let is_next = place.payload_end() == flow.receive_next;
    if place.has(FIN) && is_next && flow.flags & FIN_RECEIVED == 0 {
        flow.receive_next = flow.receive_next.wrapping_add(1);
        flow.flags |= FIN_RECEIVED | CLOSE;
    }
}

/// Takes what nobody will read, once the connection is going to close: the rest of a request's body,
/// for instance. A reset instead would make the client lose the answer that it has not read yet
/// (RFC 9112 section 9.6).
#[inline(always)]
pub const fn discard(flow: &mut Flow, place: &Place) {
    let brings = after(place.payload_end(), flow.receive_next);
    let is_next = !after(place.sequence, flow.receive_next);
    if flow.flags & CLOSE != 0 && flow.flags & FIN_RECEIVED == 0 && brings && is_next {
        flow.receive_next = place.payload_end();
    }
}

/// Whether a segment asks if we are still there: it repeats the number before the next, with nothing
/// or with a byte of garbage (RFC 9293 section 3.8.4).
#[inline(always)]
pub const fn is_probe(flow: &Flow, place: &Place) -> bool {
    distance(flow.receive_next, place.sequence) == 1 && place.payload_bytes <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp::ACK;

    /// An answer of 50,000 bytes on its way; the request's last byte is not acknowledged.
    fn sending() -> Flow {
        Flow {
            receive_next: 100,
            acknowledged: 60,
            send_unacknowledged: 0xffff_f000,
            send_next: 0x1000,
            touched_ms: 1000,
            ..Flow::default()
        }
    }

    fn ack(sequence: u32, acknowledgment: u32) -> Place {
        Place { sequence, acknowledgment, flags: ACK, ..Place::default() }
    }

    fn judge(place: Place) -> Admission {
        admit(&sending(), &place, 2000)
    }

    #[test]
    fn acknowledgments_count_between_one_window_ago_and_what_was_sent() {
        // RFC 5961 section 5.2; the numbers wrap in between.
        for (acknowledgment, expected) in [
            (0x1000, Admission::Belongs),
            (0, Admission::Belongs),
            (0xffff_f000, Admission::Belongs),
            (0xffff_f000 - MAX_WINDOW_BYTES, Admission::Belongs),
            (0xffff_efff - MAX_WINDOW_BYTES, Admission::AckOutOfRange),
            (0x1001, Admission::AckOutOfRange),
            (0x7000_0000, Admission::AckOutOfRange),
        ] {
            assert_eq!(judge(ack(100, acknowledgment)), expected, "{acknowledgment:#x}");
        }
    }

    #[test]
    fn data_counts_within_a_window_of_what_is_expected() {
        for (offset, expected) in [
            (0, Admission::Belongs),
            (65_535, Admission::Belongs),
            (-65_535, Admission::Belongs),
            (65_536, Admission::SequenceOutOfWindow),
            (-65_536, Admission::SequenceOutOfWindow),
            (i32::MIN, Admission::SequenceOutOfWindow),
        ] {
            let sequence = 100_u32.wrapping_add_signed(offset);
            assert_eq!(judge(ack(sequence, 0)), expected, "{offset}");
        }
    }

    #[test]
    fn a_reset_counts_from_what_was_acknowledged_to_what_was_read() {
        // RFC 5961 section 3.2.
        for (sequence, expected) in [
            (100, Admission::Ends),
            (60, Admission::Ends),
            (99, Admission::Ends),
            (59, Admission::Challenged),
            (101, Admission::Challenged),
            (65_635, Admission::Challenged),
            (65_636, Admission::Ignored),
            (0x8000_0000, Admission::Ignored),
        ] {
            let place = Place { sequence, flags: RST, ..Place::default() };
            assert_eq!(judge(place), expected, "{sequence}");
        }
    }

    #[test]
    fn a_syn_is_challenged_unless_the_flow_is_over_or_dead() {
        // RFC 5961 section 4.2.
        let syn = Place { sequence: 77_777_777, flags: SYN, ..Place::default() };
        let mut flow = sending();
        assert_eq!(admit(&flow, &syn, 60_999), Admission::Challenged);
        assert_eq!(admit(&flow, &syn, 61_000), Admission::Begins);
        flow.flags = FIN_SENT;
        assert_eq!(admit(&flow, &syn, 2000), Admission::Challenged);
        flow.flags |= FIN_RECEIVED;
        assert_eq!(admit(&flow, &syn, 2000), Admission::Begins);
    }

    #[test]
    fn a_flood_of_strays_is_answered_four_times_a_second() {
        let mut flow = sending();
        let answered = (0..10_000).filter(|ms| may_challenge(&mut flow, *ms)).count();
        assert!((20..=41).contains(&answered), "{answered}");
    }

    #[test]
    fn a_fin_counts_once_and_only_behind_everything_before_it() {
        let mut flow = sending();
        let fin = |sequence, payload_bytes| Place {
            sequence,
            payload_bytes,
            flags: FIN | ACK,
            ..Place::default()
        };
        for early in [fin(101, 0), fin(90, 5), fin(90, 11)] {
            take_fin(&mut flow, &early);
            assert_eq!((flow.receive_next, flow.flags), (100, 0));
        }
        take_fin(&mut flow, &fin(90, 10));
        assert_eq!((flow.receive_next, flow.flags), (101, FIN_RECEIVED | CLOSE));
        take_fin(&mut flow, &fin(101, 0));
        assert_eq!(flow.receive_next, 101);
    }

    #[test]
    fn what_follows_a_refused_request_is_taken_in_order_and_thrown_away() {
        let mut flow = sending();
        let data = |sequence, payload_bytes| Place {
            sequence,
            payload_bytes,
            flags: ACK,
            ..Place::default()
        };
        discard(&mut flow, &data(100, 50));
        assert_eq!(flow.receive_next, 100, "the connection goes on, so it might be a request");
        flow.flags |= CLOSE;
        discard(&mut flow, &data(101, 50));
        assert_eq!(flow.receive_next, 100, "there is a gap");
        discard(&mut flow, &data(90, 30));
        assert_eq!(flow.receive_next, 120);
        flow.flags |= FIN_RECEIVED;
        discard(&mut flow, &data(120, 30));
        assert_eq!(flow.receive_next, 120, "nothing counts behind a FIN");
    }

    #[test]
    fn a_probe_repeats_the_number_before_the_next() {
        for (sequence, payload_bytes, expected) in
            [(99, 0, true), (99, 1, true), (100, 0, false), (98, 0, false), (99, 2, false)]
        {
            let place = Place { sequence, payload_bytes, flags: ACK, ..Place::default() };
            assert_eq!(is_probe(&sending(), &place), expected, "{sequence}");
        }
    }
}
