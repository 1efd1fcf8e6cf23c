//! The load generator's half of TCP and HTTP: what a client does about a segment.
//!
//! It keeps no data, so it needs no more of a connection than numbers: what was sent last, what is
//! expected next, and which ranges have come beyond a gap. Responses are told apart by their
//! lengths alone: one that were longer or shorter than expected would put its successor in a place
//! where no status line is.
//!
//! | module | what it decides |
//! |---|---|
//! | [`frame`] | what a segment looks like on the wire |
//! | [`islands`] | what has come beyond a gap |

pub mod frame;
pub mod islands;
#[cfg(test)]
mod tests;

use zeroserve_shared::load::{Connection, EMPTY_HASH, Fault, Island, habit, state};

use crate::{
    load::islands::{join, remember},
    wire::{
        sequence::{after, distance},
        tcp::{ACK, FIN, PSH, RST, SYN},
    },
    words,
};

/// Segments that are acknowledged together (RFC 9293 section 3.8.6.3: at least every second).
const ACKNOWLEDGED_TOGETHER: u8 = 2;

/// A segment from the server.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Sequence number of its first byte.
    pub sequence: u32,
    /// Its acknowledgment number.
    pub acknowledgment: u32,
    /// Bytes of its payload.
    pub payload_bytes: u32,
    /// Its flags.
    pub flags: u8,
}

impl Arrival {
    /// Whether a flag is set.
    #[inline(always)]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Sequence number after the last payload byte.
    #[inline(always)]
    const fn payload_end(&self) -> u32 {
        self.sequence.wrapping_add(self.payload_bytes)
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the frame is dropped.
    Nothing,
    /// Acknowledge.
    Acknowledge,
    /// Send the next request.
    Ask,
    /// Close, too.
    Finish,
    /// Open the next connection.
    Open,
    /// Reset what the server takes for the connection; the next SYN opens it.
    Refuse,
    /// Send again what has not been answered.
    Repeat,
    /// Reset the connection.
    GiveUp,
    /// Give up the connection.
    Fail(Fault),
}

/// Where a segment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It carries nothing that has to be looked at.
    Judged(Step),
    /// It carries nothing new, and is acknowledged so that the server learns it.
    Duplicate,
    /// Something before it is missing, and the server is told so.
    Gap,
    /// It carries the next bytes of the response, after so many that are known already: see
    /// [`deliver`].
    Next(u32),
}

/// A segment to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Sequence number.
    pub sequence: u32,
    /// Flags.
    pub flags: u8,
    /// Whether the connection's request is its payload.
    pub asks: bool,
}

impl Departure {
    /// Nothing yet.
    pub const NONE: Self = Self { sequence: 0, flags: 0, asks: false };
}

/// Judges a segment by its numbers.
#[inline(always)]
pub fn receive(connection: &mut Connection, arrival: &Arrival) -> Place {
    if arrival.has(RST) {
        return Place::Judged(reset(connection, arrival));
    }
    if !arrival.has(ACK) {
        return Place::Judged(Step::Nothing);
    }
    if connection.state == state::OPENING {
        return Place::Judged(opened(connection, arrival));
    }
    if after(arrival.acknowledgment, connection.send_next) {
        return Place::Judged(Step::Fail(Fault::Acknowledgment));
    }
    if connection.state == state::CLOSING {
        let closed = arrival.acknowledgment == connection.send_next;
        return Place::Judged(if closed { closed_step(connection) } else { Step::Nothing });
    }
    let end = arrival.payload_end();
    let is_empty = arrival.payload_bytes == 0 && !arrival.has(FIN);
    if is_empty || arrival.has(SYN) {
        return Place::Judged(Step::Nothing);
    }
    let known = distance(connection.receive_next, arrival.sequence);
    if known < 0 {
        remember(&mut connection.islands, Island { start: arrival.sequence, end });
        return Place::Gap;
    }
    if !after(end, connection.receive_next) {
        let closes = arrival.has(FIN) && end == connection.receive_next;
        return if closes { Place::Judged(finish(connection)) } else { Place::Duplicate };
    }
    if connection.state != state::ASKED {
        return Place::Judged(Step::Fail(Fault::TooLong));
    }
    Place::Next(known as u32)
}

/// A reset: expected only of a connection that the server has forgotten after closing it.
#[inline(always)]
fn reset(connection: &mut Connection, arrival: &Arrival) -> Step {
    match connection.state {
        state::CLOSING => closed_step(connection),
        // RFC 9293 section 3.10.7.3: of a SYN it must acknowledge just that.
        state::OPENING if arrival.acknowledgment != connection.send_next => Step::Nothing,
        state::OPENING => Step::Fail(Fault::Reset),
        _ if arrival.sequence == connection.receive_next => Step::Fail(Fault::Reset),
        _ => Step::Nothing,
    }
}

/// The answer to the SYN.
#[inline(always)]
fn opened(connection: &mut Connection, arrival: &Arrival) -> Step {
    if arrival.acknowledgment != connection.send_next {
        // RFC 9293 section 3.10.7.3: it remembers another connection between these ends.
        return Step::Refuse;
    }
    if !arrival.has(SYN) {
        return Step::Nothing;
    }
    if connection.habit == habit::FLOOD {
        return Step::Open;
    }
    connection.receive_next = arrival.sequence.wrapping_add(1);
    Step::Ask
}

/// Both ends have closed.
#[inline(always)]
fn closed_step(connection: &mut Connection) -> Step {
    connection.state = state::CLOSED;
    if connection.habit == habit::STEADY { Step::Open } else { Step::Nothing }
}

/// The server's FIN has come.
#[inline(always)]
fn finish(connection: &mut Connection) -> Step {
    if connection.state == state::ASKED {
        return Step::Fail(Fault::ClosedEarly);
    }
    connection.receive_next = connection.receive_next.wrapping_add(1);
    Step::Finish
}

/// Takes bytes of the response that are next, and says whether it is complete with them. Its
/// length must be known.
///
/// # Errors
///
/// What is to be done where it is not.
#[inline(always)]
pub fn deliver(connection: &mut Connection, arrival: &Arrival) -> Result<(), Step> {
    let fills_gap = !connection.islands[0].is_empty();
    connection.receive_next = arrival.payload_end();
    if fills_gap {
        connection.receive_next = join(&mut connection.islands, connection.receive_next);
        // What came beyond the gap is gone and cannot be checked.
        connection.samples = 0;
    }
    let delivered = connection.receive_next.wrapping_sub(connection.response_start);
    if delivered == connection.response_bytes {
        return Ok(());
    }
    if delivered > connection.response_bytes {
        return Err(Step::Fail(Fault::TooLong));
    }
    if arrival.has(FIN) {
        return Err(Step::Fail(Fault::ClosedEarly));
    }
    connection.unacknowledged += 1;
    // What fills a gap or ends what the server has to send is acknowledged at once (RFC 5681
    // section 4.2).
    let at_once = fills_gap || arrival.has(PSH);
    if at_once || connection.unacknowledged >= ACKNOWLEDGED_TOGETHER {
        Err(Step::Acknowledge)
    } else {
        Err(Step::Nothing)
    }
}

/// What follows a complete response.
#[inline(always)]
pub fn complete(connection: &mut Connection, arrival: &Arrival, closes: bool) -> Step {
    connection.state = if closes { state::LEAVING } else { state::IDLE };
    if arrival.has(FIN) {
        finish(connection)
    } else if closes {
        Step::Acknowledge
    } else if connection.habit == habit::STEADY {
        Step::Ask
    } else {
        Step::Acknowledge
    }
}

/// Begins a connection between the ends that `tuple` names.
#[inline(always)]
pub fn open(connection: &mut Connection, tuple: u32, now_ns: u64) -> Departure {
    // It rises with time, so that a server which remembers the last connection between these ends
    // sees that this is another (RFC 9293 section 3.4.1).
    let initial = (now_ns >> 8) as u32;
    connection.tuple = tuple;
    connection.state = state::OPENING;
    connection.send_next = initial.wrapping_add(1);
    connection.receive_next = 0;
    connection.began_ns = now_ns;
    connection.unacknowledged = 0;
    // The compiler would call its own `memset`, which goes byte by byte.
    words::clear(&mut connection.islands);
    Departure { sequence: initial, flags: SYN, asks: false }
}

/// Sends a request of so many bytes. `now_ns` is zero where its time is not taken.
#[inline(always)]
pub fn ask(
    connection: &mut Connection,
    request_bytes: u32,
    closes: bool,
    now_ns: u64,
) -> Departure {
    let sequence = connection.send_next;
    connection.send_next = sequence.wrapping_add(request_bytes);
    connection.state = state::ASKED;
    if !closes {
        connection.began_ns = now_ns;
    }
    connection.response_start = connection.receive_next;
    connection.response_bytes = 0;
    connection.hash = EMPTY_HASH;
    connection.unacknowledged = 0;
    Departure { sequence, flags: ACK | PSH, asks: true }
}

/// Acknowledges what has come.
#[inline(always)]
pub fn acknowledge(connection: &mut Connection) -> Departure {
    connection.unacknowledged = 0;
    Departure { sequence: connection.send_next, flags: ACK, asks: false }
}

/// Resets what the server takes for the connection, going by a segment of that.
#[inline(always)]
pub fn refuse(arrival: &Arrival) -> Departure {
    Departure { sequence: arrival.acknowledgment, flags: RST, asks: false }
}

/// Closes.
#[inline(always)]
pub fn close(connection: &mut Connection) -> Departure {
    let sequence = connection.send_next;
    connection.send_next = sequence.wrapping_add(1);
    connection.state = state::CLOSING;
    Departure { sequence, flags: ACK | FIN, asks: false }
}

/// Sends again what has not been answered, if anything; `request_bytes` are those of the
/// connection's request.
#[inline(always)]
pub fn repeat(connection: &Connection, request_bytes: u32) -> Option<Departure> {
    let back = |bytes| connection.send_next.wrapping_sub(bytes);
    Some(match connection.state {
        state::OPENING => Departure { sequence: back(1), flags: SYN, asks: false },
        state::ASKED => Departure { sequence: back(request_bytes), flags: ACK | PSH, asks: true },
        state::CLOSING => Departure { sequence: back(1), flags: ACK | FIN, asks: false },
        state::LEAVING => Departure { sequence: back(0), flags: ACK, asks: false },
        _ => return None,
    })
}

/// Gives the connection up, and tells the server so.
#[inline(always)]
pub fn give_up(connection: &mut Connection) -> Departure {
    connection.state = state::CLOSED;
    Departure { sequence: connection.send_next, flags: ACK | RST, asks: false }
}
