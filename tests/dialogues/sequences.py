"""Sequence numbers that pass zero (RFC 9293 section 3.4)."""

from dialogue import dialogue
from peer import SEQUENCES, request


@dialogue("RFC 9293 section 3.4: arithmetic modulo 2^32, in the middle of a request")
def the_clients_numbers_may_pass_zero(lab):
    sent = request("/medium")
    for before in [0, 1, 2, 5, len(sent) - 1, len(sent), len(sent) + 1]:
        connection = lab.open(isn=SEQUENCES - 1 - before)
        lab.check(connection, "/medium")
        lab.check(connection, "/small")


@dialogue("RFC 9293 section 3.4: arithmetic modulo 2^32, between the pieces of a request")
def the_clients_numbers_may_pass_zero_between_segments(lab):
    sent = request("/small")
    connection = lab.open(isn=SEQUENCES - 21)
    for start in range(0, len(sent), 10):
        connection.send("PA", sent[start:start + 10])
    lab.check_answer(connection, "/small", sent)


def nearly_wrapping(lab, within):
    """A connection on which the server's numbers pass zero within so many bytes. What the cookie
    says of this client makes its numbers begin with 0xff; the rest is chance."""
    options = [("MSS", 1460), ("SAckOK", b"")]
    for _ in range(2000):
        connection = lab.connection(options=options)
        answer = connection.syn()
        if SEQUENCES - answer.seq < within:
            connection.send("A")
            return connection
    raise AssertionError(f"of 2000 sequence numbers none was within {within} of zero")


@dialogue("RFC 9293 section 3.4: arithmetic modulo 2^32, in the middle of an answer")
def our_numbers_may_pass_zero(lab):
    connection = nearly_wrapping(lab, 900_000)
    lab.check(connection, "/huge", each=2)
    assert connection.receive_next < SEQUENCES // 2, "they did not"
    lab.check(connection, "/medium")


@dialogue("RFC 9293 section 3.4, RFC 2018: the same where every twentieth segment gets lost")
def our_numbers_may_pass_zero_while_holes_are_repaired(lab):
    connection = nearly_wrapping(lab, 900_000)
    count = iter(range(1_000_000))
    lab.check(connection, "/huge", lose=lambda segment: next(count) % 20 == 7)
    assert connection.receive_next < SEQUENCES // 2, "they did not"
