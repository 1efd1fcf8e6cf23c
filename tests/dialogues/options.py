"""What is agreed upon in the handshake."""

import itertools

from dialogue import dialogue
from peer import Stamps, request

NOP = ("NOP", None)


def sizes(connection, path):
    """The payloads of the first flight."""
    connection.open()
    connection.send("PA", request(path))
    return [len(segment.payload) for segment in connection.receive_all()]


@dialogue("RFC 9293 section 3.7.1, MUST-14: an MSS option in the SYN-ACK")
def the_answer_to_a_syn_says_how_large_segments_may_be(lab):
    answer = lab.connection().syn()
    assert answer.options["MSS"] == 1460, answer


@dialogue("RFC 9293 section 3.7.1, MUST-16: never more than the MSS that was received")
def segments_are_no_larger_than_the_client_wants(lab):
    for mss in [88, 300, 536, 1000, 1400, 1459]:
        found = sizes(lab.connection(options=[("MSS", mss), NOP, ("WScale", 7)]), "/large")
        assert 0 < max(found) <= mss, f"MSS {mss}, but {max(found)} bytes came"
        rounded = {88: 88, 300: 88}.get(mss, 536)
        assert max(found) >= rounded, f"MSS {mss}, but only {max(found)} bytes came"


@dialogue("RFC 9293 section 3.7.1, MUST-15: without an MSS option 536 is assumed")
def segments_have_536_bytes_where_nothing_was_said(lab):
    found = sizes(lab.connection(options=[]), "/large")
    assert max(found) == 536, found


@dialogue("RFC 6691 section 2: the sender subtracts what its own options take")
def segments_fit_the_interface_where_the_client_would_take_more(lab):
    # That no packet has more than 1500 bytes is checked of each that comes.
    found = sizes(lab.connection(options=[("MSS", 9000), NOP, ("WScale", 7)]), "/large")
    assert max(found) == 1460, found


@dialogue("RFC 7323 section 2.2, RFC 2018 section 2: only what was offered is answered")
def scaling_and_sack_are_agreed_upon_only_if_offered(lab):
    for scale, sack in [(False, False), (True, False), (False, True), (True, True)]:
        options = [("MSS", 1460)] + [NOP, ("WScale", 7)] * scale + [("SAckOK", b"")] * sack
        answer = lab.connection(options=options).syn()
        assert ("WScale" in answer.options) == scale, answer
        assert ("SAckOK" in answer.options) == sack, answer
        assert "Timestamp" not in answer.options, answer
        stamped = lab.connection(options=options, stamps=Stamps()).syn()
        assert ("WScale" in stamped.options, "SAckOK" in stamped.options) == (scale, sack), stamped


@dialogue("RFC 7323 section 3.2: timestamps in every segment, or in none")
def timestamps_are_used_throughout_or_not_at_all(lab):
    # That each segment that comes has them is checked when it comes.
    for place in [0, 1]:
        connection = lab.open(stamps=Stamps(place=place))
        for path in ["/small", "/medium", "/large"]:
            lab.check(connection, path)
        count = itertools.count()
        lab.check(connection, "/large", lose=lambda segment: next(count) % 15 == 7)
        connection.receive_all()
        connection.send("FA")
        assert connection.receive().ack == connection.send_next
    connection = lab.open()
    connection.send("PA", request("/medium"))
    for segment in connection.receive_all():
        assert not segment.options, segment


@dialogue("RFC 7323 section 3.2: with timestamps in both SYNs the sender subtracts what they take")
def segments_with_timestamps_fill_the_mtu(lab):
    found = sizes(lab.connection(stamps=Stamps()), "/large")
    assert max(found) == 1448, found


@dialogue("RFC 7323 section 3.2: a segment without the timestamps that it should have is accepted")
def a_segment_that_lacks_its_timestamp_counts(lab):
    # The RFC would have it dropped, but allows this; Linux does the same.
    stamps = Stamps()
    connection = lab.open(stamps=stamps)
    lab.check(connection, "/small")
    stamps.omitted = True
    lab.check(connection, "/small")


@dialogue("RFC 7323 section 4.3: the clock of an older segment that comes late is not echoed")
def an_older_clock_is_not_echoed(lab):
    stamps = Stamps()
    connection = lab.open(stamps=stamps)
    lab.check(connection, "/small")
    newest, stamps.clock = stamps.clock, stamps.clock - 10
    sent = request("/small")
    connection.send("PA", sent, seq=connection.send_next - len(sent))
    stamps.clock = newest
    segment = connection.receive()
    assert segment.options["Timestamp"][1] == newest, segment


@dialogue("RFC 9293 section 3.1, MUST-6: options that are not known are skipped")
def unknown_options_are_skipped(lab):
    unknown = (253, b"\x12\x34")
    connection = lab.open(options=[unknown, ("MSS", 700), unknown, ("SAckOK", b""), ("EOL", None)])
    sent = request("/medium")
    connection.send("PA", sent, options=[unknown, NOP, NOP])
    flight = connection.receive_all()
    assert 536 <= max(len(segment.payload) for segment in flight) <= 700
    for segment in flight:
        connection.take(segment)
    connection.ack()
    lab.check_answer(connection, "/medium", sent)


@dialogue("RFC 9293 section 3.1, MUST-7: a malformed option does no harm")
def an_option_with_an_impossible_length_does_no_harm(lab):
    connection = lab.connection()
    # An MSS option of no length, and a window scale that reaches beyond the header.
    for broken in [b"\x02\x00\x05\xb4", b"\x03\xff\x07\x01"]:
        connection.send("S", seq=connection.isn, raw_options=broken)
        connection.receive_all()
    lab.check(lab.open(), "/small")


@dialogue("RFC 7323 section 2.2: the window of a client that offered scaling is scaled")
def a_scaled_window_is_understood(lab):
    connection = lab.open(options=[("MSS", 536), NOP, ("WScale", 4)], window=100)
    connection.send("PA", request("/large"))
    total = sum(len(segment.payload) for segment in connection.receive_all())
    assert 536 <= total <= 1600, f"the window is 1600 bytes, {total} came"


@dialogue("RFC 7323 section 2.2: without the option in both SYNs no window is scaled")
def the_window_of_a_client_that_does_not_scale_is_taken_as_it_stands(lab):
    connection = lab.open(options=[("MSS", 536)], window=1200)
    connection.send("PA", request("/large"))
    total = sum(len(segment.payload) for segment in connection.receive_all())
    assert 536 <= total <= 1200, f"the window is 1200 bytes, {total} came"


@dialogue("RFC 7323 section 2.3: a shift beyond 14 counts as 14")
def a_shift_beyond_14_counts_as_14(lab):
    connection = lab.open(options=[("MSS", 1460), NOP, ("WScale", 15)], window=1)
    connection.send("PA", request("/large"))
    total = sum(len(segment.payload) for segment in connection.receive_all())
    assert 1460 <= total <= 1 << 14, f"the window is {1 << 14} bytes, {total} came"


@dialogue("RFC 3168 section 6.1.1: who does not do ECN ignores the flags that ask for it")
def a_syn_that_asks_for_ecn_is_answered_without(lab):
    connection = lab.connection()
    answer = connection.syn("SEC")
    assert answer.flags == "SA", answer
    lab.check(connection, "/small")


@dialogue("RFC 9293 section 3.10.7.2: data in a SYN may be left for later")
def data_in_a_syn_is_not_acknowledged_and_may_be_sent_again(lab):
    connection, sent = lab.connection(), request("/small")
    answer = connection.syn("S", sent)
    assert answer.ack == connection.isn + 1, answer
    connection.send("PA", sent)
    lab.check_answer(connection, "/small", sent)
