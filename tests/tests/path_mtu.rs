//! Routers that say that a segment is too large.

use anyhow::{Context, Result};
use etherparse::{IpHeaders, IpNumber, TcpHeader};
use zeroserve_shared::{
    flow::Flow,
    reason::{Reason, Verdict},
};
use zeroserve_tests::{
    Lab,
    bench::{Bench, Outcome},
    frames::{
        LINUX_OPTIONS, REQUEST, SERVER_PORT, Segment, ack, frame_in, frame_in_v6, frame_over, ipv4,
        ipv6, syn, tcp,
    },
    lab::noise,
};

/// A flow that waits for a response of many segments to be acknowledged.
struct Sending {
    bench: Bench,
    is_ipv6: bool,
    /// Sequence number of the response's first byte.
    start: u32,
}

/// What a message says.
#[derive(Clone, Copy)]
struct Message {
    mtu: u32,
    /// Distance of the quoted segment from the response's first byte.
    distance: u32,
    /// The quoted segment's destination port.
    port: u16,
}

impl Sending {
    fn begin(is_ipv6: bool) -> Result<Self> {
        let mut bench = Bench::new()?;
        bench.lab.publish("/file", &noise(1, 300_000))?;
        let to_server = |tcp, payload| {
            if is_ipv6 { frame_in_v6(ipv6(), tcp, payload) } else { frame_in(ipv4(), tcp, payload) }
        };
        let answer = bench.answer(&to_server(syn(&LINUX_OPTIONS), &[]))?;
        let start = answer.tcp.sequence_number.wrapping_add(1);
        let next = TcpHeader { acknowledgment_number: start, psh: true, ..ack(tcp(1)) };
        let outcome = bench.run(&to_server(next, REQUEST))?;
        assert_eq!(outcome.verdict, Verdict::Redirect);
        Ok(Self { bench, is_ipv6, start })
    }

    /// The message that a router sends about a segment of this flow.
    fn message(&self, message: Message) -> Vec<u8> {
        let sequence_number = self.start.wrapping_add(message.distance);
        let quoted = TcpHeader::new(SERVER_PORT, message.port, sequence_number, 0);
        let mut icmp = if self.is_ipv6 { vec![2, 0, 0, 0] } else { vec![3, 4, 0, 0] };
        icmp.extend(message.mtu.to_be_bytes());
        // From the server to the client, cut off behind the first bytes of TCP.
        let (outer, kind, quoted) = if self.is_ipv6 {
            let header = ipv6();
            let (source, destination) = (header.destination, header.source);
            let header = etherparse::Ipv6Header { source, destination, ..header };
            let outer = IpHeaders::Ipv6(ipv6(), Default::default());
            (
                outer,
                IpNumber::IPV6_ICMP,
                frame_in_v6(header, quoted, &[0; 1440])[14..][..48].to_vec(),
            )
        } else {
            let header = ipv4();
            let (source, destination) = (header.destination, header.source);
            let header = etherparse::Ipv4Header { source, destination, ..header };
            let outer = IpHeaders::Ipv4(ipv4(), Default::default());
            (outer, IpNumber::ICMP, frame_in(header, quoted, &[0; 1460])[14..][..28].to_vec())
        };
        icmp.extend(quoted);
        // As a payload of TCP, whose header is then taken out again: the lengths are right so.
        let network_bytes = if self.is_ipv6 { 40 } else { 20 };
        let mut frame = frame_over(outer, tcp(0), &icmp[20..]);
        frame.truncate(14 + network_bytes);
        frame.extend(icmp);
        frame[14 + if self.is_ipv6 { 6 } else { 9 }] = kind.0;
        frame
    }

    fn run(&mut self, message: Message) -> Result<Outcome> {
        let frame = self.message(message);
        self.bench.run(&frame)
    }

    /// The segment size of the only flow.
    fn mss(&self) -> Result<u16> {
        only_flow(&self.bench.lab).map(|flow| flow.mss)
    }
}

fn only_flow(lab: &Lab) -> Result<Flow> {
    let (_, entry) = lab.flows()?.read(1).pop().context("there is no flow")?;
    Ok(entry.flow)
}

/// About the first segment, from a router whose next link takes packets of 1400 bytes.
const SOUND: Message =
    Message { mtu: 1400, distance: 0, port: zeroserve_tests::frames::CLIENT_PORT };

#[test]
fn a_message_about_a_segment_on_its_way_narrows_the_flow_and_sends_what_was_lost_again()
-> Result<()> {
    for (is_ipv6, before, after) in [(false, 1460, 1360), (true, 1440, 1340)] {
        let mut sending = Sending::begin(is_ipv6)?;
        assert_eq!(sending.mss()?, before);
        let outcome = sending.run(Message { distance: u32::from(before), ..SOUND })?;
        assert_eq!(outcome.verdict, Verdict::Redirect, "IPv6: {is_ipv6}");
        assert_eq!(outcome.counted.flows_narrowed, 1);
        // Ten of the old segments make eleven of the new.
        assert_eq!(outcome.counted.segments_repaired, 11);
        assert_eq!(sending.mss()?, after);
        // The router says so for every segment of the burst.
        let outcome = sending.run(Message { distance: 2 * u32::from(before), ..SOUND })?;
        assert_eq!(outcome.reason, Some(Reason::PathMtuNoted));
        assert_eq!((sending.mss()?, outcome.counted.flows_narrowed), (after, 0));
        // Another router, further away.
        let outcome = sending.run(Message { mtu: 1300, ..SOUND })?;
        assert_eq!(outcome.counted.flows_narrowed, 1);
        assert_eq!(sending.mss()?, after - 100);
    }
    Ok(())
}

#[test]
fn a_flow_is_never_widened_nor_narrowed_beyond_reason() -> Result<()> {
    for (is_ipv6, cases) in [
        (
            false,
            &[
                (1500, Some(Reason::PathMtuNoted), 1460),
                (9000, Some(Reason::PathMtuNoted), 1460),
                (0, None, 536),
                (68, Some(Reason::PathMtuNoted), 536),
            ][..],
        ),
        (
            true,
            &[
                (u32::MAX, Some(Reason::PathMtuNoted), 1440),
                (1279, Some(Reason::PathMtuRefused), 1440),
                (0, Some(Reason::PathMtuRefused), 1440),
                (1280, None, 1220),
            ],
        ),
    ] {
        let mut sending = Sending::begin(is_ipv6)?;
        for (mtu, reason, mss) in cases {
            let outcome = sending.run(Message { mtu: *mtu, ..SOUND })?;
            assert_eq!(outcome.reason, *reason, "IPv6: {is_ipv6}, MTU {mtu}");
            assert_eq!(sending.mss()?, *mss, "IPv6: {is_ipv6}, MTU {mtu}");
        }
    }
    Ok(())
}

#[test]
fn a_message_about_a_segment_that_is_not_on_its_way_is_refused() -> Result<()> {
    for is_ipv6 in [false, true] {
        let mut sending = Sending::begin(is_ipv6)?;
        for distance in [u32::MAX, 1 << 31, 10 * 1460, 300_000] {
            let outcome = sending.run(Message { distance, ..SOUND })?;
            assert_eq!(outcome.reason, Some(Reason::PathMtuRefused), "{distance}");
            assert_eq!(outcome.counted.flows_narrowed, 0, "{distance}");
        }
        assert!(sending.mss()? >= 1440);
    }
    Ok(())
}

#[test]
fn messages_about_other_connections_and_of_other_kinds_belong_to_the_kernel() -> Result<()> {
    for is_ipv6 in [false, true] {
        let mut sending = Sending::begin(is_ipv6)?;
        let outcome = sending.run(Message { port: 4000, ..SOUND })?;
        assert_eq!(outcome.reason, Some(Reason::NotTcp));
        let icmp = 14 + if is_ipv6 { 40 } else { 20 };
        for (what, place, value) in [
            ("another code", icmp + 1, 1),
            ("an echo", icmp, 8),
            ("about UDP", icmp + 8 + if is_ipv6 { 6 } else { 9 }, 17),
        ] {
            let mut frame = sending.message(SOUND);
            frame[place] = value;
            let outcome = sending.bench.run(&frame)?;
            assert_eq!(outcome.reason, Some(Reason::NotTcp), "{what}");
        }
        let mut cut = sending.message(SOUND);
        cut.pop();
        assert_eq!(sending.bench.run(&cut)?.reason, Some(Reason::NotTcp), "cut off");
        assert!(sending.mss()? >= 1440);
    }
    Ok(())
}

#[test]
fn a_response_that_fits_one_segment_is_sent_again_in_smaller_ones() -> Result<()> {
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", &noise(1, 1000))?;
    let next = bench.open()?;
    let start = next.acknowledgment_number;
    let answer = bench.answer(&frame_in(ipv4(), TcpHeader { psh: true, ..next }, REQUEST))?;
    assert!(answer.payload.len() > 1000);
    let mut sending = Sending { bench, is_ipv6: false, start };
    let outcome = sending.run(Message { mtu: 600, ..SOUND })?;
    assert_eq!((outcome.verdict, outcome.counted.segments_repaired), (Verdict::Redirect, 3));
    assert!(Segment::read(&outcome.frame).is_err(), "a carrier is no segment");
    Ok(())
}
