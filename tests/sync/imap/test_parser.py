import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.covered import Span
from services.sync.imap.errors import Garbled
from services.sync.imap.framing import Framer
from services.sync.imap.parser import (
    Answer,
    Continue,
    Noise,
    Status,
    Untagged,
    as_date_time,
    as_number,
    as_spans,
    parse_answer,
    parse_values,
)
from tests.corpora import corpora


def answers(raw: bytes) -> list[Answer]:
    framer = Framer(max_literal_bytes=10**6, max_line_bytes=10**6)
    framer.feed(raw)
    return [parse_answer(frame) for frame in iter(framer.next, None)]


def answer(raw: bytes) -> Answer:
    (only,) = answers(raw)
    return only


def test_data_of_all_shapes_is_told_apart():
    fetched = answer(
        b'* 12 FETCH (UID 5 FLAGS (\\Seen $Ok) X NIL N "NIL" BODY[HEADER.FIELDS (A "B")]<0> {3}\r\n'
        b'("x Q "a\\"b\\\\" () (("d" {1}\r\n))))\r\n'
    )
    assert isinstance(fetched, Untagged)
    assert (fetched.kind, fetched.number) == ("FETCH", 12)
    assert fetched.values() == [
        [
            *("UID", "5", "FLAGS", ["\\Seen", "$Ok"], "X", None, "N", b"NIL"),
            *('BODY[HEADER.FIELDS (A "B")]<0>', b'("x', "Q", b'a"b\\', [], [[b"d", b")"]]),
        ]
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"* OK [UIDVALIDITY 3] hi {5}", Status(None, "OK", "UIDVALIDITY", b"3", "hi {5}")),
        (b"A1 NO [TRYCREATE] no such", Status("A1", "NO", "TRYCREATE", b"", "no such")),
        (b"A1 OK", Status("A1", "OK", None, b"", "")),
        (b"* bye [unavailable] so long", Status(None, "BYE", "UNAVAILABLE", b"", "so long")),
        (b"a2 BAD caf\xe9", Status("a2", "BAD", None, b"", "café")),
        (b"+", Continue(b"")),
        (b"+ idling", Continue(b"idling")),
        (b"what is this?", Noise([b"what is this?"])),
        (b"* ", Noise([b"* "])),
    ],
)
def test_every_kind_of_line_is_known(line: bytes, expected: Answer):
    assert answer(line + b"\r\n") == expected


@pytest.mark.parametrize(
    "line", [b'* X "open', b"* X (open", b"* X closed)", b"* X " + b"(" * 3000]
)
def test_data_that_does_not_close_is_garbled(line: bytes):
    told = answer(line + b"\r\n")
    assert isinstance(told, Untagged)
    with pytest.raises(Garbled):
        told.values()


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_garbage_is_garbled_and_nothing_worse(pieces: list[bytes]):
    told = parse_answer([pieces[0].replace(b"\n", b""), *pieces[1:]])
    try:
        if isinstance(told, Untagged | Status):
            told.values()
        parse_values(pieces)
    except Garbled:
        pass


def test_brackets_by_the_thousand_take_no_time():
    parse_values([b"[" * 200_000])
    parse_values([b"]" * 200_000])
    with pytest.raises(Garbled):
        parse_values([b'"' + b"\\" * 199_999])


def test_dates_are_read_as_utc_and_nonsense_as_none():
    assert as_date_time(b"17-Jul-1996 02:44:25 -0700") == datetime(
        1996, 7, 17, 9, 44, 25, tzinfo=UTC
    )
    assert as_date_time(b" 1-jan-2020 00:00:60 +0000") == datetime(2020, 1, 1, 0, 0, 59, tzinfo=UTC)
    for nonsense in (b"31-Feb-2020 00:00:00 +0000", b"01-Jan-0001 00:00:00 +2300", b"", None, "x"):
        assert as_date_time(nonsense) is None


def test_numbers_are_at_most_64_bits():
    assert as_number("12") == as_number(b"12") == 12
    for no_number in ("-1", "9" * 19, "9" * 400, "१२", None, ["1"]):
        assert as_number(no_number) is None


def test_sets_of_uids_are_spans():
    assert as_spans("7,1:3,9:8,4").spans == (Span(1, 4), Span(7, 9))
    for no_set in ("", "*", "1:*", "0", "4294967296", "a", None):
        with pytest.raises(Garbled):
            as_spans(no_set)


@pytest.mark.skipif(corpora() is None, reason="the corpora are not beside the project")
def test_what_real_servers_said_is_understood():
    folder = corpora()
    assert folder is not None
    transcripts = [p for p in (folder / "imap-transcripts").rglob("*") if p.suffix == ".txt"]
    assert transcripts
    noise: list[str] = []
    for path in transcripts:
        for told in answers(re.sub(rb"\r?\n", b"\r\n", path.read_bytes())):
            if isinstance(told, Noise):
                noise.append(f"{path.name}: {told.frame!r:.200}")
            elif isinstance(told, Untagged):
                told.values()
    assert noise == []
