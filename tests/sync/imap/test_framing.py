import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.imap.errors import TooLarge
from services.sync.imap.framing import Cut, Frame, Framer

CONVERSATION = (
    b"* OK ready {3}\r\n"
    b"* 1 FETCH (UID 9 BODY[] {12}\r\nSubject: a\r\n FLAGS (\\Seen))\r\n"
    b'* LIST () "/" {5}\r\nIn{x}\r\n'
    b"* 2 FETCH (BODY[] {0}\r\n X {2}\r\n\r\n)\r\n"
    b"A1 OK done\r\n"
)
FRAMES = [
    [b"* OK ready {3}"],
    [b"* 1 FETCH (UID 9 BODY[] ", b"Subject: a\r\n", b" FLAGS (\\Seen))"],
    [b'* LIST () "/" ', b"In{x}", b""],
    [b"* 2 FETCH (BODY[] ", b"", b" X ", b"\r\n", b")"],
    [b"A1 OK done"],
]


def framer(**limits: int) -> Framer:
    return Framer(**{"max_literal_bytes": 1000, "max_line_bytes": 1000} | limits)


def cut(framer: Framer, pieces: Iterable[bytes]) -> list[Frame]:
    frames: list[Frame] = []
    for piece in pieces:
        framer.feed(piece)
        while (frame := framer.next()) is not None:
            frames.append(frame)
    return frames


def test_an_answer_is_the_same_wherever_the_network_cuts_it():
    for at in range(len(CONVERSATION) + 1):
        cutter = framer()
        assert cut(cutter, [CONVERSATION[:at], CONVERSATION[at:]]) == FRAMES
        assert not cutter.midway


def test_an_answer_is_the_same_however_late_somebody_wants_it():
    for at in range(len(CONVERSATION) + 1):
        cutter = framer()
        cutter.feed(CONVERSATION[:at])
        assert cut(cutter, [CONVERSATION[at:]]) == FRAMES
        assert cutter.held == 0


def test_what_follows_an_answer_is_left_alone_until_it_is_wanted():
    first = CONVERSATION.index(b"\n") + 1
    for at in range(first, len(CONVERSATION) + 1):
        cutter = framer()
        cutter.feed(CONVERSATION[:at])
        cutter.feed(CONVERSATION[at:])
        assert cutter.next() == FRAMES[0]
        assert cutter.take_rest() == CONVERSATION[first:]
        assert cutter.next() is None


def test_an_answer_that_comes_byte_by_byte_is_the_same():
    cutter = framer()
    assert cut(cutter, [bytes([byte]) for byte in CONVERSATION]) == FRAMES


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_literals_of_any_bytes_come_through_any_cuts(literals: list[bytes]):
    wire = b"".join(b"* X {%d}\r\n%s)\r\n" % (len(each), each) for each in literals)
    cutter = framer()
    frames = cut(cutter, [wire[at : at + 7] for at in range(0, len(wire), 7)])
    assert frames == [[b"* X ", each, b")"] for each in literals]


def test_fifty_thousand_lines_in_one_read_are_no_trouble():
    lines = b"".join(b"* %d FETCH (UID %d FLAGS ())\r\n" % (n, n) for n in range(1, 50_001))
    assert len(cut(framer(), [lines])) == 50_000


def test_lines_that_end_with_a_bare_newline_are_read():
    assert cut(framer(), [b"* OK a\n* OK b\n"]) == [[b"* OK a"], [b"* OK b"]]


@pytest.mark.parametrize(
    "flood",
    [
        b"* " + b"x" * 2000,
        b"* " + b"x" * 2000 + b"\r\n",
        b"* X {99999999999}\r\n",
        b"* X {900}\r\n" + (b"y" * 900 + b" {900}\r\n") * 2,
    ],
)
def test_a_server_cannot_make_us_hold_more_than_the_limits(flood: bytes):
    with pytest.raises(TooLarge):
        cut(framer(), [flood])


def test_of_a_literal_longer_than_wanted_only_the_beginning_is_held():
    for at in range(len(CONVERSATION) + 1):
        cutter = framer(max_literal_bytes=10)
        cutter.cut_at = 4
        frames = cut(cutter, [CONVERSATION[:at], CONVERSATION[at:]])
        literals = [frame[1] for frame in frames if len(frame) > 1]
        assert literals == [b"Subj", b"In{x", b""]
        assert [one.size for one in literals if isinstance(one, Cut)] == [12, 5]
        assert [frame[::2] for frame in frames] == [frame[::2] for frame in FRAMES]
        assert not cutter.midway


def test_what_is_not_wanted_of_a_literal_costs_no_memory():
    cutter = framer()
    cutter.cut_at = 100
    cutter.feed(b"* 1 FETCH (BODY[] {1000000000}\r\n")
    assert cutter.next() is None
    piece = b"x" * 1_000_000
    tracemalloc.start()
    try:
        for _ in range(1000):
            cutter.feed(piece)
            assert cutter.next() is None
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    cutter.feed(b")\r\n")
    frame = cutter.next()
    assert frame is not None
    assert frame == [b"* 1 FETCH (BODY[] ", b"x" * 100, b")"]
    assert isinstance(frame[1], Cut)
    assert frame[1].size == 1_000_000_000
