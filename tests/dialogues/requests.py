"""Requests that come in pieces, late, twice or in disorder."""

from dialogue import dialogue
from peer import request


def check_only_once(connection):
    """Once all is acknowledged nothing new may come."""
    end = connection.receive_next
    for segment in connection.receive_all():
        connection.take(segment)
    assert connection.receive_next == end, "answered twice"


@dialogue("RFC 9293 section 3.7: segments carry any number of bytes")
def a_request_may_come_a_byte_a_segment(lab):
    connection, sent = lab.open(), request("/small")
    for index in range(len(sent)):
        connection.send("PA", sent[index:index + 1])
    lab.check_answer(connection, "/small", sent)


@dialogue("RFC 9293 section 3.10.7.4: each byte of a request is acknowledged in the end")
def a_request_in_two_pieces_is_acknowledged(lab):
    connection, sent = lab.open(), request("/small")
    connection.send("PA", sent[:20])
    connection.expect_ack()
    connection.send("PA", sent[20:])
    lab.check_answer(connection, "/small", sent)
    connection.receive_all()
    assert connection.acknowledged == connection.send_next, "not all of it is acknowledged"


@dialogue(
    "RFC 9293 section 3.10.7.4: a segment in the window that comes too early is no reason to reset",
)
def a_request_whose_first_piece_got_lost_is_answered_once_it_is_repeated(lab):
    connection, sent = lab.open(), request("/small")
    connection.send("PA", sent[20:], seq=connection.isn + 21)
    for segment in connection.receive_all():
        assert "R" not in segment.flags, f"reset: {segment}"
    connection.send("PA", sent[:20])
    connection.receive_all()
    connection.send("PA", sent[20:])
    lab.check_answer(connection, "/small", sent)


@dialogue(
    "RFC 9293 section 3.10.7.4: a SYN-ACK that came twice is acknowledged behind a request that got lost",
)
def an_acknowledgment_that_overtakes_the_first_request_does_no_harm(lab):
    connection, sent = lab.open(), request("/small")
    connection.send("A", seq=connection.isn + 1 + len(sent))
    for segment in connection.receive_all():
        assert "R" not in segment.flags, f"reset: {segment}"
    connection.send("PA", sent)
    lab.check_answer(connection, "/small", sent)


@dialogue("RFC 9293 section 3.10.7.4: what comes too early is kept, or comes again")
def a_later_request_may_come_in_disorder(lab):
    connection, sent = lab.open(), request("/medium")
    lab.check(connection, "/small")
    connection.receive_all()
    at = connection.send_next
    connection.send("PA", sent[20:], seq=at + 20)
    connection.receive_all()
    connection.send("PA", sent[:20])
    connection.receive_all()
    connection.send("PA", sent[20:])
    lab.check_answer(connection, "/medium", sent)


@dialogue("RFC 9293 section 3.10.7.4, RFC 5681 section 4.2: a gap is answered at once")
def a_request_with_a_gap_is_answered_with_a_duplicate_acknowledgment(lab):
    connection, sent = lab.open(), request("/medium")
    lab.check(connection, "/small")
    connection.receive_all()
    connection.send("PA", sent[20:], seq=connection.send_next + 20)
    connection.expect_ack()


@dialogue("RFC 9293 section 3.10.7.4: what is known already is trimmed off")
def pieces_of_a_request_may_overlap(lab):
    connection, sent = lab.open(), request("/small")
    base = connection.send_next
    for start, end in [(0, 10), (5, 20), (0, 20), (19, 21), (10, len(sent))]:
        connection.send("PA", sent[start:end], seq=base + start)
        connection.send_next = base + end
    lab.check_answer(connection, "/small", sent)


@dialogue("RFC 9293 section 3.10.7.4: a repeated request is not a second one")
def a_request_that_comes_twice_is_answered_once(lab):
    connection, sent = lab.open(), request("/small")
    connection.send("PA", sent)
    connection.send("PA", sent, seq=connection.send_next - len(sent))
    lab.check_answer(connection, "/small", sent)
    check_only_once(connection)


@dialogue("RFC 9293 section 3.10.7.4: an old duplicate of a request is acknowledged, and no more")
def a_repeat_of_a_request_that_was_answered_long_ago_is_acknowledged(lab):
    connection, sent = lab.open(), request("/small")
    connection.send("PA", sent)
    lab.check_answer(connection, "/small", sent)
    connection.receive_all()
    connection.send("PA", sent, seq=connection.send_next - len(sent))
    connection.expect_ack(connection.receive_next)
    lab.check(connection, "/medium")


@dialogue("RFC 9293 section 3.8.1: an answer that got lost comes again when the request does")
def an_answer_that_got_lost_as_a_whole_is_repeated(lab):
    for path in ["/small", "/medium", "/large"]:
        connection, sent = lab.open(), request(path)
        connection.send("PA", sent)
        connection.receive_all()
        # Nothing of it arrived, acknowledgments included.
        connection.acknowledged = connection.send_next - len(sent)
        connection.repeat_request(sent)
        lab.check_answer(connection, path, sent)


@dialogue("RFC 9112 section 9.3.2: pipelined requests are answered in order")
def two_requests_in_a_segment_are_answered_in_order(lab):
    connection, both = lab.open(), request("/small") + request("/medium")
    connection.send("PA", both)
    lab.check_answer(connection, "/small", both)
    lab.check_answer(connection, "/medium", both)
    check_only_once(connection)


@dialogue("RFC 9112 section 9.3.2: pipelined requests are answered in order")
def requests_in_a_burst_of_segments_are_answered_in_order(lab):
    connection, paths = lab.open(), ["/medium", "/small", "/medium", "/small"]
    everything = b"".join(request(path) for path in paths)
    for path in paths:
        connection.send("PA", request(path))
    for path in paths:
        lab.check_answer(connection, path, everything)
    check_only_once(connection)


@dialogue("RFC 9112 section 9.3: one request after the other")
def a_connection_serves_many_requests(lab):
    connection = lab.open()
    for path in ["/small", "/large", "/medium", "/small", "/small", "/large"]:
        lab.check(connection, path, each=2)


@dialogue("RFC 9293 section 3.7: a request may be longer than a segment")
def a_request_may_take_several_segments(lab):
    connection = lab.open()
    fields = "".join(f"X-Field-{index}: {'x' * 200}\r\n" for index in range(16))
    sent = request("/small", fields)
    for start in range(0, len(sent), 1460):
        connection.send("PA", sent[start:start + 1460])
    lab.check_answer(connection, "/small", sent)


@dialogue("RFC 9293 section 3.5: the ACK of the handshake may get lost, or come with data")
def a_request_may_come_without_the_ack_before_it(lab):
    connection = lab.connection()
    connection.syn()
    lab.check(connection, "/small")


@dialogue("RFC 9293 section 3.8.2: urgent data is data")
def a_request_marked_urgent_is_answered(lab):
    connection, sent = lab.open(), request("/small")
    connection.send("PAU", sent)
    lab.check_answer(connection, "/small", sent)
