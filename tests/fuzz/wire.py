"""Whatever a server answers is understood, or called garbled; and however it arrives in pieces."""

import contextlib
from collections.abc import Iterator

from services.sync.imap.errors import Garbled, TooLarge
from services.sync.imap.framing import Frame, Framer
from services.sync.imap.names import decode_name
from services.sync.imap.parser import (
    Status,
    Untagged,
    Value,
    as_date_time,
    as_id,
    as_modseq,
    as_number,
    as_spans,
    as_string,
    as_words,
    items_of,
    parse_answer,
)
from services.sync.imap.structure import structure_in
from tests.corpora import corpora

_LITERAL, _LINE = 100_000, 50_000
_PIECE = 7
_SEED_BYTES = 20_000

WORDS = [
    *(
        b"\r\n",
        b"\n",
        b"{3}\r\nabc",
        b"{3+}\r\n",
        b"{99999999999}\r\n",
        b"~{2}\r\n\0\0",
        b"{0}\r\n",
    ),
    *(b"* ", b"+ ", b"A1 OK ", b"* OK [", b"] ", b"(", b")", b'"', b'\\"', b"NIL", b"<0>", b"%"),
    *(
        b"* 1 FETCH (UID 1 FLAGS (\\Seen) ",
        b"BODY[] ",
        b"BODYSTRUCTURE ",
        b"MODSEQ (1)",
        b"EMAILID",
    ),
    *(b'INTERNALDATE " 7-Mar-2024 10:11:12 +0100"', b"BODY[HEADER.FIELDS (A)] ", b"RFC822.SIZE 1"),
    *(b"* LIST (\\Noselect) ", b"* SEARCH 1 2", b"* ESEARCH (TAG ", b") UID ALL 1:3,5", b"* BYE"),
    *(b"* VANISHED (EARLIER) 1:4294967295", b"* STATUS ", b"UIDNEXT 4294967296", b"&AOk-", b"&-"),
    *(b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 1 1)', b'"mixed"', b"[COPYUID 1 1 2]"),
]


def seeds() -> Iterator[bytes]:
    """What real servers said."""
    yield b"* OK [CAPABILITY IMAP4rev1] hello\r\n"
    yield b"* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] {3}\r\nabc)\r\n"
    folder = corpora()
    if folder is None:
        return
    for path in sorted((folder / "imap-transcripts").rglob("*.txt")):
        raw = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        yield raw[:_SEED_BYTES]


def check(data: bytes) -> None:
    """The same answers in whatever pieces, each understood or garbled and nothing else."""
    whole = _frames(data, max(len(data), 1))
    assert whole == _frames(data, _PIECE)
    for frame in whole:
        answer = parse_answer(frame)
        if not isinstance(answer, Untagged | Status):
            continue
        try:
            values = answer.values()
        except Garbled:
            continue
        if isinstance(answer, Untagged):
            _is_the_same_looked_at_closely(answer, values)
        for value in values:
            _understood(value)


def _frames(data: bytes, piece: int) -> list[Frame]:
    framer = Framer(max_literal_bytes=_LITERAL, max_line_bytes=_LINE)
    found: list[Frame] = []
    try:
        for at in range(0, len(data), piece):
            framer.feed(data[at : at + piece])
            while (frame := framer.next()) is not None:
                found.append(frame)
    except TooLarge:
        pass
    return found


def _is_the_same_looked_at_closely(answer: Untagged, values: list[Value]) -> None:
    told = items_of(answer)
    if told is None:
        return
    (items, *_) = values
    assert isinstance(items, list)
    closely = {
        name.upper(): value
        for name, value in zip(items[::2], items[1::2], strict=False)
        if isinstance(name, str)
    }
    assert told == closely
    if "BODYSTRUCTURE" in told:
        structure_in(told["BODYSTRUCTURE"])


def _understood(value: Value) -> None:
    for reading in (as_number, as_string, as_modseq, as_words, as_id, as_date_time):
        reading(value)
    if isinstance(value, bytes):
        assert "\0" not in decode_name(value)
    with contextlib.suppress(Garbled):
        as_spans(value)
    if isinstance(value, list):
        structure_in(value)
        for each in value[:100]:
            if not isinstance(each, list):
                _understood(each)
