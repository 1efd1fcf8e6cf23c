//! The life of a connection, a segment at a time.

use anyhow::Result;
use etherparse::TcpHeader;
use zeroserve_shared::{
    reason::{Reason, Verdict},
    refusal::Refusal,
};
use zeroserve_tests::{
    bench::Bench,
    frames::{REQUEST, frame, later, tcp},
    lab::noise,
};

#[test]
fn a_request_with_a_valid_cookie_makes_a_flow_and_starts_a_burst() -> Result<()> {
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 50_000))?;
    let next = bench.open()?;
    let outcome = bench.run(&frame(TcpHeader { psh: true, ..next }, REQUEST))?;
    assert_eq!(outcome.verdict, Verdict::Redirect, "{:?}", outcome.reason);
    assert_eq!((outcome.counted.flows_created, outcome.counted.requests), (1, 1));
    Ok(())
}

#[test]
fn a_client_that_leaves_without_a_request_is_told_goodbye() -> Result<()> {
    let mut bench = Bench::new()?;
    let next = bench.open()?;
    let answer = bench.answer(&frame(TcpHeader { fin: true, ..next.clone() }, &[]))?;
    assert_eq!(answer.flags(), ["ack", "fin"]);
    assert_eq!(answer.tcp.sequence_number, next.acknowledgment_number);
    assert_eq!(answer.tcp.acknowledgment_number, next.sequence_number.wrapping_add(1));
    let last = TcpHeader {
        sequence_number: next.sequence_number.wrapping_add(1),
        acknowledgment_number: next.acknowledgment_number.wrapping_add(1),
        ..next
    };
    let outcome = bench.run(&frame(last, &[]))?;
    assert_eq!(outcome.reason, Some(Reason::ConnectionClosed));
    Ok(())
}

#[test]
fn segments_that_cannot_belong_to_the_flow_are_challenged_or_dropped_and_change_nothing()
-> Result<()> {
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 50_000))?;
    let next = bench.ask()?;
    let unsent = TcpHeader {
        acknowledgment_number: next.acknowledgment_number.wrapping_add(1 << 20),
        ..next.clone()
    };
    let reset = TcpHeader { rst: true, ack: false, ..later(&next, 1 << 20) };
    for (description, header, reason) in [
        ("an acknowledgment of what was never sent", unsent, Reason::AckOutOfRange),
        ("far ahead", later(&next, 1 << 20), Reason::SequenceOutOfWindow),
        ("far behind", later(&next, (1_u32 << 20).wrapping_neg()), Reason::SequenceOutOfWindow),
        ("a reset far off", reset, Reason::ResetIgnored),
    ] {
        let outcome = bench.run(&frame(header, REQUEST))?;
        // Stray segments are answered at a limited rate (RFC 5961 sections 5 and 7).
        let is_answered = outcome.verdict == Verdict::Tx && reason != Reason::ResetIgnored;
        assert!(is_answered || outcome.reason == Some(reason), "{description}: {outcome:?}");
        assert_eq!(outcome.counted.flows_removed, 0, "{description}");
        assert_eq!(outcome.counted.requests, 0, "{description}");
    }
    Ok(())
}

#[test]
fn a_reset_in_the_window_is_challenged_and_an_exact_one_believed() -> Result<()> {
    // RFC 5961 section 3.2.
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 50_000))?;
    let next = bench.ask()?;
    let reset = |header: TcpHeader| TcpHeader { rst: true, ack: false, ..header };
    let challenge = bench.answer(&frame(reset(later(&next, 1000)), &[]))?;
    assert_eq!(challenge.flags(), ["ack"]);
    let outcome = bench.run(&frame(reset(next.clone()), &[]))?;
    assert_eq!(outcome.reason, Some(Reason::ResetByPeer));
    assert_eq!(outcome.counted.flows_removed, 1);
    // Nothing remembers the connection now. What acknowledges some of the answer is the kernel's;
    // what acknowledges nothing might as well have overtaken the first request.
    let acknowledgment_number = next.acknowledgment_number.wrapping_add(1460);
    let outcome = bench.run(&frame(TcpHeader { acknowledgment_number, ..next.clone() }, &[]))?;
    assert_eq!(outcome.reason, Some(Reason::UnknownConnection));
    let outcome = bench.run(&frame(next, &[]))?;
    assert_eq!(outcome.reason, Some(Reason::HandshakeComplete));
    Ok(())
}

/// A client that has forgotten the connection answers every segment with a reset that begins at
/// the acknowledgment number, which trails the request while the answer is on its way. Challenging
/// that, too, made the two go on for ever.
#[test]
fn a_reset_with_the_number_that_was_acknowledged_is_believed() -> Result<()> {
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 50_000))?;
    let next = bench.ask()?;
    let reset = |header: TcpHeader| TcpHeader { rst: true, ack: false, ..header };
    let challenge = bench.answer(&frame(reset(later(&next, 1000)), &[]))?;
    let acknowledged = challenge.tcp.acknowledgment_number;
    assert_ne!(acknowledged, next.sequence_number, "all of the request is acknowledged early");
    let answer = TcpHeader { sequence_number: acknowledged, ..next };
    let outcome = bench.run(&frame(reset(answer), &[]))?;
    assert_eq!(outcome.reason, Some(Reason::ResetByPeer));
    assert_eq!(outcome.counted.flows_removed, 1);
    Ok(())
}

#[test]
fn a_reset_of_an_unknown_connection_is_left_to_the_kernel() -> Result<()> {
    let mut bench = Bench::new()?;
    let outcome = bench.run(&frame(TcpHeader { rst: true, ..tcp(1) }, &[]))?;
    assert_eq!(outcome.reason, Some(Reason::UnknownConnection));
    Ok(())
}

#[test]
fn each_piece_of_a_request_is_acknowledged_as_it_comes() -> Result<()> {
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 500))?;
    let next = bench.open()?;
    let (first, rest) = REQUEST.split_at(10);
    let answer = bench.answer(&frame(next.clone(), first))?;
    assert_eq!(answer.flags(), ["ack"]);
    assert_eq!(answer.tcp.acknowledgment_number, later(&next, 10).sequence_number);
    assert_eq!(answer.tcp.sequence_number, next.acknowledgment_number);
    assert_eq!(bench.lab.totals()?.flows_created, 1);
    // A gap: the piece in the middle is missing, so this one must come again.
    // The client hears of it at once (RFC 5681 section 4.2).
    let answer = bench.answer(&frame(later(&next, 15), &rest[5..]))?;
    assert_eq!(answer.tcp.acknowledgment_number, later(&next, 10).sequence_number);
    assert_eq!(bench.lab.totals()?.requests, 0);
    let outcome = bench.run(&frame(later(&next, 10), rest))?;
    assert_eq!(outcome.counted.requests, 1);
    Ok(())
}

#[test]
fn a_request_that_takes_too_long_to_arrive_is_given_up() -> Result<()> {
    // RFC 9110 section 15.5.9.
    let mut bench = Bench::new()?;
    let next = bench.open()?;
    let (first, rest) = REQUEST.split_at(10);
    let answer = bench.answer(&frame(next.clone(), first))?;
    assert_eq!(answer.flags(), ["ack"]);
    // Half a minute passes: the flow's clock is set back.
    let mut flows = bench.lab.flows()?;
    let (place, mut entry) = flows.read(1)[0];
    entry.flow.progress_ms = entry.flow.progress_ms.wrapping_sub(30_001);
    flows.write(place, entry);
    let answer = bench.answer(&frame(later(&next, 10), rest))?;
    assert!(answer.payload.starts_with(b"HTTP/1.1 408 "), "{}", answer.payload.escape_ascii());
    assert!(answer.flags().contains(&"fin"), "{:?}", answer.flags());
    assert_eq!(bench.lab.totals()?.refusals[Refusal::TooSlow as usize], 1);
    Ok(())
}

#[test]
fn a_small_answer_leaves_in_place_whole_where_the_frame_has_room() -> Result<()> {
    let mut bench = Bench::new()?;
    let body = noise(1, 500);
    bench.lab.publish("/file", &body)?;
    let next = bench.open()?;
    let answer = bench.answer(&frame(TcpHeader { psh: true, ..next.clone() }, REQUEST))?;
    assert_eq!(answer.tcp.sequence_number, next.acknowledgment_number);
    assert!(answer.flags().contains(&"psh"), "{:?}", answer.flags());
    let head_end = answer.payload.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, received) = answer.payload.split_at(head_end.expect("a whole head") + 4);
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\nDate: "), "{}", head.escape_ascii());
    assert!(!head.contains(&0), "the date was not written: {}", head.escape_ascii());
    assert!(received == body);
    Ok(())
}

#[test]
fn an_acknowledgment_of_everything_is_consumed_and_counted_as_delivered() -> Result<()> {
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 500))?;
    let next = bench.open()?;
    let answer = bench.answer(&frame(next.clone(), REQUEST))?;
    let bytes = answer.payload.len() as u32;
    let all = TcpHeader {
        acknowledgment_number: next.acknowledgment_number.wrapping_add(bytes),
        ..later(&next, REQUEST.len() as u32)
    };
    assert_eq!(bench.lab.hits("/file")?.delivered_bytes, 0);
    bench.run(&frame(all.clone(), &[]))?;
    assert_eq!(bench.lab.hits("/file")?.delivered_bytes, u64::from(bytes));
    // The same again delivers nothing more.
    let outcome = bench.run(&frame(all, &[]))?;
    assert_eq!(outcome.reason, Some(Reason::AckConsumed));
    assert_eq!(bench.lab.hits("/file")?.delivered_bytes, u64::from(bytes));
    Ok(())
}

#[test]
fn a_request_that_comes_before_the_answer_is_delivered_has_to_wait() -> Result<()> {
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 50_000))?;
    let next = bench.ask()?;
    let outcome = bench.run(&frame(next, REQUEST))?;
    assert_eq!(outcome.counted.requests, 0, "{outcome:?}");
    Ok(())
}
