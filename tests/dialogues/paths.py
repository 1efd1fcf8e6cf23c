"""What routers say of the path (RFC 1191)."""

from scapy.layers.inet import ICMP, IP, TCP

from dialogue import dialogue
from peer import request


def complain(connection, seq, mtu):
    """Says, as a router does, that a segment of the server's was too large to go on."""
    link = connection.link
    quoted = IP(src=link.server, dst=link.address, flags="DF", len=1500)
    quoted /= TCP(sport=80, dport=connection.port, seq=seq)
    # A router quotes the IP header and eight bytes (RFC 792).
    link.send_ip(ICMP(type=3, code=4, nexthopmtu=mtu) / bytes(quoted)[:28])


def largest(connection, sent):
    """The largest segment after the client's timer has run out with nothing received."""
    connection.repeat_request(sent)
    return max(len(segment.payload) for segment in connection.receive_all())


def after_complaint(lab, ahead, mtu):
    connection, sent = lab.open(), request("/large")
    connection.send("PA", sent)
    flight = [segment for segment in connection.receive_all() if segment.payload]
    complain(connection, (flight[0].seq + ahead) % (1 << 32), mtu)
    found = largest(connection, sent)
    lab.check_answer(connection, "/large", sent)
    return found


@dialogue(
    "RFC 1191 section 6.4: segments become as small as the path wants them",
)
def segments_shrink_where_a_router_says_that_they_are_too_large(lab):
    assert after_complaint(lab, 0, 1000) <= 960


@dialogue("RFC 1191 section 6.4: the path of one connection is not that of another")
def other_connections_keep_their_size(lab):
    after_complaint(lab, 0, 1000)
    connection = lab.open()
    connection.send("PA", request("/large"))
    assert max(len(segment.payload) for segment in connection.receive_all()) == 1460


@dialogue("RFC 5927 section 4.1: complaints about what is not on its way are forged")
def complaints_with_numbers_that_are_not_in_flight_are_ignored(lab):
    for ahead in [-1, 1 << 20, 1 << 31]:
        assert after_complaint(lab, ahead, 600) == 1460, f"believed, {ahead} ahead"


@dialogue("RFC 1191 section 3: no path is so narrow that data must go out in crumbs")
def a_complaint_cannot_make_segments_tiny(lab):
    for mtu in [0, 1, 40, 67]:
        # Segments of a path of 68 bytes, the least that there may be, are the least to expect.
        assert after_complaint(lab, 0, mtu) >= 28, f"tiny after an MTU of {mtu}"
