//! Who answers what, by request and by what the kernel has.

use zeroserve_shared::bypass::{Bypass, hash_of};

use super::*;
use crate::{
    request::{read, start},
    wire::tcp::ACK,
};

const SERVED: bool = true;

fn scan(text: &[u8]) -> RequestScan {
    let mut scan = RequestScan::EMPTY;
    start(&mut scan, [1, 2]);
    read(&mut scan, text);
    scan
}

/// What becomes of a request whose first packet holds this, if its path is served or not.
fn judge(text: &[u8], is_served: bool, known: Known) -> Decision {
    let scan = scan(text);
    let is_found = is_served && request::asked(&scan) == Asked::Path;
    if is_ours(&scan, is_found, false) {
        Decision::Answered
    } else {
        decide(&scan, is_found, false, true, known)
    }
}

#[test]
fn only_plain_requests_for_what_is_served_are_answered_here() {
    let cases: [(&[u8], bool, Decision); 16] = [
        (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", SERVED, Decision::Answered),
        (b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", SERVED, Decision::Answered),
        (b"GET /a HTTP/1.0\r\nConnection: close\r\n\r\n", SERVED, Decision::Answered),
        (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", !SERVED, Decision::HandedOff),
        (b"GET /a HTTP/1.1\r\nHost: a\r\n", SERVED, Decision::HandedOff),
        (b"G", SERVED, Decision::HandedOff),
        (b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", SERVED, Decision::HandedOff),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", SERVED, Decision::HandedOff),
        (b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", SERVED, Decision::HandedOff),
        (
            b"GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            SERVED,
            Decision::HandedOff,
        ),
        (
            b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
            SERVED,
            Decision::HandedOff,
        ),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SERVED, Decision::HandedOff),
        (b"\x16\x03\x01\x02\x00\x01", SERVED, Decision::HandedOff),
        (b"GET /a HTTP/1.1\r\n\r\n", SERVED, Decision::HandedOff),
        (b"GET /a HTTP/1.1\nHost: a\n\n", SERVED, Decision::HandedOff),
        (b"\0\0\0\0", SERVED, Decision::HandedOff),
    ];
    for (text, is_served, expected) in cases {
        assert_eq!(judge(text, is_served, Known::Listener), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn what_a_rule_names_is_the_servers_even_if_the_path_is_served() {
    let bypass = Bypass {
        headers: [hash_of(b"authorization"), hash_of(b"range"), 0, 0],
        cookies: [hash_of(b"Session"), hash_of(b"__Host-a"), 0, 0],
    };
    let judge = |fields: &str, known, bypass| {
        let text = format!("GET /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let mut scan = RequestScan::EMPTY;
        start(&mut scan, [1, 2]);
        scan.bypass = bypass;
        // However it is cut into pieces.
        for piece in text.as_bytes().chunks(5) {
            read(&mut scan, piece);
        }
        assert_eq!(request::asked(&scan), Asked::Path, "{fields}");
        if is_ours(&scan, SERVED, false) {
            Decision::Answered
        } else {
            decide(&scan, SERVED, false, true, known)
        }
    };
    for (fields, is_bypassed) in [
        ("Authorization: Basic x\r\n", true),
        ("aUTHORIZATION:\r\n", true),
        ("Range: bytes=0-1\r\n", true),
        ("Authorisation: x\r\nX-Authorization: x\r\n", false),
        ("Cookie: Session=1\r\n", true),
        ("Cookie: a=Session; b=\"x y\";  Session=\r\n", true),
        ("Cookie: a=1;__Host-a=b=c\r\n", true),
        ("Cookie: a=1\r\nAccept: x\r\nCookie: Session=2\r\n", true),
        ("Cookie: session=1; Session2=1; a=Session=; Session\r\n", false),
        ("Cookie: =; ;; a\r\n", false),
    ] {
        let expected = if is_bypassed { Decision::HandedOff } else { Decision::Answered };
        assert_eq!(judge(fields, Known::Listener, bypass), expected, "{fields}");
        let expected = if is_bypassed { Decision::Unavailable } else { Decision::Answered };
        assert_eq!(judge(fields, Known::Nothing, bypass), expected, "{fields}");
        let without = judge(fields, Known::Listener, Bypass::default());
        assert_eq!(without, Decision::Answered, "{fields}");
    }
}

#[test]
fn where_nobody_listens_what_is_served_is_served_and_the_rest_is_told_so() {
    let cases: [(&[u8], bool, Decision); 7] = [
        (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", SERVED, Decision::Answered),
        (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", !SERVED, Decision::Unavailable),
        (
            b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
            SERVED,
            Decision::Unavailable,
        ),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", SERVED, Decision::Unavailable),
        // It is read on, and decided about when it is complete.
        (b"GET /a HTTP/1.1\r\n", !SERVED, Decision::Answered),
        // These have answers of their own.
        (b"\x16\x03\x01\x02\x00\x01", SERVED, Decision::Answered),
        (b"GET /a HTTP/1.1\r\n\r\n", SERVED, Decision::Answered),
    ];
    for (text, is_served, expected) in cases {
        assert_eq!(judge(text, is_served, Known::Nothing), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn before_the_programs_are_detached_the_server_gets_what_it_can_take() {
    let scan = scan(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(is_ours(&scan, SERVED, false));
    assert!(!is_ours(&scan, SERVED, true));
    for (known, expected) in
        [(Known::Listener, Decision::HandedOff), (Known::Nothing, Decision::Answered)]
    {
        assert_eq!(decide(&scan, SERVED, false, true, known), expected);
    }
}

#[test]
fn a_request_of_which_a_part_was_acknowledged_is_never_handed_off() {
    let scan = scan(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    for known in [Known::Nothing, Known::Listener, Known::Connection] {
        assert_eq!(decide(&scan, false, true, true, known), Decision::Unavailable);
    }
}

#[test]
fn a_request_behind_another_is_awaited_in_a_packet_of_its_own() {
    let scan = scan(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(decide(&scan, false, false, false, Known::Listener), Decision::Awaited);
    let flow = Flow { receive_next: 5, send_next: 9, ..Flow::default() };
    assert!(is_in_place(&flow, 5, 9));
    // It repeats what has been answered, or does not have the answer yet.
    assert!(!is_in_place(&flow, 4, 9));
    assert!(!is_in_place(&flow, 5, 8));
}

#[test]
fn a_connection_that_the_kernel_has_is_not_asked_about_again() {
    let flow = |window_shift| Flow { window_shift, ..Flow::default() };
    assert_eq!(look(&flow(HANDED), ACK), Handed::Asks);
    assert_eq!(look(&flow(HANDED), ACK | FIN), Handed::Asks);
    assert_eq!(look(&flow(HANDED | SEATED), ACK), Handed::Passes);
    for flags in [ACK | FIN, RST] {
        assert_eq!(look(&flow(HANDED | SEATED), flags), Handed::PassesAndForgotten);
    }
}

#[test]
fn packets_behind_the_first_pass_with_it_and_not_without_it() {
    for (known, is_first, repeats, since_ms, expected) in [
        (Known::Connection, false, false, 9999, Seat::Taken),
        (Known::Connection, false, true, 0, Seat::Taken),
        (Known::Listener, true, false, 9999, Seat::Offered),
        (Known::Listener, false, false, 0, Seat::Offered),
        (Known::Listener, false, false, BATCH_MS + 1, Seat::Early),
        (Known::Listener, false, true, 0, Seat::Told),
        (Known::Nothing, true, false, 0, Seat::Withdrawn),
        (Known::Nothing, false, false, 9999, Seat::Withdrawn),
    ] {
        let seat = seat(known, is_first, repeats, since_ms);
        assert_eq!(seat, expected, "{known:?} {is_first} {repeats} {since_ms}");
    }
}

#[test]
fn what_the_kernel_could_not_take_over_later_it_gets_from_the_beginning() {
    let offered = |mss| Options { mss, window_shift: 7, scales: true, sack: true, timestamp: 0 };
    assert!(can_be_handed_off(&offered(536), false, false));
    assert!(!can_be_handed_off(&offered(535), false, false));
    assert!(can_be_handed_off(&offered(1220), true, false));
    assert!(!can_be_handed_off(&offered(1219), true, false));
    assert!(!can_be_handed_off(&offered(1460), false, true));
}
