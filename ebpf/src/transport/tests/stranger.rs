//! Transfers to a TCP that is neither Linux nor ours: `smoltcp`, over the same paths and against the
//! same server as the model of a Linux client.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken},
    socket::tcp::{Socket, SocketBuffer},
    time::{Duration, Instant},
    wire::{
        HardwareAddress, IpAddress, IpCidr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr,
        TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    },
};

use super::{Down, MSS, REQUEST_BYTES, SackBlock, Up, link::Link, server::Server};

const CLIENT: Ipv4Address = Ipv4Address::new(198, 18, 0, 2);
const SERVER: Ipv4Address = Ipv4Address::new(198, 18, 0, 1);

/// Bytes of the IP and TCP headers.
const HEADERS_BYTES: usize = 40;

/// When a transfer counts as hung.
const LIMIT_US: u64 = 900_000_000;

/// The stranger's network card: packets that it has not looked at, and those that it has sent.
#[derive(Default)]
struct Card {
    arrived: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Arrived(Vec<u8>);

struct Leaving<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, look: F) -> R {
        look(&self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, bytes: usize, fill: F) -> R {
        let mut packet = vec![0; bytes];
        let result = fill(&mut packet);
        self.0.push(packet);
        result
    }
}

impl Device for Card {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Arrived, Leaving<'_>)> {
        Some((Arrived(self.arrived.pop_front()?), Leaving(&mut self.sent)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = usize::from(MSS) + HEADERS_BYTES;
        capabilities
    }
}

/// What is simulated.
#[derive(Clone, Debug)]
struct Meeting {
    seed: u64,
    round_trip_us: u64,
    loss: f64,
    doubling: f64,
    holdup: f64,
    /// Bytes that the stranger buffers for its reader.
    buffer_bytes: usize,
    /// Bytes that its reader takes in a millisecond.
    reads_per_ms: usize,
    ack_delay_ms: Option<u64>,
    /// Whether we offer SACK.
    sack: bool,
    closes: bool,
    responses: Vec<usize>,
}

impl Meeting {
    const fn new(seed: u64, responses: Vec<usize>) -> Self {
        Self {
            seed,
            round_trip_us: 2000,
            loss: 0.0,
            doubling: 0.0,
            holdup: 0.0,
            buffer_bytes: 65_535,
            reads_per_ms: usize::MAX,
            ack_delay_ms: Some(10),
            sack: true,
            closes: false,
            responses,
        }
    }

    fn link(&self) -> Link {
        let mut link = Link::new(self.round_trip_us / 2);
        link.loss = self.loss;
        link.doubling = self.doubling;
        link.holdup = self.holdup;
        link.holdup_us = self.round_trip_us.max(2);
        link
    }
}

/// Everything that takes part in it.
struct Run<'a> {
    meeting: &'a Meeting,
    random: fastrand::Rng,
    card: Card,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    server: Option<Server>,
    responses: Vec<Vec<u8>>,
    first: u32,
    asked: usize,
    received: usize,
    reads_at_us: u64,
    now_us: u64,
}

impl<'a> Run<'a> {
    fn new(meeting: &'a Meeting) -> Self {
        let mut random = fastrand::Rng::with_seed(meeting.seed);
        let mut response = |bytes: &usize| (0..*bytes).map(|_| random.u8(..)).collect();
        let responses = meeting.responses.iter().map(&mut response).collect();
        let mut card = Card::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = meeting.seed;
        let mut interface = Interface::new(config, &mut card, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(IpAddress::Ipv4(CLIENT), 24)).expect("room for one");
        });
        let buffer = |bytes: usize| SocketBuffer::new(vec![0; bytes]);
        let mut socket = Socket::new(buffer(meeting.buffer_bytes), buffer(1000));
        socket.set_ack_delay(meeting.ack_delay_ms.map(Duration::from_millis));
        socket.connect(interface.context(), (SERVER, 80), 40_000).expect("a free socket");
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        // Sequence numbers wrap in some response.
        let first = 0_u32.wrapping_sub(random.u32(0..100_000));
        Self {
            meeting,
            random,
            card,
            interface,
            sockets,
            handle,
            server: None,
            responses,
            first,
            asked: 0,
            received: 0,
            reads_at_us: 0,
            now_us: 0,
        }
    }

    /// Until the stranger has everything, all it sent is acknowledged and the server has closed if
    /// it was to.
    fn run(mut self) -> u64 {
        let (mut up, mut down) = (self.meeting.link(), self.meeting.link());
        let mut events = BinaryHeap::new();
        let mut packets: Vec<(bool, Vec<u8>)> = Vec::new();
        loop {
            let now = Instant::from_micros(self.now_us as i64);
            self.interface.poll(now, &mut self.card, &mut self.sockets);
            self.read_and_ask();
            self.interface.poll(now, &mut self.card, &mut self.sockets);
            for packet in std::mem::take(&mut self.card.sent) {
                for at_us in up.carry(self.now_us, &mut self.random) {
                    events.push(Reverse((at_us, packets.len())));
                    packets.push((true, packet.clone()));
                }
            }
            if self.is_over() {
                return self.now_us;
            }
            let wakes = self.interface.poll_at(now, &self.sockets).map(|at| at.total_micros());
            let wakes_us = wakes.map_or(u64::MAX, |at| (at as u64).max(self.now_us + 1));
            let reads_us = if self.reads_at_us > self.now_us { self.reads_at_us } else { u64::MAX };
            let next_us = events.peek().map_or(u64::MAX, |Reverse((at_us, _))| *at_us);
            self.now_us = wakes_us.min(reads_us).min(next_us);
            let (seed, received) = (self.meeting.seed, self.received);
            assert!(self.now_us < LIMIT_US, "seed {seed}: hung at {received}: {:?}", self.meeting);
            while let Some(Reverse((at_us, index))) = events.peek().copied() {
                if at_us > self.now_us {
                    break;
                }
                events.pop();
                let (is_up, packet) = std::mem::take(&mut packets[index]);
                if !is_up {
                    self.card.arrived.push_back(packet);
                    continue;
                }
                for packet in self.serve(&packet) {
                    for at_us in down.carry(self.now_us, &mut self.random) {
                        events.push(Reverse((at_us, packets.len())));
                        packets.push((false, packet.clone()));
                    }
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        let socket = self.sockets.get::<Socket<'_>>(self.handle);
        let total: usize = self.responses.iter().map(Vec::len).sum();
        let has_all = self.received == total && self.asked == self.responses.len();
        has_all && socket.send_queue() == 0 && (!self.meeting.closes || !socket.may_recv())
    }

    /// What runs above the stranger's TCP: it reads, compares, and asks again.
    fn read_and_ask(&mut self) {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        if socket.can_recv() && self.now_us >= self.reads_at_us {
            let most = self.meeting.reads_per_ms.min(1 << 20);
            let mut bytes = vec![0; most];
            let count = socket.recv_slice(&mut bytes).expect("an open connection");
            let expected = self.responses.concat();
            let range = self.received..self.received + count;
            assert!(bytes[..count] == expected[range], "damaged at {}", self.received);
            self.received += count;
            self.reads_at_us = self.now_us + 1000;
            if self.meeting.reads_per_ms == usize::MAX {
                self.reads_at_us = self.now_us;
            }
        }
        let answered: usize = self.responses[..self.asked].iter().map(Vec::len).sum();
        let wants = self.asked < self.responses.len() && self.received == answered;
        if wants && socket.may_send() && socket.send_queue() == 0 {
            socket.send_slice(&[b'x'; REQUEST_BYTES as usize]).expect("an open connection");
            self.asked += 1;
        }
    }

    /// Gives a packet to the server, and returns what it sends.
    fn serve(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        let packet = Ipv4Packet::new_checked(packet).expect("a whole packet");
        let tcp = TcpPacket::new_checked(packet.payload()).expect("a whole segment");
        let (source, destination) = (CLIENT.into(), SERVER.into());
        let checks = ChecksumCapabilities::default();
        let segment = TcpRepr::parse(&tcp, &source, &destination, &checks).expect("a segment");
        let sequence = segment.seq_number.0 as u32;
        if segment.control == TcpControl::Syn {
            return vec![self.syn_ack(&segment)];
        }
        let acknowledgment = segment.ack_number.expect("an acknowledgment").0 as u32;
        if self.server.is_none() && segment.payload.is_empty() {
            return Vec::new();
        }
        let shift = segment_shift(self.meeting.buffer_bytes);
        let server = self.server.get_or_insert_with(|| {
            let window = u32::from(segment.window_len) << shift;
            let closes = self.meeting.closes;
            Server::new(&self.responses, acknowledgment, sequence, window, shift, closes)
        });
        let block = |(left, right)| SackBlock { left, right };
        let up = Up {
            sequence,
            payload_bytes: segment.payload.len() as u32,
            acknowledgment,
            window: segment.window_len,
            blocks: segment.sack_ranges.into_iter().flatten().map(block).collect(),
        };
        let replies = server.receive(&up, self.now_us);
        replies.iter().map(|down| packet_of(down, segment.src_port)).collect()
    }

    fn syn_ack(&self, syn: &TcpRepr<'_>) -> Vec<u8> {
        assert_eq!(syn.window_scale, Some(segment_shift(self.meeting.buffer_bytes)));
        packet(TcpRepr {
            src_port: 80,
            dst_port: syn.src_port,
            control: TcpControl::Syn,
            seq_number: TcpSeqNumber(self.first.wrapping_sub(1) as i32),
            ack_number: Some(syn.seq_number + 1),
            window_len: u16::MAX,
            window_scale: Some(0),
            max_seg_size: Some(MSS),
            sack_permitted: self.meeting.sack,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        })
    }
}

/// The shift that `smoltcp` chooses for a buffer.
fn segment_shift(buffer_bytes: usize) -> u8 {
    (usize::BITS - buffer_bytes.leading_zeros()).saturating_sub(16) as u8
}

fn packet_of(down: &Down, port: u16) -> Vec<u8> {
    packet(TcpRepr {
        src_port: 80,
        dst_port: port,
        control: if down.fin { TcpControl::Fin } else { TcpControl::None },
        seq_number: TcpSeqNumber(down.sequence as i32),
        ack_number: Some(TcpSeqNumber(down.acknowledgment as i32)),
        window_len: u16::MAX,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &down.payload,
    })
}

fn packet(tcp: TcpRepr<'_>) -> Vec<u8> {
    let checks = ChecksumCapabilities::default();
    let ip = Ipv4Repr {
        src_addr: SERVER,
        dst_addr: CLIENT,
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let mut bytes = vec![0; ip.buffer_len() + tcp.buffer_len()];
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut bytes[..]), &checks);
    let mut segment = TcpPacket::new_unchecked(&mut bytes[ip.buffer_len()..]);
    tcp.emit(&mut segment, &SERVER.into(), &CLIENT.into(), &checks);
    bytes
}

#[test]
fn a_stranger_gets_every_byte_over_any_path() {
    for seed in 0..12 {
        for (loss, doubling, holdup) in [
            (0.0, 0.0, 0.0),
            (0.01, 0.0, 0.0),
            (0.0, 0.05, 0.05),
            (0.05, 0.02, 0.02),
            (0.1, 0.0, 0.0),
        ] {
            for (round_trip_us, sack) in
                [(100, true), (100, false), (40_000, true), (40_000, false)]
            {
                let mut meeting = Meeting::new(seed, vec![200, 10_000, 60_000]);
                (meeting.loss, meeting.doubling, meeting.holdup) = (loss, doubling, holdup);
                (meeting.round_trip_us, meeting.sack) = (round_trip_us, sack);
                meeting.closes = seed % 2 == 0;
                Run::new(&meeting).run();
            }
        }
    }
}

#[test]
fn a_stranger_with_any_buffer_and_reader_gets_every_byte() {
    for seed in 0..4 {
        for buffer_bytes in [1, 2, 100, 1459, 1460, 3000, 10_000, 65_535, 100_000, 400_000] {
            for ack_delay_ms in [None, Some(10), Some(200)] {
                let mut meeting = Meeting::new(
                    seed,
                    vec![(20 * buffer_bytes).clamp(30, 700), (40 * buffer_bytes).clamp(50, 80_000)],
                );
                (meeting.buffer_bytes, meeting.ack_delay_ms) = (buffer_bytes, ack_delay_ms);
                meeting.loss = if seed < 2 { 0.0 } else { 0.02 };
                meeting.reads_per_ms =
                    if seed % 2 == 0 { usize::MAX } else { 1 + buffer_bytes / 3 };
                Run::new(&meeting).run();
            }
        }
    }
}

#[test]
fn a_stranger_on_a_clean_path_waits_for_no_timer() {
    for sack in [true, false] {
        let mut meeting = Meeting::new(1, vec![100_000]);
        meeting.sack = sack;
        let took_us = Run::new(&meeting).run();
        assert!(took_us < 100_000, "{took_us} us");
    }
}
