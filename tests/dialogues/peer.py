"""A TCP peer that does what a dialogue tells it, and nothing else.

It has an address that the kernel does not own, so nobody answers in its stead. Segments are built
and read by scapy, frames go through a packet socket. Whatever comes must have valid checksums.
"""

import select
import socket
import struct
import time
from collections import defaultdict, deque

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import ARP, Ether
from scapy.utils import checksum

# What a client waits before it repeats what was not acknowledged, at least: the server takes
# repeats that come sooner for something else. Linux waits four times as long.
TIMER_S = 0.05

# How often it does so while nothing comes.
REPEATS = 12

# How long to wait for the server's kernel. Only a test that fails waits so long.
PATIENCE_S = 10.0

ETH_P_ALL = 3
SEQUENCES = 1 << 32


def distance(a, b):
    """How far a is ahead of b, as sequence numbers go (RFC 9293 section 3.4)."""
    return (a - b + (1 << 31)) % SEQUENCES - (1 << 31)


class Silence(AssertionError):
    """Nothing came."""


class Segment:
    """A segment that came."""

    def __init__(self, packet):
        tcp = packet[TCP]
        header_bytes = packet.ihl * 4 + tcp.dataofs * 4
        self.seq, self.ack, self.window = tcp.seq, tcp.ack, tcp.window
        self.flags = str(tcp.flags)
        self.options = dict(tcp.options)
        self.payload = bytes(packet)[header_bytes:packet.len]

    def __str__(self):
        end = (self.seq + len(self.payload)) % SEQUENCES
        return f"{self.flags} {self.seq}:{end} ack {self.ack} win {self.window} {self.options}"


class Link:
    """The client's end of the wire, shared by all connections."""

    def __init__(self, interface, hardware, address, server):
        self.hardware, self.address, self.server = hardware, address, server
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((interface, 0))
        self.socket.setblocking(False)
        self.queues = defaultdict(deque)
        self.transcript = []
        question = ARP(op="who-has", hwsrc=hardware, psrc=address, pdst=server)
        self.question = bytes(Ether(src=hardware, dst="ff:ff:ff:ff:ff:ff") / question)
        self.server_hardware = self._ask_for_server()

    def _ask_for_server(self):
        """Asks for the server's hardware address (RFC 826); takes segments that come before."""
        self.socket.send(self.question)
        deadline = time.monotonic() + PATIENCE_S
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                break
            if (answer := self._sort(self.socket.recvfrom(65536))) is not None:
                return answer
        raise RuntimeError(f"nobody says where {self.server} is")

    def settle(self):
        """Takes everything that the server sends because of what it was sent. It has no timers,
        so what has not come when a question asked later is answered does not come. Asked twice,
        because answers of the XDP program leave at the end of a batch, behind the kernel's."""
        self._ask_for_server()
        self._ask_for_server()

    def send_ip(self, packet):
        """Sends what goes into an IP packet."""
        frame = Ether(src=self.hardware, dst=self.server_hardware)
        self.socket.send(bytes(frame / IP(src=self.address, dst=self.server, flags="DF") / packet))

    def send(self, tcp, payload):
        self.send_ip(tcp / payload)
        end = (tcp.seq + len(payload)) % SEQUENCES
        line = f"{tcp.flags} {tcp.seq}:{end} ack {tcp.ack} win {tcp.window} {dict(tcp.options)}"
        self.transcript.append(f"{tcp.sport} > {line}")

    def receive(self, port):
        """The next segment for a port, or None if there is none."""
        if not self.queues[port]:
            self.settle()
        return self.queues[port].popleft() if self.queues[port] else None

    def _sort(self, received):
        """Queues a segment. Returns the server's hardware address if it is told."""
        frame, origin = received
        # What leaves is seen here, too, and so is what is meant for others.
        if origin[2] == socket.PACKET_OUTGOING:
            return None
        if frame[12:14] == b"\x08\x06":
            told = ARP(frame[14:])
            return told.hwsrc if told.op == 2 and told.psrc == self.server else None
        if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
            return None
        if frame[30:34] == socket.inet_aton(self.address):
            check_checksums(frame[14:])
            packet = IP(frame[14:])
            segment = Segment(packet)
            self.transcript.append(f"{packet[TCP].dport} < {segment}")
            self.queues[packet[TCP].dport].append(segment)
        return None


def check_checksums(packet):
    """RFC 791 section 3.1, RFC 9293 section 3.1."""
    header_bytes, total_bytes = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
    assert checksum(packet[:header_bytes]) == 0, "a wrong IP checksum"
    assert total_bytes <= 1500, f"a packet of {total_bytes} bytes"
    tcp = packet[header_bytes:total_bytes]
    pseudo = packet[12:20] + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp))
    assert checksum(pseudo + tcp) == 0, "a wrong TCP checksum"


class Connection:
    """One connection. Sequence numbers are absolute, as on the wire."""

    ports = iter(range(20000, 60000))

    def __init__(self, link, isn=0x1000_0000, options=None, window=65535, port=None, stamps=None):
        self.link = link
        self.port = port or next(Connection.ports)
        self.isn = isn
        self.options = DEFAULT_OPTIONS if options is None else options
        self.window = window
        # The next number to send, the next to come, and what the server has acknowledged.
        self.send_next = isn
        self.receive_next = 0
        self.acknowledged = isn
        self.received = Received()
        self.stamps = stamps

    def send(self, flags="A", payload=b"", seq=None, ack=None, window=None, options=(),
             raw_options=b""):
        """Sends a segment. Without `seq` it is the next one, and counts. `raw_options` are such as
        scapy would not build, a multiple of four bytes."""
        tcp = TCP(
            sport=self.port,
            dport=80,
            flags=flags,
            seq=self.send_next if seq is None else seq % SEQUENCES,
            ack=(self.receive_next if ack is None else ack % SEQUENCES) if "A" in flags else 0,
            window=self.window if window is None else window,
            options=self.stamps.put(list(options), "S" in flags) if self.stamps else list(options),
        )
        if raw_options:
            tcp.dataofs = 5 + len(raw_options) // 4
        self.link.send(tcp, raw_options + payload)
        if seq is None:
            occupied = len(payload) + ("S" in flags) + ("F" in flags)
            self.send_next = (self.send_next + occupied) % SEQUENCES

    def receive(self):
        """The next segment, which must come."""
        segment = self.link.receive(self.port)
        if segment is None:
            raise Silence("nothing came")
        if self.stamps:
            self.stamps.check(segment)
        if "A" in segment.flags and distance(segment.ack, self.acknowledged) > 0:
            self.acknowledged = segment.ack
        return segment

    def receive_all(self):
        """Everything that comes."""
        segments = []
        while True:
            try:
                segments.append(self.receive())
            except Silence:
                return segments

    def expect_silence(self):
        segments = self.receive_all()
        assert not segments, f"came, but must not: {segments[0]}"

    def expect_ack(self, seq=None):
        """A bare acknowledgment of everything sent."""
        segment = self.receive()
        assert segment.flags == "A" and not segment.payload, f"no bare ACK: {segment}"
        assert segment.ack == self.send_next, f"acknowledges {segment.ack}, not {self.send_next}"
        assert seq is None or segment.seq == seq, f"its number is not {seq}: {segment}"
        return segment

    def open(self):
        """The handshake (RFC 9293 section 3.5)."""
        answer = self.syn()
        self.send("A")
        return answer

    def syn(self, flags="S", payload=b""):
        """The first two thirds of it; returns the answer."""
        self.send_next = self.isn
        self.send(flags, payload, options=self.options)
        self.send_next = (self.isn + 1) % SEQUENCES
        answer = self.receive()
        assert answer.flags == "SA", f"no SYN-ACK: {answer}"
        assert answer.ack == self.send_next, f"it acknowledges {answer.ack}"
        self.receive_next = (answer.seq + 1) % SEQUENCES
        self.received.start = self.receive_next
        return answer

    def take(self, segment):
        """Takes what a segment brings."""
        self.received.take(segment)
        self.receive_next = self.received.next()

    def ack(self, window=None):
        """Acknowledges what has come, with SACK blocks where something is missing."""
        blocks = self.received.sack_blocks()
        wants = blocks and any(name == "SAckOK" for name, _ in self.options)
        numbers = tuple(number for block in blocks[:3] for number in block)
        options = [("NOP", None), ("NOP", None), ("SAck", numbers)] if wants else []
        self.send("A", window=window, options=options)

    def repeat_request(self, request):
        """What the client's timer does: sends what is not acknowledged of the request again."""
        time.sleep(TIMER_S)
        open_bytes = distance(self.send_next, self.acknowledged)
        assert open_bytes > 0, "all of the request is acknowledged, so no timer runs"
        self.send("PA", request[-open_bytes:], seq=self.acknowledged)

    def answer(self, request=b"", lose=lambda segment: False, each=1, window=None):
        """Receives a whole answer as a plain client does, and returns its body. `lose` says which
        segments get lost; where all is quiet before the end, the client's timer runs out."""
        repeats, pending = 0, 0
        while (body := self.received.answer()) is None:
            try:
                segment = self.receive()
            except Silence:
                repeats += 1
                assert repeats <= REPEATS, f"it ends after {len(self.received.bytes)} bytes"
                self.repeat_request(request)
                continue
            assert "R" not in segment.flags, f"a reset: {segment}"
            if lose(segment):
                continue
            expected = self.receive_next
            self.take(segment)
            pending += 1
            repeats = repeats if self.receive_next == expected else 0
            if pending >= each or segment.seq != expected:
                self.ack(window)
                pending = 0
        self.ack(window)
        return body

    def get(self, path, fields="", **how):
        """Asks and receives; checks the body where it is known."""
        sent = request(path, fields)
        self.send("PA", sent)
        return self.answer(sent, **how)


class Stamps:
    """Timestamps in every segment (RFC 7323 section 3.2), checked in every segment that comes."""

    def __init__(self, clock=0xffff_fff0, place=0):
        self.clock = clock
        # Where the option stands among others, in segments that are no SYN.
        self.place = place
        self.echoes = 0
        # A segment that has none, by its number.
        self.omitted = False

    def put(self, options, is_syn):
        if self.omitted:
            return options
        self.clock = (self.clock + 1) % SEQUENCES
        stamp = [("NOP", None), ("NOP", None), ("Timestamp", (self.clock, self.echoes))]
        at = len(options) if is_syn else self.place
        return options[:at] + stamp + options[at:]

    def check(self, segment):
        if "R" in segment.flags:
            return
        assert "Timestamp" in segment.options, f"no timestamps: {segment}"
        clock, echoed = segment.options["Timestamp"]
        # The one of a flight that is on its way may be older than the latest.
        assert -200 < distance(echoed, self.clock) <= 0, f"{self.clock} was sent: {segment}"
        assert not self.echoes or distance(clock, self.echoes) >= 0, f"went back: {segment}"
        assert len(segment.payload) <= 1448, f"no room for the option: {segment}"
        self.echoes = clock


DEFAULT_OPTIONS = [("MSS", 1460), ("NOP", None), ("WScale", 7), ("SAckOK", b"")]


def request(path, fields=""):
    return f"GET {path} HTTP/1.1\r\nHost: lab\r\n{fields}\r\n".encode()


class Received:
    """The stream that came in, with its holes."""

    def __init__(self):
        # Number of the first byte; bytes from it on without a hole; ranges beyond by their offset.
        self.start = 0
        self.bytes = bytearray()
        self.beyond = {}
        self.latest = 0
        self.finished = None
        # Bytes of answers that have been taken off.
        self.taken = 0

    def take(self, segment):
        """Takes what a segment carries. What came before must be the same again."""
        if "F" in segment.flags:
            self.finished = distance(segment.seq, self.start) + len(segment.payload)
        offset, payload = distance(segment.seq, self.start), segment.payload
        if not payload:
            return
        assert offset >= 0, f"from before the beginning: {segment}"
        self.latest = offset
        if len(self.beyond.get(offset, b"")) < len(payload):
            self.beyond[offset] = payload
        for offset in sorted(self.beyond):
            if offset > len(self.bytes):
                break
            payload = self.beyond.pop(offset)
            known = min(len(self.bytes) - offset, len(payload))
            before = self.bytes[offset:offset + known]
            assert before == payload[:known], f"other bytes at {offset} than before"
            self.bytes += payload[known:]

    def next(self):
        """The number expected next."""
        return (self.start + len(self.bytes) + self.is_finished()) % SEQUENCES

    def is_finished(self):
        """Whether the server's FIN has come, and all before it."""
        return self.finished == len(self.bytes)

    def sack_blocks(self):
        """Ranges beyond the first hole, the latest first (RFC 2018 section 4)."""
        ranges = []
        for offset in sorted(self.beyond):
            end = offset + len(self.beyond[offset])
            if ranges and ranges[-1][1] >= offset:
                ranges[-1][1] = max(ranges[-1][1], end)
            else:
                ranges.append([offset, end])
        ranges.sort(key=lambda one: not one[0] <= self.latest < one[1])
        return [tuple((self.start + edge) % SEQUENCES for edge in one) for one in ranges]

    def answer(self):
        """The body of the next answer once it is whole, or None."""
        front = bytes(self.bytes[self.taken:self.taken + 4096])
        head, end, _ = front.partition(b"\r\n\r\n")
        if not end:
            return None
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        begin = self.taken + len(head) + len(end)
        total = begin + int(fields["content-length"])
        if len(self.bytes) < total:
            return None
        assert lines[0] == "HTTP/1.1 200 OK", lines[0]
        self.taken = total
        return bytes(self.bytes[begin:total])
