//! Dialogues between the client and a server, a line each.

use zerocopy::IntoBytes;
use zeroserve_shared::load::{
    ISLANDS, Island, ORDER_ETHER_TYPE, Order, PORT_BITS, Settings, front, order,
};

use super::{
    frame::{HEADER_BYTES, Kind, Options, RECEIVED_AT, Received, SENT_AT, headers, options},
    *,
};

/// The server's first sequence number, just before the numbers wrap.
const SERVER: u32 = u32::MAX - 100;
const NOW_NS: u64 = 1 << 40;
const REQUEST_BYTES: u32 = 80;

fn segment(flags: u8, sequence: u32, acknowledgment: u32, payload_bytes: u32) -> Arrival {
    Arrival { sequence, acknowledgment, payload_bytes, flags }
}

/// A connection with a request under way whose response has so many bytes.
fn asked(response_bytes: u32) -> Connection {
    let mut connection = Connection::default();
    let syn = open(&mut connection, 5, NOW_NS);
    assert_eq!((syn.flags, syn.sequence.wrapping_add(1)), (SYN, connection.send_next));
    let answer = segment(SYN | ACK, SERVER, connection.send_next, 0);
    assert_eq!(receive(&mut connection, &answer), Place::Judged(Step::Ask));
    let request = ask(&mut connection, REQUEST_BYTES, false, NOW_NS);
    assert_eq!((request.flags, request.asks), (ACK | PSH, true));
    connection.response_bytes = response_bytes;
    connection
}

/// A segment with bytes of the response, from `offset` on.
fn data(connection: &Connection, offset: u32, bytes: u32, flags: u8) -> Arrival {
    let sequence = SERVER.wrapping_add(1 + offset);
    segment(ACK | flags, sequence, connection.send_next, bytes)
}

/// Takes a segment and does what the program does about it.
fn step(connection: &mut Connection, arrival: &Arrival, closes: bool) -> Step {
    match receive(connection, arrival) {
        Place::Judged(step) => step,
        Place::Duplicate | Place::Gap => Step::Acknowledge,
        Place::Next(_) => match deliver(connection, arrival) {
            Ok(()) => complete(connection, arrival, closes),
            Err(step) => step,
        },
    }
}

#[test]
fn a_response_of_one_segment_is_followed_by_the_next_request() {
    let mut connection = asked(500);
    let response = data(&connection, 0, 500, PSH);
    assert_eq!(step(&mut connection, &response, false), Step::Ask);
    let first_bytes = connection.send_next;
    let next = ask(&mut connection, REQUEST_BYTES, false, NOW_NS + 1);
    assert_eq!(next.sequence, first_bytes);
    assert_eq!(connection.response_start, SERVER.wrapping_add(501));
}

#[test]
fn head_and_body_may_come_apart_and_every_second_segment_is_acknowledged() {
    let mut connection = asked(2500);
    for (offset, bytes, flags, expected) in [
        (0, 200, 0, Step::Nothing),
        (200, 1000, 0, Step::Acknowledge),
        (1200, 1000, 0, Step::Nothing),
        (2200, 300, PSH, Step::Ask),
    ] {
        let arrival = data(&connection, offset, bytes, flags);
        assert_eq!(step(&mut connection, &arrival, false), expected, "{offset}");
        if expected == Step::Acknowledge {
            assert_eq!(acknowledge(&mut connection).flags, ACK);
        }
    }
}

#[test]
fn a_segment_that_comes_again_is_acknowledged_and_changes_nothing() {
    let mut connection = asked(2000);
    let first = data(&connection, 0, 1000, 0);
    step(&mut connection, &first, false);
    let before = connection;
    assert_eq!(receive(&mut connection, &first), Place::Duplicate);
    assert_eq!(connection, before);
}

#[test]
fn what_comes_beyond_a_gap_counts_once_the_gap_is_filled_and_is_not_checked() {
    let mut connection = asked(3000);
    connection.samples = 1;
    let [first, second, third] = [0, 1000, 2000].map(|offset| data(&connection, offset, 1000, 0));
    assert_eq!(step(&mut connection, &first, false), Step::Nothing);
    assert_eq!(receive(&mut connection, &third), Place::Gap);
    assert_eq!(step(&mut connection, &second, false), Step::Ask);
    assert_eq!(connection.samples, 0);
}

#[test]
fn a_response_that_is_longer_than_it_should_be_is_a_fault() {
    let mut connection = asked(500);
    let longer = data(&connection, 0, 501, PSH);
    assert_eq!(step(&mut connection, &longer, false), Step::Fail(Fault::TooLong));
}

#[test]
fn a_server_that_closes_too_early_is_a_fault() {
    for bytes in [0, 100] {
        let mut connection = asked(500);
        let fin = data(&connection, 0, bytes, FIN);
        assert_eq!(step(&mut connection, &fin, false), Step::Fail(Fault::ClosedEarly), "{bytes}");
    }
}

#[test]
fn a_connection_for_one_request_is_closed_after_the_server_and_followed_by_the_next() {
    for fin_comes_apart in [false, true] {
        let mut connection = asked(500);
        if fin_comes_apart {
            let response = data(&connection, 0, 500, PSH);
            assert_eq!(step(&mut connection, &response, true), Step::Acknowledge);
            let fin = data(&connection, 500, 0, FIN);
            assert_eq!(step(&mut connection, &fin, true), Step::Finish);
        } else {
            let response = data(&connection, 0, 500, PSH | FIN);
            assert_eq!(step(&mut connection, &response, true), Step::Finish);
        }
        assert_eq!(connection.receive_next, SERVER.wrapping_add(502));
        let fin = close(&mut connection);
        assert_eq!(fin.flags, FIN | ACK);
        let last = data(&connection, 501, 0, 0);
        assert_eq!(step(&mut connection, &last, true), Step::Open);
    }
}

#[test]
fn what_is_not_answered_is_sent_again_as_it_was() {
    let mut connection = Connection::default();
    let syn = open(&mut connection, 5, NOW_NS);
    assert_eq!(repeat(&connection, REQUEST_BYTES), Some(syn));
    let mut connection = asked(500);
    let request = repeat(&connection, REQUEST_BYTES).expect("it is not answered");
    assert_eq!(request.sequence.wrapping_add(REQUEST_BYTES), connection.send_next);
    assert!(request.asks);
    connection.state = state::IDLE;
    assert_eq!(repeat(&connection, REQUEST_BYTES), None);
}

#[test]
fn a_reset_counts_only_where_it_is_the_connections_own() {
    let mut connection = asked(500);
    let stray = segment(RST, SERVER.wrapping_add(50), 0, 0);
    assert_eq!(step(&mut connection, &stray, false), Step::Nothing);
    let reset = segment(RST, connection.receive_next, 0, 0);
    assert_eq!(step(&mut connection, &reset, false), Step::Fail(Fault::Reset));
}

#[test]
fn a_server_that_remembers_another_connection_is_reset() {
    let mut connection = Connection::default();
    open(&mut connection, 5, NOW_NS);
    let challenge = segment(ACK, 7, connection.send_next.wrapping_add(1000), 0);
    assert_eq!(receive(&mut connection, &challenge), Place::Judged(Step::Refuse));
    assert_eq!(refuse(&challenge).sequence, challenge.acknowledgment);
    assert_eq!(connection.state, state::OPENING);
}

#[test]
fn an_acknowledgment_of_what_was_never_sent_is_a_fault() {
    let mut connection = asked(500);
    let wrong = segment(ACK, connection.receive_next, connection.send_next.wrapping_add(1), 0);
    assert_eq!(step(&mut connection, &wrong, false), Step::Fail(Fault::Acknowledgment));
}

fn settings() -> Settings {
    Settings {
        server: [198, 18, 0, 1],
        client: [198, 18, 0, 128],
        port: 8080,
        mss: 1460,
        window: u16::MAX,
        window_shift: 3,
        front: front([[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]]),
        ..Settings::default()
    }
}

/// The sum of a header that has its checksum, which must come out as all ones (RFC 1071).
fn folded(bytes: &[u8], pseudo: u64) -> u16 {
    let words = bytes.chunks(2).map(|two| u64::from(u16::from_be_bytes([two[0], two[1]])));
    let mut sum = words.sum::<u64>() + pseudo;
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The bytes of a segment's headers.
fn wire(
    settings: &Settings,
    tuple: u32,
    departure: &Departure,
    acknowledgment: u32,
    islands: &[Island; ISLANDS],
) -> Vec<u8> {
    let mut room = Options::default();
    let added = options(&mut room, settings, departure, islands);
    let words = headers(settings, tuple, departure, acknowledgment, added, (0, 0));
    let mut bytes = vec![0; HEADER_BYTES as usize];
    for (at, word) in SENT_AT.into_iter().zip(words) {
        bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    }
    let options = room.iter().flat_map(|word| word.to_ne_bytes());
    bytes.extend(options.take(added.0 as usize));
    bytes
}

/// What the program sees of a frame.
fn received(bytes: &[u8]) -> Received {
    Received(RECEIVED_AT.map(|at| {
        u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("the word lies in the headers"))
    }))
}

#[test]
fn segments_have_sound_checksums_whatever_their_options() {
    let islands = [Island { start: 10, end: 20 }, Island { start: 30, end: 40 }, Island::NONE];
    let cases =
        [(SYN, [Island::NONE; ISLANDS], 12), (ACK, [Island::NONE; ISLANDS], 0), (ACK, islands, 20)];
    for (flags, islands, option_bytes) in cases {
        let tuple = 3 << PORT_BITS | 77;
        let departure = Departure { sequence: 0x1234_5678, flags, asks: false };
        let wire = wire(&settings(), tuple, &departure, 99, &islands);
        assert_eq!(wire.len() as u32, HEADER_BYTES + option_bytes);
        assert_eq!(wire[..14], [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        let (ip, tcp) = wire[14..].split_at(20);
        assert_eq!(folded(ip, 0), 0xffff);
        assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), wire.len() - 14);
        assert_eq!(ip[12..20], [198, 18, 0, 131, 198, 18, 0, 1]);
        let pseudo = u64::from(folded(&ip[12..20], 0)) + 6 + tcp.len() as u64;
        assert_eq!(folded(tcp, pseudo), 0xffff);
        assert_eq!(u32::from(tcp[12] >> 4) * 4, 20 + option_bytes);
        assert_eq!(tcp[..4], [(32768_u16 + 77).to_be_bytes(), 8080_u16.to_be_bytes()].concat());
        assert_eq!(tcp[4..12], [0x12, 0x34, 0x56, 0x78, 0, 0, 0, 99]);
        assert_eq!((tcp[13], &tcp[14..16]), (flags, [0xff; 2].as_slice()));
    }
}

#[test]
fn an_answer_is_told_from_what_is_for_others_and_read_as_it_was_written() {
    let settings = settings();
    let tuple = 5 << PORT_BITS | 1234;
    let departure = Departure { sequence: 0x89ab_cdef, flags: ACK | PSH, asks: false };
    let mut wire = wire(&settings, tuple, &departure, 0x1234_5678, &[Island::NONE; ISLANDS]);
    let kind = received(&wire).kind(&settings);
    assert_eq!(kind, Kind::Other, "it comes from the client itself");
    let (source, destination) = wire[26..34].split_at_mut(4);
    source.swap_with_slice(destination);
    let (source, destination) = wire[34..38].split_at_mut(2);
    source.swap_with_slice(destination);
    wire[16..18].copy_from_slice(&(40_u16 + 700).to_be_bytes());
    let frame = received(&wire);
    assert_eq!(frame.kind(&settings), Kind::Segment(tuple));
    assert_eq!(frame.tcp_header_bytes(), 20);
    let arrival = frame.arrival();
    assert_eq!((arrival.sequence, arrival.acknowledgment), (0x89ab_cdef, 0x1234_5678));
    assert_eq!((arrival.payload_bytes, arrival.flags), (700, ACK | PSH));
    let elsewhere = Settings { server: [198, 18, 0, 3], ..settings };
    assert_eq!(frame.kind(&elsewhere), Kind::Other);
    // IPv6, UDP, another port of the server, a port that is not the client's, another network.
    for (at, byte) in [(12, 0x86), (23, 17), (35, 81), (36, 0x7f), (32, 1), (33, 2)] {
        let mut other = wire.clone();
        other[at] = byte;
        assert_eq!(received(&other).kind(&settings), Kind::Other, "byte {at}");
    }
}

#[test]
fn an_order_is_read_as_it_was_written() {
    let mut frame = vec![0; HEADER_BYTES as usize];
    frame[12..14].copy_from_slice(&ORDER_ETHER_TYPE.to_be_bytes());
    let order = Order { what: order::REST, slot: 0x0001_2345 };
    frame[14..22].copy_from_slice(order.as_bytes());
    assert_eq!(received(&frame).kind(&settings()), Kind::Order(order::REST, 0x0001_2345));
}
