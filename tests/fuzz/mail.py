"""Any bytes are a message, and what is said of it can be kept, sent and shown."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from services.sync.domain.decoding import TooMuchToHold, decoder_of
from services.sync.domain.mime.bodies import bodies_of
from services.sync.domain.mime.structure import MAX_PARTS, read_structure
from services.sync.domain.parse import (
    MAX_HEADERS,
    MAX_ID,
    MAX_IDS,
    MAX_TEXT_BYTES,
    PREVIEW_CHARACTERS,
    attachment_part,
    parse,
)
from services.sync.domain.understand import understand
from shared.contracts.mail import TEXT_BYTES
from tests.corpora import messages

_RECEIVED_AT = datetime(2024, 3, 7, tzinfo=UTC)
_PIECE = 37
_SEED_BYTES = 8_000

WORDS = [
    *(b"\n\n", b"\r\n\r\n", b"\r", b"\0", b"\n ", b":", b";", b"=", b"==", b'"', b"<", b">", b"("),
    *(b"From: ", b"To: ", b"Subject: ", b"Date: ", b"Message-ID: <", b"References: <a@b> "),
    *(b"Content-Type: multipart/mixed; boundary=a\n\n", b"--a\n", b"--a--\n", b"\n--"),
    *(b"Content-Type: message/rfc822\n\n", b"Content-Type: text/html; charset=", b"multipart/"),
    *(b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n"),
    *(b"Content-Transfer-Encoding: x-uuencode\n", b"begin 644 a\n", b"\nend\n", b"=3D", b"=\n"),
    *(b"Content-Disposition: attachment; filename*0*=utf-8''%41; filename*1=", b"format=flowed"),
    *(b"Content-Type: text/plain; format=flowed; delsp=yes\n\n", b"> > ", b" \n", b"-- \n"),
    *(b"Content-Type: text/calendar; method=REQUEST\n\n", b"BEGIN:VEVENT\nDTSTART:", b"RRULE:"),
    *(b"Content-Type: application/ms-tnef; name=winmail.dat\n\n\x78\x9f\x3e\x22", b"\xff\xfe"),
    *(b"Content-Type: multipart/report; report-type=delivery-status; boundary=a\n\n", b"Status: 5"),
    *(b"=?utf-8?q?=C3?=", b"=?iso-2022-jp?b?GyRC?=", b"=?", b"?=", b"utf-16", b"utf-7", b"hz"),
    *(b"List-Unsubscribe: <mailto:a>", b"Authentication-Results: a; dkim=pass ", b"<!--", b"<p>"),
]


def seeds() -> Iterator[bytes]:
    """Real messages, the small ones."""
    yield b"From: a@b\nSubject: c\n\nd\n"
    yield b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\nb\n--a\n\nc\n--a--\n"
    for _, raw in messages():
        if len(raw) <= _SEED_BYTES:
            yield raw


def check(raw: bytes) -> None:
    """Nothing raises, nothing is endless, and text is text."""
    parsed = parse(raw)
    _is_text(msgspec.to_builtins(parsed))
    _is_text(msgspec.to_builtins(parsed.headers))
    assert len(parsed.headers) <= MAX_HEADERS
    assert len(parsed.preview) <= PREVIEW_CHARACTERS
    assert "\n" not in parsed.preview
    assert len(parsed.text.encode()) <= 4 * MAX_TEXT_BYTES
    assert len(parsed.references) <= MAX_IDS
    assert all(len(each) <= MAX_ID for each in (*parsed.references, *parsed.in_reply_to))
    assert len(parsed.attachments) <= MAX_PARTS
    for attachment in parsed.attachments:
        part = attachment_part(raw, attachment.number)
        assert part is not None, attachment
        assert len(part.content) == attachment.size_bytes
    assert attachment_part(raw, 0) is None
    assert attachment_part(raw, len(parsed.attachments) + 1) is None
    for part in bodies_of(read_structure(raw).root).attached:
        _comes_in_pieces(part.source[part.start : part.end], part.encoding, part.content)
    told = understand(uid=1, raw=raw, received_at=_RECEIVED_AT)
    assert len(told.content.text.encode()) <= TEXT_BYTES
    assert told == understand(uid=1, raw=raw, received_at=_RECEIVED_AT)


def _is_text(value: object) -> None:
    """What PostgreSQL and JSON carry: no NUL, no half of a character."""
    if isinstance(value, str):
        assert "\0" not in value
        value.encode("utf-8")
    elif isinstance(value, dict):
        for each in value.values():
            _is_text(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _is_text(each)


def _comes_in_pieces(encoded: bytes, encoding: str, content: bytes) -> None:
    decoder = decoder_of(encoding)
    try:
        pieces = [decoder.feed(encoded[at : at + _PIECE]) for at in range(0, len(encoded), _PIECE)]
        assert b"".join([*pieces, decoder.end()]) == content, encoding
    except TooMuchToHold:
        pass
