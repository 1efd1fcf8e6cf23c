"""How connections end (RFC 9293 section 3.6)."""

from dialogue import dialogue
from peer import request

CLOSE = "Connection: close\r\n"


def expect_fin(connection):
    """Waits for the server's FIN, all of the stream before it included."""
    while not connection.received.is_finished():
        segment = connection.receive()
        assert "R" not in segment.flags, f"a reset: {segment}"
        connection.take(segment)


def expect_gone(connection):
    """The server has forgotten the connection: a segment of it is answered with a reset, if at all."""
    connection.send("PA", b"GET ", seq=connection.send_next)
    for segment in connection.receive_all():
        assert segment.flags in ("R", "RA"), f"the connection still lives: {segment}"


def expect_all_acknowledged(connection):
    connection.receive_all()
    assert connection.acknowledged == connection.send_next, (
        f"acknowledged is {connection.acknowledged}, not {connection.send_next}"
    )


@dialogue("RFC 9293 section 3.6, case 2: the client ends an idle connection")
def an_idle_connection_ends_when_the_client_wants(lab):
    connection = lab.open()
    lab.check(connection, "/small")
    connection.receive_all()
    connection.send("FA")
    expect_fin(connection)
    assert connection.acknowledged == connection.send_next, "the FIN was not acknowledged"
    connection.send("A")
    connection.expect_silence()
    expect_gone(connection)


@dialogue("RFC 9293 section 3.6, case 2: the client leaves without having asked")
def a_connection_ends_before_anything_was_asked(lab):
    connection = lab.open()
    connection.send("FA")
    expect_fin(connection)
    assert connection.acknowledged == connection.send_next, "the FIN was not acknowledged"
    connection.send("A")
    connection.expect_silence()


@dialogue("RFC 9293 section 3.10.7.4: a FIN that comes again is acknowledged again")
def a_repeated_fin_is_answered_again(lab):
    for asks in [True, False]:
        connection = lab.open()
        if asks:
            lab.check(connection, "/small")
            connection.receive_all()
        connection.send("FA")
        first = connection.receive()
        connection.send("FA", seq=connection.send_next - 1)
        second = connection.receive()
        for answer in [first, second]:
            assert answer.flags == "FA" and answer.ack == connection.send_next, answer
        assert first.seq == second.seq, "another FIN"
        connection.take(second)
        connection.send("A")


@dialogue("RFC 9293 section 3.6: a FIN with the request, the whole answer nevertheless")
def a_request_with_fin_is_answered_whole(lab):
    for path in ["/small", "/medium", "/large"]:
        connection, sent = lab.open(), request(path)
        connection.send("FPA", sent)
        lab.check_answer(connection, path, sent + b"F")
        expect_fin(connection)
        connection.send("A")
        expect_all_acknowledged(connection)
        expect_gone(connection)


@dialogue("RFC 9293 section 3.6: half-close behind the request, before the answer")
def a_client_that_half_closes_gets_its_answer(lab):
    for path in ["/small", "/large"]:
        connection, sent = lab.open(), request(path)
        connection.send("PA", sent)
        connection.send("FA")
        lab.check_answer(connection, path, sent + b"F")
        expect_fin(connection)
        connection.send("A")
        expect_all_acknowledged(connection)


@dialogue("RFC 9293 section 3.6: half-close in the middle of the answer")
def a_client_that_half_closes_in_mid_answer_gets_the_rest(lab):
    connection, sent = lab.open(), request("/large")
    connection.send("PA", sent)
    for segment in connection.receive_all():
        connection.take(segment)
    connection.send("FA")
    lab.check_answer(connection, "/large", sent + b"F")
    expect_fin(connection)
    connection.send("A")
    expect_all_acknowledged(connection)


@dialogue("RFC 9293 section 3.10.7.4: a FIN behind the last piece of a request")
def a_fin_with_the_last_piece_of_a_request_counts(lab):
    connection, sent = lab.open(), request("/medium")
    connection.send("PA", sent[:30])
    connection.send("FPA", sent[30:])
    lab.check_answer(connection, "/medium", sent + b"F")
    expect_fin(connection)


@dialogue("RFC 9293 section 3.10.7.4: a FIN ahead of bytes that are missing does not count yet")
def a_fin_that_overtakes_the_request_waits(lab):
    connection, sent = lab.open(), request("/medium")
    lab.check(connection, "/small")
    connection.receive_all()
    at = connection.send_next
    connection.send("FA", seq=at + len(sent))
    for segment in connection.receive_all():
        assert "F" not in segment.flags, f"it ended too soon: {segment}"
    connection.send("PA", sent)
    lab.check_answer(connection, "/medium", sent)
    connection.receive_all()
    connection.send("FA")
    expect_fin(connection)


@dialogue("RFC 9112 section 9.6: half a request and no more to come, so the connection ends")
def half_a_request_with_fin_ends_the_connection(lab):
    connection = lab.open()
    connection.send("FPA", b"GET /small HTT")
    expect_fin(connection)
    assert connection.acknowledged == connection.send_next, "the FIN was not acknowledged"


@dialogue("RFC 9112 section 9.6: the server closes after the answer if asked to")
def the_server_ends_the_connection_if_asked_to(lab):
    for path in ["/small", "/medium", "/large"]:
        connection = lab.open()
        lab.check(connection, path, fields=CLOSE)
        expect_fin(connection)
        connection.send("A")
        expect_all_acknowledged(connection)
        connection.send("FA")
        connection.expect_ack(connection.receive_next)


@dialogue("RFC 9293 section 3.6.1: a FIN of ours that gets lost comes again")
def a_fin_that_got_lost_comes_again(lab):
    for path in ["/small", "/medium"]:
        connection, sent = lab.open(), request(path, CLOSE)
        connection.send("PA", sent)
        lost = False
        while not lost:
            for segment in connection.receive_all():
                if "F" in segment.flags:
                    lost = True
                    # What it acknowledged is lost with it.
                    connection.acknowledged = connection.send_next - 1
                else:
                    connection.take(segment)
            if not lost:
                connection.ack()
        connection.repeat_request(sent)
        lab.check_answer(connection, path, sent)
        expect_fin(connection)
        connection.send("A")
        expect_all_acknowledged(connection)


@dialogue("RFC 9293 section 3.6, figure 13: both ends close at a time")
def both_ends_may_close_at_a_time(lab):
    connection = lab.open()
    connection.send("PA", request("/small", CLOSE))
    expect_fin(connection)
    # The client's FIN left before the server's came: it acknowledges only what was before.
    connection.send("FA", ack=connection.receive_next - 1)
    answers = connection.receive_all()
    assert answers and answers[-1].ack == connection.send_next, f"not acknowledged: {answers[-1]}"
    connection.send("A")
    connection.expect_silence()


@dialogue(
    "RFC 9293 section 3.10.7.4, TIME-WAIT: the client's FIN comes again, its ACK was lost",
    xfail="the flow is gone, and the kernel resets the connection",
)
def the_last_fin_of_a_client_may_come_again(lab):
    connection = lab.open()
    lab.check(connection, "/small", fields=CLOSE)
    expect_fin(connection)
    connection.send("FA")
    connection.expect_ack(connection.receive_next)
    connection.send("FA", seq=connection.send_next - 1)
    connection.expect_ack(connection.receive_next)


@dialogue("RFC 9293 section 3.10.7.4: what comes behind a FIN is ignored")
def nothing_counts_behind_a_fin(lab):
    connection = lab.open()
    lab.check(connection, "/small")
    connection.receive_all()
    connection.send("FA")
    connection.receive()
    connection.send("PA", request("/medium"))
    for segment in connection.receive_all():
        assert not segment.payload, f"an answer after the end: {segment}"
