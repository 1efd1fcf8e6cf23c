"""What must not be answered without limit."""

from dialogue import dialogue
from peer import request


@dialogue("RFC 5961 section 7: challenges are sent at a limited rate")
def challenges_are_limited(lab):
    connection, sent = lab.open(), request("/large")
    connection.send("PA", sent)
    for segment in connection.receive_all():
        connection.take(segment)
    for _ in range(500):
        connection.send("R", seq=connection.send_next + 1000)
    challenges = len(connection.receive_all())
    assert 1 <= challenges <= 100, f"{challenges} challenges for 500 resets"
    connection.ack()
    lab.check_answer(connection, "/large", sent)
