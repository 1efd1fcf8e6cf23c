//! Frames as clients send them, built and read by an implementation of the protocols that shares
//! no code with the server's.

use anyhow::{Context, Result, ensure};
use etherparse::{
    Ethernet2Header, IpHeaders, IpNumber, Ipv4Header, NetSlice, PacketBuilder, SlicedPacket,
    TcpHeader, TcpOptionElement, TransportSlice,
};
use zeroserve_tui::net::veth::{CLIENT_ADDRESS, SERVER_ADDRESS};

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

/// A frame from the client to the server, with valid lengths and checksums.
pub fn frame(tcp: TcpHeader, payload: &[u8]) -> Vec<u8> {
    frame_in(ipv4(), tcp, payload)
}

/// As [`frame`], with the IPv4 header given.
///
/// # Panics
///
/// Where the payload is too long.
pub fn frame_in(ipv4: Ipv4Header, tcp: TcpHeader, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC)
        .ip(IpHeaders::Ipv4(ipv4, Default::default()))
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
    /// IPv4 header.
    pub ipv4: Ipv4Header,
    /// TCP header.
    pub tcp: TcpHeader,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Segment {
    /// Reads a frame that must be a whole TCP segment over IPv4, with valid lengths and checksums.
    ///
    /// # Errors
    ///
    /// Where it is not.
    pub fn read(frame: &[u8]) -> Result<Self> {
        let sliced = SlicedPacket::from_ethernet(frame).context("the frame makes no sense")?;
        let ethernet = sliced.link.as_ref().and_then(|link| link.to_header()?.ethernet2());
        let Some(NetSlice::Ipv4(net)) = &sliced.net else { anyhow::bail!("no IPv4: {sliced:?}") };
        let Some(TransportSlice::Tcp(transport)) = &sliced.transport else {
            anyhow::bail!("no TCP: {sliced:?}");
        };
        let segment = Self {
            ethernet: ethernet.context("no Ethernet")?,
            ipv4: net.header().to_header(),
            tcp: transport.to_header(),
            payload: transport.payload().to_vec(),
        };
        let Self { ipv4, tcp, payload, .. } = &segment;
        ensure!(
            frame.len() == Ethernet2Header::LEN + usize::from(ipv4.total_len),
            "the frame has {} bytes, its IPv4 packet {}",
            frame.len(),
            ipv4.total_len
        );
        let sum = ipv4.calc_header_checksum();
        ensure!(ipv4.header_checksum == sum, "the IPv4 checksum is wrong: {ipv4:?}");
        let sum = tcp.calc_checksum_ipv4(ipv4, payload)?;
        ensure!(tcp.checksum == sum, "the TCP checksum is not {sum:#x}: {tcp:?}");
        Ok(segment)
    }

    /// Checks that it goes back to where [`frame`]s come from.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub fn check_addressed_to_client(&self) {
        assert_eq!((self.ethernet.source, self.ethernet.destination), (SERVER_MAC, CLIENT_MAC));
        let addresses = (SERVER_ADDRESS.octets(), CLIENT_ADDRESS.octets());
        assert_eq!((self.ipv4.source, self.ipv4.destination), addresses);
        let ports = (SERVER_PORT, CLIENT_PORT);
        assert_eq!((self.tcp.source_port, self.tcp.destination_port), ports);
        assert!(self.ipv4.time_to_live >= 32, "it may not arrive: {:?}", self.ipv4);
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
