"""Loss as a client that is not Linux reports it."""

from dialogue import dialogue
from peer import SEQUENCES, distance, request

NO_SACK = [("MSS", 1460), ("NOP", None), ("WScale", 7)]


def first_flight(connection, sent):
    connection.send("PA", sent)
    return [segment for segment in connection.receive_all() if segment.payload]


@dialogue("RFC 2018 section 5, RFC 6675 section 5: holes are filled, and only they")
def a_hole_is_repaired_once_three_segments_beyond_it_are_there(lab):
    connection, sent = lab.open(), request("/large")
    flight = first_flight(connection, sent)
    lost = flight[2]
    for segment in flight[:2] + flight[3:]:
        connection.take(segment)
    connection.ack()
    held = {segment.seq for segment in flight[3:]}
    again = [segment for segment in connection.receive_all() if len(segment.payload) > 8]
    assert lost.seq in {segment.seq for segment in again}, "the hole was not repaired"
    assert not held & {segment.seq for segment in again}, "what the client has came again"
    for segment in again:
        connection.take(segment)
    connection.ack()
    lab.check_answer(connection, "/large", sent)


@dialogue(
    "RFC 5681 section 3.2: three duplicate acknowledgments tell of a loss without SACK, too",
    xfail="duplicate acknowledgments without SACK blocks are not counted",
)
def a_client_without_sack_gets_its_hole_repaired(lab):
    connection, sent = lab.open(options=NO_SACK), request("/large")
    flight = first_flight(connection, sent)
    connection.take(flight[0])
    connection.ack()
    for segment in flight[2:]:
        connection.take(segment)
        connection.ack()
    again = connection.receive_all()
    assert any(segment.seq == flight[1].seq for segment in again), "the hole was not repaired"
    for segment in again:
        connection.take(segment)
    connection.ack()
    lab.check_answer(connection, "/large", sent)


@dialogue("RFC 5681 section 3.2: a client without SACK, and every fifteenth segment lost")
def a_client_without_sack_gets_everything(lab):
    connection, count = lab.open(options=NO_SACK), iter(range(1_000_000))
    lab.check(connection, "/large", lose=lambda segment: next(count) % 15 == 7)


@dialogue("RFC 2018 section 5: a client with SACK, and every tenth segment lost")
def a_client_with_sack_gets_everything(lab):
    connection, count = lab.open(), iter(range(1_000_000))
    lab.check(connection, "/large", lose=lambda segment: next(count) % 10 == 7)


@dialogue("RFC 9293 section 3.8.1: the end gets lost, and nothing tells of it but the timer")
def the_end_of_an_answer_comes_again(lab):
    connection, sent = lab.open(), request("/medium")
    flight = first_flight(connection, sent)
    last = max(distance(segment.seq, flight[0].seq) for segment in flight)
    for segment in flight:
        if distance(segment.seq, flight[0].seq) < last:
            connection.take(segment)
    connection.ack()
    lab.check_answer(connection, "/medium", sent)


@dialogue("RFC 9293 section 3.8.6: what was dropped for lack of memory, its acknowledgment taken")
def an_answer_that_a_client_had_no_memory_for_comes_again(lab):
    connection = lab.open()
    connection.send("PA", request("/small"))
    first = connection.receive()
    assert first.ack == connection.send_next, "the client has something to repeat"
    connection.ack(window=0)
    connection.expect_silence()
    connection.ack()
    again = connection.receive()
    assert again.seq == first.seq, "it did not come again"
    connection.take(again)
    connection.ack()
    assert connection.received.answer() == lab.files["/small"]


@dialogue("RFC 9293 section 3.8.1: a client short of memory keeps its timer, so it may say nothing")
def the_end_of_an_answer_is_not_given_up_before_it_has_come(lab):
    connection, sent = lab.open(), request("/medium")
    flight = first_flight(connection, sent)
    last = max(distance(segment.seq, flight[0].seq) for segment in flight)
    for segment in flight:
        if distance(segment.seq, flight[0].seq) < last:
            connection.take(segment)
    connection.ack()
    connection.receive_all()
    # The end alone is missing now. Each time that it comes there is no memory for it.
    for _ in range(3):
        connection.repeat_request(sent)
        again = connection.receive_all()
        assert again, "the end did not come again"
        open_bytes = distance(connection.send_next, connection.acknowledged)
        assert open_bytes > 0, "the client has nothing left to repeat"
    lab.check_answer(connection, "/medium", sent)


@dialogue("RFC 2883 section 4: duplicates that are reported do no harm")
def reports_of_duplicates_do_no_harm(lab):
    connection, sent = lab.open(), request("/large")
    flight = first_flight(connection, sent)
    for segment in flight:
        connection.take(segment)
    # Every segment came twice, the client says.
    for segment in flight:
        block = (segment.seq, (segment.seq + len(segment.payload)) % SEQUENCES)
        connection.send("A", options=[("NOP", None), ("NOP", None), ("SAck", block)])
    lab.check_answer(connection, "/large", sent)


@dialogue("RFC 2018 section 4: blocks that cannot be are ignored")
def sack_blocks_that_make_no_sense_do_no_harm(lab):
    connection, sent = lab.open(), request("/large")
    flight = first_flight(connection, sent)
    for segment in flight:
        connection.take(segment)
    at = connection.receive_next
    for left, right in [
        (at + 5000, at + 1000), (at + (1 << 30), at + (1 << 30) + 1000), (at - 1, at - 1),
        (at + 1000, at + (1 << 31) + 1000), (at, at + (1 << 20)), (0, SEQUENCES - 1),
    ]:
        block = (left % SEQUENCES, right % SEQUENCES)
        connection.send("A", options=[("NOP", None), ("NOP", None), ("SAck", block)])
    lab.check_answer(connection, "/large", sent)


@dialogue("RFC 2018 section 8: a client may throw away what it has only reported as held")
def what_a_client_reneges_on_comes_again(lab):
    connection, sent = lab.open(), request("/large")
    flight = first_flight(connection, sent)
    connection.take(flight[0])
    for segment in flight[2:]:
        connection.take(segment)
    connection.ack()
    connection.receive_all()
    # Short of memory, it forgets all that lies beyond the hole. Its timer says so.
    connection.received.beyond.clear()
    connection.repeat_request(sent)
    lab.check_answer(connection, "/large", sent)


@dialogue("RFC 9293 section 3.10.7.4: acknowledgments may end anywhere in a segment")
def acknowledgments_in_the_middle_of_segments_are_understood(lab):
    connection, sent = lab.open(), request("/medium")
    flight = first_flight(connection, sent)
    start = flight[0].seq
    for segment in flight:
        connection.take(segment)
    for offset in [1, 2, 700, 1459, 1461, 3001, 5555]:
        connection.send("A", ack=start + offset)
    connection.ack()
    lab.check_answer(connection, "/medium", sent)


@dialogue("RFC 5681 section 3.2: acknowledgments that come late, the older after the newer")
def acknowledgments_in_disorder_do_no_harm(lab):
    connection, sent = lab.open(), request("/large")
    flight = first_flight(connection, sent)
    for segment in flight:
        connection.take(segment)
    connection.ack()
    for segment in reversed(flight):
        connection.send("A", ack=segment.seq)
    lab.check_answer(connection, "/large", sent)
