//! Requests in pieces, and several at once: what is asked for comes back, in order.

use anyhow::Result;
use zeroserve_shared::reason::Reason;
use zeroserve_tests::{
    Lab,
    lab::{check_books, noise},
};

/// Bodies of one segment, of some, and of many.
const SIZES: [usize; 5] = [1, 700, 5_000, 40_000, 300_000];

/// A lab that serves a body of each size behind its number.
fn lab() -> Result<(Lab, Vec<Vec<u8>>)> {
    let mut lab = Lab::new()?;
    let mut bodies = Vec::new();
    for (seed, bytes) in SIZES.into_iter().enumerate() {
        let body = noise(seed as u64, bytes);
        lab.publish(&format!("/{seed}"), &body)?;
        bodies.push(body);
    }
    Ok((lab, bodies))
}

/// A request for a body by its number, the further fields each with a line end.
fn get(number: usize, fields: &str) -> String {
    format!("GET /{number} HTTP/1.1\r\nHost: lab\r\n{fields}\r\n")
}

#[test]
fn requests_sent_at_once_are_answered_in_order() -> Result<()> {
    let (mut lab, bodies) = lab()?;
    for (first, count) in [(0, 2), (0, 3), (2, 5), (0, 30), (3, 50)] {
        let asked: Vec<_> = (first..first + count).map(|n| n % SIZES.len()).collect();
        let requests: String = asked.iter().map(|n| get(*n, "")).collect();
        let mut connection = lab.connect()?;
        connection.send(requests.as_bytes())?;
        for number in asked {
            let response = connection.receive(true)?;
            assert_eq!((response.status, response.body.len()), (200, SIZES[number]));
            assert!(response.body == bodies[number], "body {number} of {count}");
        }
    }
    let totals = lab.totals()?;
    assert_eq!(totals.requests, 2 + 3 + 5 + 30 + 50);
    check_books(&totals);
    Ok(())
}

#[test]
fn requests_that_come_one_by_one_during_an_answer_are_answered_in_order() -> Result<()> {
    let (mut lab, bodies) = lab()?;
    let mut connection = lab.connect()?;
    connection.send(get(4, "").as_bytes())?;
    for _ in 0..12 {
        connection.send(get(1, "").as_bytes())?;
    }
    for number in std::iter::once(4).chain([1; 12]) {
        let response = connection.receive(true)?;
        assert_eq!(response.status, 200);
        assert!(response.body == bodies[number]);
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn more_requests_than_can_be_kept_are_answered_all_the_same() -> Result<()> {
    let (mut lab, bodies) = lab()?;
    let field = format!("X-Long: {}\r\n", "x".repeat(900));
    let requests: String = (0..40).map(|n| get(n % 3, &field)).collect();
    let mut connection = lab.connect()?;
    connection.send(requests.as_bytes())?;
    for number in 0..40 {
        let response = connection.receive(true)?;
        assert_eq!(response.status, 200);
        assert!(response.body == bodies[number % 3]);
    }
    let totals = lab.totals()?;
    let unkept = totals.reasons[Reason::RequestUnkept as usize];
    assert!(unkept > 0, "everything could be kept, so nothing was tested");
    check_books(&totals);
    Ok(())
}

#[test]
fn what_follows_a_request_that_ends_the_connection_is_not_answered() -> Result<()> {
    let (mut lab, bodies) = lab()?;
    let mut connection = lab.connect()?;
    let requests = get(2, "") + &get(1, "Connection: close\r\n") + &get(0, "");
    connection.send(requests.as_bytes())?;
    assert!(connection.receive(true)?.body == bodies[2]);
    let response = connection.receive(true)?;
    assert!(response.body == bodies[1] && response.closes);
    assert_eq!(connection.rest()?, b"");
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn a_request_of_one_byte_a_segment_is_answered() -> Result<()> {
    let (mut lab, bodies) = lab()?;
    let mut connection = lab.connect()?;
    let mut random = fastrand::Rng::with_seed(7);
    for (number, body) in bodies.iter().enumerate() {
        // Sent without delay, so that each piece is a segment of its own.
        for byte in get(number, "").bytes() {
            connection.send(&[byte])?;
        }
        assert!(connection.receive(true)?.body == body);
        let request = get(number, "Accept: text/html, */*\r\n");
        let mut rest = request.as_bytes();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(random.usize(1..=rest.len().min(20)));
            connection.send(piece)?;
            rest = behind;
        }
        assert!(connection.receive(true)?.body == body);
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn a_request_of_nearly_16_kib_is_answered_and_a_longer_one_refused() -> Result<()> {
    let (mut lab, bodies) = lab()?;
    let field = |bytes| format!("X-Long: {}\r\n", "x".repeat(bytes));
    let mut connection = lab.connect()?;
    let fits = field(5_000) + &field(10_000) + &field(1_200);
    connection.send(get(3, &fits).as_bytes())?;
    assert!(connection.receive(true)?.body == bodies[3]);
    connection.send(get(3, &(fits + &field(200))).as_bytes())?;
    let response = connection.receive(true)?;
    assert_eq!((response.status, response.closes), (431, true));
    check_books(&lab.totals()?);
    Ok(())
}
