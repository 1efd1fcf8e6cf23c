"""Segments that are forged, stray or old (RFC 5961)."""

from dialogue import dialogue
from peer import request


def in_transfer(lab):
    """A connection with an answer on its way, and the request."""
    connection, sent = lab.open(), request("/large")
    connection.send("PA", sent)
    for segment in connection.receive_all():
        connection.take(segment)
    return connection, sent


def goes_on(lab, connection, sent):
    """The transfer is neither ended nor damaged."""
    connection.ack()
    lab.check_answer(connection, "/large", sent)
    connection.receive_all()
    lab.check(connection, "/small")


@dialogue("RFC 5961 section 3.2: a reset with exactly the expected number ends the connection")
def an_exact_reset_ends_the_connection(lab):
    # A client that forgot the connection resets with the number it was told, one that throws the
    # rest of the answer away with its own next one. Both are exact to it.
    for names_its_own in [False, True]:
        connection, _ = in_transfer(lab)
        connection.send(
            "R", seq=connection.send_next if names_its_own else connection.acknowledged
        )
        connection.expect_silence()
        connection.ack()
        for segment in connection.receive_all():
            assert not segment.payload, f"the connection still lives: {segment}"


@dialogue("RFC 9293 section 3.10.7.4: a reset that also acknowledges is a reset")
def an_exact_reset_with_an_acknowledgment_ends_the_connection(lab):
    connection, _ = in_transfer(lab)
    connection.send("RA", seq=connection.send_next)
    connection.expect_silence()
    connection.ack()
    for segment in connection.receive_all():
        assert not segment.payload, f"the connection still lives: {segment}"


@dialogue("RFC 5961 section 3.2: a reset on an idle connection")
def an_exact_reset_ends_an_idle_connection(lab):
    connection = lab.open()
    lab.check(connection, "/small")
    connection.receive_all()
    connection.send("R")
    connection.expect_silence()
    connection.send("PA", request("/small"))
    for segment in connection.receive_all():
        assert not segment.payload, f"the connection still lives: {segment}"


@dialogue("RFC 5961 section 3.2: a reset elsewhere in the window is challenged")
def a_reset_in_the_window_is_challenged(lab):
    for offset in [1, 2, 1000, 30_000]:
        connection, sent = in_transfer(lab)
        connection.send("R", seq=connection.send_next + offset)
        challenge = connection.receive()
        assert challenge.flags == "A" and not challenge.payload, challenge
        assert challenge.seq == connection.receive_next, "the challenge has another number"
        goes_on(lab, connection, sent)


@dialogue("RFC 5961 section 3.2: a reset outside the window is dropped")
def a_reset_outside_the_window_is_dropped(lab):
    for offset in [-100_000, 70_000, 1 << 20, 1 << 31]:
        connection, sent = in_transfer(lab)
        connection.send("R", seq=connection.send_next + offset)
        connection.expect_silence()
        goes_on(lab, connection, sent)


@dialogue("RFC 5961 section 4.2: a SYN on a connection that lives is challenged")
def a_syn_on_a_living_connection_is_challenged(lab):
    for offset in [0, 1, 5000, -1, 1 << 20]:
        connection, sent = in_transfer(lab)
        connection.send("S", seq=connection.send_next + offset, options=connection.options)
        challenge = connection.receive()
        assert challenge.flags == "A" and not challenge.payload, f"no challenge: {challenge}"
        assert challenge.seq == connection.receive_next, "the challenge has another number"
        goes_on(lab, connection, sent)


@dialogue("RFC 5961 section 4.2: a client that has forgotten the connection begins another")
def a_client_that_has_restarted_gets_a_new_connection(lab):
    old = lab.open()
    lab.check(old, "/small")
    old.receive_all()
    new = lab.connection(port=old.port, isn=0x7000_0000)
    new.send("S", options=new.options)
    answer = new.receive()
    if answer.flags == "A":
        # The challenge makes no sense to the client, so it resets what the server has.
        new.send("R", seq=answer.ack)
        new.expect_silence()
        new.syn()
    else:
        assert answer.flags == "SA" and answer.ack == new.isn + 1, answer
        new.receive_next = new.received.start = (answer.seq + 1) % (1 << 32)
    lab.check(new, "/medium")


@dialogue("RFC 9293 section 3.5: a SYN that comes twice is answered twice, alike or not")
def a_repeated_syn_is_answered_again(lab):
    connection = lab.connection()
    connection.syn()
    connection.syn()
    connection.send("A")
    lab.check(connection, "/small")


@dialogue("RFC 9293 section 3.10.7.4, RFC 5961 section 5.2: what was never sent cannot be acknowledged")
def an_acknowledgment_of_what_was_never_sent_is_answered_and_ignored(lab):
    for ahead in [1, 1000, 1 << 20, 1 << 30]:
        connection, sent = in_transfer(lab)
        connection.send("A", ack=connection.receive_next + ahead)
        answer = connection.receive()
        assert answer.flags == "A" and not answer.payload, answer
        goes_on(lab, connection, sent)


@dialogue("RFC 5961 section 5.2: an acknowledgment from long ago makes its data worthless")
def data_with_an_acknowledgment_from_long_ago_is_refused(lab):
    connection = lab.open()
    lab.check(connection, "/small")
    connection.receive_all()
    connection.send("PA", request("/medium"), seq=connection.send_next,
                    ack=connection.receive_next - (1 << 30))
    for segment in connection.receive_all():
        assert not segment.payload, f"it was answered: {segment}"
    lab.check(connection, "/small")


@dialogue("RFC 9293 section 3.10.7.4: data outside the window is not taken, and is acknowledged")
def data_outside_the_window_is_refused_with_an_acknowledgment(lab):
    for offset in [70_000, 1 << 20, 1 << 31, -100_000]:
        connection = lab.open()
        lab.check(connection, "/small")
        connection.receive_all()
        connection.send("PA", request("/medium"), seq=connection.send_next + offset)
        connection.expect_ack(connection.receive_next)
        lab.check(connection, "/medium")


@dialogue("RFC 9293 section 3.10.7.4: data outside the window does not harm a transfer")
def data_outside_the_window_does_not_harm_a_transfer(lab):
    for offset in [70_000, 1 << 20, 1 << 31, -100_000]:
        connection, sent = in_transfer(lab)
        connection.send("PA", request("/medium"), seq=connection.send_next + offset)
        connection.receive_all()
        goes_on(lab, connection, sent)


@dialogue("RFC 9293 section 3.10.7.4: a segment without ACK is dropped")
def a_segment_without_an_acknowledgment_is_dropped(lab):
    connection, sent = in_transfer(lab)
    for flags in ["", "P", "F", "U", "FPU"]:
        connection.send(flags, b"GET ", seq=connection.send_next)
        for segment in connection.receive_all():
            assert "R" not in segment.flags, f"a reset: {segment}"
    goes_on(lab, connection, sent)


@dialogue("RFC 9293 section 3.10.7: flags that contradict each other do no harm")
def flags_that_contradict_each_other_do_no_harm(lab):
    connection, sent = in_transfer(lab)
    for flags in ["SF", "SR", "SFPU", "FSRPAU"]:
        connection.send(flags, seq=connection.send_next + 2000)
    for segment in connection.receive_all():
        assert "R" not in segment.flags, f"a reset: {segment}"
    goes_on(lab, connection, sent)


@dialogue("RFC 9293 section 3.10.7.1: a segment of a connection that nobody has is reset")
def a_segment_of_no_connection_is_reset(lab):
    connection = lab.connection()
    connection.send("A", seq=12345, ack=67890)
    answer = connection.receive()
    assert "R" in answer.flags and answer.seq == 67890, answer
    connection.send("R", seq=12345)
    connection.expect_silence()


@dialogue("RFC 4987 section 3.6: a forged acknowledgment opens no connection")
def a_request_with_a_forged_cookie_is_not_answered(lab):
    for offset in [1, -1, 1 << 10, 1 << 23]:
        connection = lab.connection()
        connection.syn()
        connection.send("PA", request("/small"), ack=connection.receive_next + offset)
        for segment in connection.receive_all():
            assert not segment.payload, f"it was answered: {segment}"
