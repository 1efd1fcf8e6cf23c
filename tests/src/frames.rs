//! Frames as clients send them, built and read by an implementation of the protocols that shares
//! no code with the server's.

use anyhow::{Context, Result, ensure};
use etherparse::{
    Ethernet2Header, IpHeaders, IpNumber, Ipv4Header, Ipv6Header, NetSlice, PacketBuilder,
    SlicedPacket, TcpHeader, TcpOptionElement, TransportSlice,
};
use zeroserve_tui::net::veth::{
    CLIENT_ADDRESS, CLIENT_ADDRESS_V6, SERVER_ADDRESS, SERVER_ADDRESS_V6,
};

/// Link-layer address of the client.
pub const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Link-layer address of the server.
pub const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// A port of the client.
pub const CLIENT_PORT: u16 = 40_000;
/// The port that is served.
pub const SERVER_PORT: u16 = 80;
/// The client's initial sequence number, near the wrap, where mistakes show.
pub const CLIENT_ISN: u32 = u32::MAX - 5;
/// The window that the client offers.
pub const CLIENT_WINDOW: u16 = 64_240;

/// A request for `/file`.
pub const REQUEST: &[u8] = b"GET /file HTTP/1.1\r\nHost: lab\r\n\r\n";

/// What Linux offers in a SYN, but for timestamps.
pub const LINUX_OPTIONS: [TcpOptionElement; 6] = [
    TcpOptionElement::MaximumSegmentSize(1460),
    TcpOptionElement::SelectiveAcknowledgementPermitted,
    TcpOptionElement::Noop,
    TcpOptionElement::Noop,
    TcpOptionElement::Noop,
    TcpOptionElement::WindowScale(7),
];

/// A TCP header from the client to the served port, without flags. The sequence number is the
/// given distance from the client's initial one.
pub fn tcp(distance: u32) -> TcpHeader {
    let sequence = CLIENT_ISN.wrapping_add(distance);
    TcpHeader::new(CLIENT_PORT, SERVER_PORT, sequence, CLIENT_WINDOW)
}

/// A SYN with options.
///
/// # Panics
///
/// Where the options do not fit.
pub fn syn(options: &[TcpOptionElement]) -> TcpHeader {
    let mut header = TcpHeader { syn: true, ..tcp(0) };
    header.set_options(options).expect("options that fit");
    header
}

/// The same header with ACK set.
pub fn ack(header: TcpHeader) -> TcpHeader {
    TcpHeader { ack: true, ..header }
}

/// The same header for a segment so many bytes later.
pub fn later(header: &TcpHeader, bytes: u32) -> TcpHeader {
    let sequence_number = header.sequence_number.wrapping_add(bytes);
    TcpHeader { sequence_number, ..header.clone() }
}

/// An IPv4 header from the client to the server.
pub fn ipv4() -> Ipv4Header {
    let (source, destination) = (CLIENT_ADDRESS.octets(), SERVER_ADDRESS.octets());
    let header = Ipv4Header::new(0, 64, IpNumber::TCP, source, destination);
    // Lengths and checksums are filled in when the frame is built.
    Ipv4Header { dont_fragment: true, identification: 0x1234, ..header.expect("a short payload") }
}

/// An IPv6 header from the client to the server.
pub fn ipv6() -> Ipv6Header {
    Ipv6Header {
        traffic_class: 0xb8,
        flow_label: FLOW_LABEL.try_into().expect("20 bits"),
        next_header: IpNumber::TCP,
        hop_limit: 64,
        source: CLIENT_ADDRESS_V6.octets(),
        destination: SERVER_ADDRESS_V6.octets(),
        // Filled in when the frame is built.
        payload_length: 0,
    }
}

/// The flow label of the client's IPv6 packets.
pub const FLOW_LABEL: u32 = 0xb_1234;

/// A frame from the client to the server, with valid lengths and checksums.
pub fn frame(tcp: TcpHeader, payload: &[u8]) -> Vec<u8> {
    frame_in(ipv4(), tcp, payload)
}

/// As [`frame`], with the IPv4 header given.
pub fn frame_in(ipv4: Ipv4Header, tcp: TcpHeader, payload: &[u8]) -> Vec<u8> {
    frame_over(IpHeaders::Ipv4(ipv4, Default::default()), tcp, payload)
}

/// As [`frame`], with the IPv6 header given.
pub fn frame_in_v6(ipv6: Ipv6Header, tcp: TcpHeader, payload: &[u8]) -> Vec<u8> {
    frame_over(IpHeaders::Ipv6(ipv6, Default::default()), tcp, payload)
}

/// A VLAN tag: the EtherType that says that it is one, and its priority and identifier.
pub type Tag = [u16; 2];

/// A frame with tags put into it, the outer one first.
pub fn tagged(tags: &[Tag], frame: &[u8]) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    let tags = tags.iter().flatten().flat_map(|word| word.to_be_bytes());
    addresses.iter().copied().chain(tags).chain(rest.iter().copied()).collect()
}

/// Takes the tags out of a frame, and returns them.
pub fn untagged(frame: &[u8]) -> (Vec<Tag>, Vec<u8>) {
    let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let mut tags = Vec::new();
    let mut at = 12;
    while frame.len() >= at + 6 && [0x8100, 0x88a8].contains(&word(at)) {
        tags.push([word(at), word(at + 2)]);
        at += 4;
    }
    (tags, [&frame[..12.min(frame.len())], &frame[at.min(frame.len())..]].concat())
}

/// A frame from the client to the server over any network layer, with valid lengths and checksums.
///
/// # Panics
///
/// Where the payload is too long.
pub fn frame_over(ip: IpHeaders, tcp: TcpHeader, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC)
        .ip(ip)
        .tcp_header(tcp)
        .write(&mut frame, payload)
        .expect("a payload that fits");
    frame
}

/// A segment that was received.
#[derive(Debug)]
pub struct Segment {
    /// Link-layer header.
    pub ethernet: Ethernet2Header,
    /// VLAN tags, the outer one first.
    pub tags: Vec<Tag>,
    /// Network-layer header.
    pub ip: IpHeaders,
    /// TCP header.
    pub tcp: TcpHeader,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Segment {
    /// Reads a frame that must be a whole TCP segment, with valid lengths and checksums.
    ///
    /// # Errors
    ///
    /// Where it is not.
    pub fn read(frame: &[u8]) -> Result<Self> {
        let (tags, frame) = untagged(frame);
        let sliced = SlicedPacket::from_ethernet(&frame).context("the frame makes no sense")?;
        let ethernet = sliced.link.as_ref().and_then(|link| link.to_header()?.ethernet2());
        let Some(TransportSlice::Tcp(transport)) = &sliced.transport else {
            anyhow::bail!("no TCP: {sliced:?}");
        };
        let (tcp, payload) = (transport.to_header(), transport.payload().to_vec());
        let (ip, bytes, sum) = match &sliced.net {
            Some(NetSlice::Ipv4(slice)) => {
                let header = slice.header().to_header();
                let sum = header.calc_header_checksum();
                ensure!(header.header_checksum == sum, "the IPv4 checksum is wrong: {header:?}");
                let tcp_sum = tcp.calc_checksum_ipv4(&header, &payload)?;
                let bytes = usize::from(header.total_len);
                (IpHeaders::Ipv4(header, Default::default()), bytes, tcp_sum)
            }
            Some(NetSlice::Ipv6(slice)) => {
                let header = slice.header().to_header();
                let tcp_sum = tcp.calc_checksum_ipv6(&header, &payload)?;
                let bytes = Ipv6Header::LEN + usize::from(header.payload_length);
                (IpHeaders::Ipv6(header, Default::default()), bytes, tcp_sum)
            }
            _ => anyhow::bail!("no IP: {sliced:?}"),
        };
        let expected = Ethernet2Header::LEN + bytes;
        ensure!(frame.len() == expected, "the frame has {} bytes, not {expected}", frame.len());
        ensure!(tcp.checksum == sum, "the TCP checksum is not {sum:#x}: {tcp:?}");
        Ok(Self { ethernet: ethernet.context("no Ethernet")?, tags, ip, tcp, payload })
    }

    /// Checks that it goes back to where [`frame`]s come from.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub fn check_addressed_to_client(&self) {
        assert_eq!((self.ethernet.source, self.ethernet.destination), (SERVER_MAC, CLIENT_MAC));
        match &self.ip {
            IpHeaders::Ipv4(header, _) => {
                let addresses = (SERVER_ADDRESS.octets(), CLIENT_ADDRESS.octets());
                assert_eq!((header.source, header.destination), addresses);
                assert!(header.time_to_live >= 32, "it may not arrive: {header:?}");
            }
            IpHeaders::Ipv6(header, _) => {
                let addresses = (SERVER_ADDRESS_V6.octets(), CLIENT_ADDRESS_V6.octets());
                assert_eq!((header.source, header.destination), addresses);
                assert!(header.hop_limit >= 32, "it may not arrive: {header:?}");
                assert_eq!(header.flow_label.value(), FLOW_LABEL);
            }
        }
        let ports = (SERVER_PORT, CLIENT_PORT);
        assert_eq!((self.tcp.source_port, self.tcp.destination_port), ports);
    }

    /// The names of the flags that are set.
    pub fn flags(&self) -> Vec<&'static str> {
        let tcp = &self.tcp;
        let flags = [
            ("syn", tcp.syn),
            ("ack", tcp.ack),
            ("fin", tcp.fin),
            ("rst", tcp.rst),
            ("psh", tcp.psh),
            ("urg", tcp.urg),
            ("ece", tcp.ece),
            ("cwr", tcp.cwr),
        ];
        flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
    }

    /// The TCP options but for padding.
    ///
    /// # Panics
    ///
    /// Where they are malformed.
    pub fn options(&self) -> Vec<TcpOptionElement> {
        let options = self.tcp.options_iterator().map(|option| option.expect("sound options"));
        options.filter(|option| *option != TcpOptionElement::Noop).collect()
    }
}
