"""Clients that ask whether we are still there (RFC 9293 section 3.8.4)."""

from dialogue import dialogue
from peer import request

CHECKS = "RFC 9293 section 3.8.4: a keep-alive probe is answered with an acknowledgment"


@dialogue(CHECKS)
def a_probe_on_an_idle_connection_is_answered(lab):
    connection = lab.open()
    lab.check(connection, "/small")
    connection.receive_all()
    connection.send("A", seq=connection.send_next - 1)
    connection.expect_ack(connection.receive_next)
    lab.check(connection, "/medium")


@dialogue(CHECKS + ", also with a byte of garbage")
def a_probe_with_a_byte_on_an_idle_connection_is_answered(lab):
    connection = lab.open()
    lab.check(connection, "/small")
    connection.receive_all()
    connection.send("A", b"\0", seq=connection.send_next - 1)
    connection.expect_ack(connection.receive_next)
    lab.check(connection, "/medium")


@dialogue(
    CHECKS + ", before anything was asked, too",
)
def a_probe_before_the_first_request_is_answered(lab):
    connection = lab.open()
    connection.send("A", seq=connection.send_next - 1)
    connection.expect_ack(connection.receive_next)
    lab.check(connection, "/small")


@dialogue(
    CHECKS + ", before anything was asked, too, with a byte of garbage",
)
def a_probe_with_a_byte_before_the_first_request_is_answered(lab):
    connection = lab.open()
    connection.send("A", b"\0", seq=connection.send_next - 1)
    connection.expect_ack(connection.receive_next)
    lab.check(connection, "/small")


@dialogue(CHECKS + ", while a window is closed, too")
def a_probe_during_a_transfer_is_answered(lab):
    connection, sent = lab.open(), request("/large")
    connection.send("PA", sent)
    for segment in connection.receive_all():
        connection.take(segment)
    connection.ack(window=0)
    connection.receive_all()
    connection.send("A", seq=connection.send_next - 1, window=0)
    answer = connection.receive()
    assert answer.flags == "A" and not answer.payload, answer
    connection.ack()
    lab.check_answer(connection, "/large", sent)
