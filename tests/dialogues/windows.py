"""The client's receive window."""

from dialogue import dialogue
from peer import distance, request


def flight_bytes(connection):
    """How many bytes beyond what is acknowledged came in one go, each counted once."""
    acknowledged = connection.receive_next
    segments = connection.receive_all()
    for segment in segments:
        connection.take(segment)
    ends = (segment.seq + len(segment.payload) for segment in segments)
    return max((distance(end, acknowledged) for end in ends), default=0)


def check_limit(segments, edge):
    """No byte may lie beyond the right edge of the window."""
    for segment in segments:
        end = segment.seq + len(segment.payload)
        assert distance(end, edge) <= 0, f"{distance(end, edge)} bytes beyond the window: {segment}"


def check_paced(lab, connection, path, window_bytes):
    """Takes an answer a window at a time."""
    while (body := connection.received.answer()) is None:
        segments = connection.receive_all()
        assert segments, f"it came to a halt after {len(connection.received.bytes)} bytes"
        check_limit(segments, connection.receive_next + window_bytes)
        for segment in segments:
            connection.take(segment)
        connection.ack()
    assert body == lab.files[path], "it is damaged"


@dialogue("RFC 6928 section 2: at most ten segments before the first acknowledgment")
def a_stranger_gets_ten_segments_at_first(lab):
    connection = lab.open()
    connection.send("PA", request("/large"))
    assert 1460 <= flight_bytes(connection) <= 10 * 1460


@dialogue("RFC 9293 section 3.8.6: nothing is sent beyond the window")
def a_window_is_never_exceeded(lab):
    connection = lab.open(options=[("MSS", 1460), ("SAckOK", b"")], window=4000)
    connection.send("PA", request("/medium"))
    check_paced(lab, connection, "/medium", 4000)


@dialogue("RFC 9293 section 3.8.6: a window of one byte lets one byte through at a time")
def a_window_of_one_byte_lets_the_answer_through_byte_by_byte(lab):
    connection, sent = lab.open(options=[("MSS", 1460)], window=1), request("/small")
    connection.send("PA", sent)
    taken = 0
    while (body := connection.received.answer()) is None:
        edge = connection.receive_next + 1
        segment = connection.receive()
        if not segment.payload:
            continue
        check_limit([segment], edge)
        connection.take(segment)
        taken += 1
        connection.ack()
    assert body == lab.files["/small"], "it is damaged"
    assert taken >= len(body), "more than a byte came at a time"


@dialogue("RFC 9293 section 3.8.6: a request that comes with a closed window waits for an update")
def an_answer_waits_until_the_window_opens(lab):
    connection, sent = lab.open(), request("/medium")
    connection.send("PA", sent, window=0)
    assert flight_bytes(connection) == 0, "something came while the window was closed"
    connection.send("A", window=65535)
    lab.check_answer(connection, "/medium", sent)


@dialogue("RFC 9293 section 3.8.6.1: a window that closes in mid-transfer, and opens again")
def a_transfer_goes_on_when_a_closed_window_opens(lab):
    connection, sent = lab.open(), request("/large")
    connection.send("PA", sent)
    assert flight_bytes(connection) > 0
    connection.ack(window=0)
    assert flight_bytes(connection) == 0, "something came while the window was closed"
    connection.ack()
    lab.check_answer(connection, "/large", sent)


@dialogue("RFC 9293 section 3.8.6.1: a window update that gets lost does not stop the transfer")
def a_lost_window_update_is_made_up_for_by_the_clients_timer(lab):
    connection, sent = lab.open(), request("/large")
    connection.send("PA", sent)
    flight_bytes(connection)
    connection.ack(window=0)
    flight_bytes(connection)
    # The update is lost. What the client's timer sends carries the window, too.
    connection.repeat_request(sent)
    lab.check_answer(connection, "/large", sent)


@dialogue("RFC 9293 section 3.8.6: what a shrunken window no longer covers is sent later")
def a_window_may_shrink(lab):
    connection, sent = lab.open(options=[("MSS", 1000)], window=8000), request("/medium")
    connection.send("PA", sent)
    first = connection.receive_all()
    connection.take(first[0])
    # The client has taken back all but 500 bytes of what it offered.
    connection.ack(window=500)
    segments = connection.receive_all()
    check_limit(segments, connection.receive_next + 500)
    connection.ack(window=8000)
    lab.check_answer(connection, "/medium", sent, window=8000)


@dialogue("RFC 9293 section 3.8.6.2.1: a slow reader, with small windows throughout")
def a_megabyte_gets_through_small_windows(lab):
    connection = lab.open(options=[("MSS", 1460), ("SAckOK", b"")], window=6000)
    lab.check(connection, "/huge", each=4)


@dialogue("RFC 9293 section 3.8.6.1: a slow reader whose window closes each time that it is full")
def a_megabyte_gets_to_a_reader_that_keeps_closing_its_window(lab):
    connection = lab.open(options=[("MSS", 1460), ("SAckOK", b"")], window=20_000)
    connection.send("PA", request("/huge"))
    while (body := connection.received.answer()) is None:
        segments = connection.receive_all()
        assert segments, f"it came to a halt after {len(connection.received.bytes)} bytes"
        check_limit(segments, connection.receive_next + 20_000)
        for segment in segments:
            connection.take(segment)
        connection.ack(window=0)
        assert flight_bytes(connection) == 0, "something came while the window was closed"
        connection.ack()
    assert body == lab.files["/huge"], "it is damaged"


@dialogue("RFC 9293 section 3.8.6: the window counts from what is acknowledged, whatever the scale")
def a_window_of_a_few_bytes_after_scaling_is_kept(lab):
    connection = lab.open(options=[("MSS", 1460), ("NOP", None), ("WScale", 3)], window=2)
    connection.send("PA", request("/small"))
    check_paced(lab, connection, "/small", 16)
