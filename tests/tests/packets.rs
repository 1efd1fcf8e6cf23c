//! Packets in, packets out.

use anyhow::Result;
use etherparse::{
    ArpHardwareId, ArpOperation, ArpPacket, EtherType, Ipv4Header, Ipv4Options, PacketBuilder,
    TcpHeader,
    TcpOptionElement::{
        MaximumSegmentSize, SelectiveAcknowledgementPermitted, Timestamp, WindowScale,
    },
};
use zeroserve_shared::reason::{Reason, Verdict};
use zeroserve_tests::{
    bench::Bench,
    frames::{
        CLIENT_ISN, CLIENT_MAC, LINUX_OPTIONS, REQUEST, SERVER_MAC, ack, frame, frame_in, ipv4,
        syn, tagged, tcp,
    },
};
use zeroserve_tui::net::veth::{CLIENT_ADDRESS, SERVER_ADDRESS};

fn arp() -> Vec<u8> {
    let (client, server) = (CLIENT_ADDRESS.octets(), SERVER_ADDRESS.octets());
    let request = ArpPacket::new(
        ArpHardwareId::ETHERNET,
        EtherType::IPV4,
        ArpOperation::REQUEST,
        &CLIENT_MAC,
        &client,
        &[0; 6],
        &server,
    );
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(CLIENT_MAC, [0xff; 6])
        .arp(request.expect("sound addresses"))
        .write(&mut frame)
        .expect("a frame");
    frame
}

fn udp() -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC)
        .ipv4(CLIENT_ADDRESS.octets(), SERVER_ADDRESS.octets(), 64)
        .udp(40_000, 80)
        .write(&mut frame, b"question")
        .expect("a frame");
    frame
}

/// A SYN in an IPv4 header that has been tampered with after its checksum was made.
fn edited(edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = frame(syn(&LINUX_OPTIONS), &[]);
    edit(&mut frame);
    frame
}

/// Frames that are not answered, and why. Their verdict is that of the reason.
fn unanswered() -> Vec<(&'static str, Vec<u8>, Reason)> {
    let plain = syn(&[]);
    let to = |destination| Ipv4Header { destination, ..ipv4() };
    let options = Ipv4Options::try_from(&[1, 1, 1, 0][..]).expect("four bytes of padding");
    let fragment_offset = 8.try_into().expect("a fragment offset");
    vec![
        ("an ARP request", arp(), Reason::NotIp),
        ("a tagged ARP request", tagged(&[[0x8100, 7]], &arp()), Reason::NotIp),
        ("a UDP datagram for the served port", udp(), Reason::NotTcp),
        (
            "a SYN for ssh",
            frame(TcpHeader { destination_port: 22, ..plain.clone() }, &[]),
            Reason::OtherPort,
        ),
        (
            "a segment from the served port to another",
            frame(TcpHeader { source_port: 80, destination_port: 40_000, ..ack(tcp(1)) }, &[]),
            Reason::OtherPort,
        ),
        (
            "a SYN for somebody else, to be forwarded",
            frame_in(to([198, 18, 0, 9]), plain.clone(), &[]),
            Reason::NotLocal,
        ),
        (
            "a SYN with IPv4 options",
            frame_in(Ipv4Header { options, ..ipv4() }, plain.clone(), &[]),
            Reason::IpOptions,
        ),
        (
            "a first fragment",
            frame_in(Ipv4Header { more_fragments: true, ..ipv4() }, plain.clone(), &[0; 8]),
            Reason::IpFragment,
        ),
        (
            "a last fragment",
            frame_in(Ipv4Header { fragment_offset, ..ipv4() }, plain.clone(), &[0; 8]),
            Reason::IpFragment,
        ),
        (
            "a frame that ends in the IPv4 header",
            edited(|frame| frame.truncate(14 + 12)),
            Reason::MalformedHeader,
        ),
        (
            "a frame that ends in the TCP header",
            edited(|frame| frame.truncate(14 + 20 + 12)),
            Reason::MalformedHeader,
        ),
        (
            "a frame that ends in the TCP options",
            edited(|frame| frame.truncate(14 + 20 + 22)),
            Reason::MalformedHeader,
        ),
        (
            "a TCP header that claims to be shorter than one can be",
            edited(|frame| frame[14 + 20 + 12] = 0x40),
            Reason::MalformedHeader,
        ),
        (
            "an IPv4 packet that claims to be shorter than its headers",
            edited(|frame| frame[14 + 3] = 30),
            Reason::MalformedHeader,
        ),
        ("no flags at all", frame(tcp(1), &[]), Reason::FlagsInvalid),
        (
            "SYN and FIN together",
            frame(TcpHeader { fin: true, ..plain.clone() }, &[]),
            Reason::FlagsInvalid,
        ),
        (
            "SYN and RST together",
            frame(TcpHeader { rst: true, ..plain }, &[]),
            Reason::FlagsInvalid,
        ),
        ("FIN without ACK", frame(TcpHeader { fin: true, ..tcp(1) }, &[]), Reason::FlagsInvalid),
        (
            "a bare ACK with a cookie that was never given",
            frame(TcpHeader { acknowledgment_number: 0xdead_beef, ..ack(tcp(1)) }, &[]),
            Reason::UnknownConnection,
        ),
        (
            "a request with a cookie that was never given",
            frame(TcpHeader { acknowledgment_number: 0xdead_beef, ..ack(tcp(1)) }, REQUEST),
            Reason::UnknownConnection,
        ),
        (
            "an answer to a connection opened from the served port",
            frame(TcpHeader { syn: true, acknowledgment_number: 1, ..ack(tcp(0)) }, &[]),
            Reason::UnknownConnection,
        ),
    ]
}

#[test]
fn what_is_not_answered_leaves_by_its_reason() -> Result<()> {
    let mut bench = Bench::new()?;
    bench.lab.publish("/file", b"here")?;
    for (description, frame, reason) in unanswered() {
        let outcome = bench.run(&frame)?;
        assert_eq!(outcome.reason, Some(reason), "{description}");
        assert_eq!(outcome.verdict, reason.verdict(), "{description}");
        assert_eq!(outcome.counted.packets_out, 0, "{description}");
        assert_eq!(outcome.counted.flows_created, 0, "{description}");
    }
    Ok(())
}

#[test]
fn a_syn_is_answered_with_what_it_offered_and_nothing_else() -> Result<()> {
    let mut bench = Bench::new()?;
    let cases = [
        ("what Linux offers", LINUX_OPTIONS.to_vec(), (true, true)),
        (
            "with timestamps",
            {
                let mut options = LINUX_OPTIONS.to_vec();
                options.truncate(2);
                options.extend([Timestamp(7, 0), WindowScale(7)]);
                options
            },
            (true, true),
        ),
        ("no SACK", vec![MaximumSegmentSize(1400), WindowScale(2)], (false, true)),
        (
            "no window scale",
            vec![MaximumSegmentSize(1400), SelectiveAcknowledgementPermitted],
            (true, false),
        ),
        ("only an MSS", vec![MaximumSegmentSize(1400)], (false, false)),
    ];
    for (description, offered, (sack, scale)) in cases {
        let answer = bench.answer(&frame(syn(&offered), &[]))?;
        assert_eq!(answer.flags(), ["syn", "ack"], "{description}");
        let acknowledged = CLIENT_ISN.wrapping_add(1);
        assert_eq!(answer.tcp.acknowledgment_number, acknowledged, "{description}");
        assert!(answer.payload.is_empty(), "{description}");
        let options = answer.options();
        assert!(options.contains(&MaximumSegmentSize(1460)), "{description}: {options:?}");
        let has_sack = options.contains(&SelectiveAcknowledgementPermitted);
        assert_eq!(has_sack, sack, "{description}: {options:?}");
        let has_scale = options.iter().any(|option| matches!(option, WindowScale(_)));
        assert_eq!(has_scale, scale, "{description}: {options:?}");
        let echoed = options.iter().find_map(|option| match option {
            Timestamp(_, echoed) => Some(*echoed),
            _ => None,
        });
        let clock = offered.iter().find_map(|option| match option {
            Timestamp(clock, _) => Some(*clock),
            _ => None,
        });
        assert_eq!(echoed, clock, "{description}: {options:?}");
    }
    Ok(())
}

#[test]
fn a_syn_stores_nothing_and_is_counted_as_a_handshake() -> Result<()> {
    let mut bench = Bench::new()?;
    let outcome = bench.run(&frame(syn(&LINUX_OPTIONS), &[]))?;
    assert_eq!(outcome.verdict, Verdict::Tx);
    let counted = outcome.counted;
    assert_eq!((counted.handshakes, counted.flows_created, counted.packets_out), (1, 0, 1));
    assert_eq!(counted.bytes_out, outcome.frame.len() as u64);
    Ok(())
}

#[test]
fn a_syn_without_options_is_told_our_segment_size_at_most() -> Result<()> {
    let mut bench = Bench::new()?;
    let answer = bench.answer(&frame(syn(&[]), &[]))?;
    let options = answer.options();
    assert!(matches!(options[..], [] | [MaximumSegmentSize(1460)]), "{options:?}");
    Ok(())
}

#[test]
fn a_padded_frame_is_answered_like_one_that_is_not() -> Result<()> {
    let mut bench = Bench::new()?;
    let mut padded = frame(syn(&LINUX_OPTIONS), &[]);
    padded.resize(padded.len() + 6, 0);
    let answer = bench.answer(&padded)?;
    assert_eq!(answer.flags(), ["syn", "ack"]);
    Ok(())
}

#[test]
fn the_bare_ack_of_the_handshake_is_consumed_and_stores_nothing() -> Result<()> {
    let mut bench = Bench::new()?;
    let next = bench.open()?;
    let outcome = bench.run(&frame(next, &[]))?;
    assert_eq!(outcome.reason, Some(Reason::HandshakeComplete));
    assert_eq!(outcome.counted.flows_created, 0);
    Ok(())
}

#[test]
fn a_cookie_is_worth_nothing_to_another_port_or_a_few_bytes_later() -> Result<()> {
    let mut bench = Bench::new()?;
    let next = bench.open()?;
    let sequence_number = next.sequence_number.wrapping_add(9);
    for (description, stolen) in [
        ("another port", TcpHeader { source_port: 40_001, ..next.clone() }),
        ("another sequence number", TcpHeader { sequence_number, ..next.clone() }),
        ("another address", next.clone()),
    ] {
        let mut header = ipv4();
        if description == "another address" {
            header.source[3] += 1;
        }
        let outcome = bench.run(&frame_in(header, stolen, REQUEST))?;
        assert_eq!(outcome.counted.flows_created, 0, "{description}");
        if description == "another sequence number" {
            // It may have overtaken the first bytes, so the client is told what is missing.
            assert_eq!(outcome.verdict, Verdict::Tx, "{description}");
            let told =
                zeroserve_tests::frames::Segment::read(&outcome.frame)?.tcp.acknowledgment_number;
            assert_eq!(told, next.sequence_number);
        } else {
            assert_eq!(outcome.reason, Some(Reason::UnknownConnection), "{description}");
        }
    }
    Ok(())
}
