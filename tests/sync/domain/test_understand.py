from datetime import UTC, datetime

import msgspec
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.kept import content_json, unpack_body
from services.sync.domain.match_key import match_key
from services.sync.domain.parse import parse
from services.sync.domain.understand import understand
from shared.contracts.mail import TEXT_BYTES, Content

AT = datetime(2024, 3, 7, 9, 11, 12, tzinfo=UTC)
RAW = (
    b"Message-ID: <3@example.org>\r\nFrom: =?utf-8?q?Ad=C3=A4?= <ada@example.org>\r\n"
    b"X-Raw: gr\xfc\xdfe\r\nSubject: Plan\r\n folded\r\n"
    b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n"
)


def test_what_is_told_and_what_is_kept_say_the_same():
    read = understand(uid=7, raw=RAW, received_at=AT)
    assert msgspec.json.decode(read.content_json, type=Content) == read.content
    assert content_json(read.kept.content, read.kept.body) == read.content_json
    assert (read.uid, read.size_bytes, read.received_at) == (7, len(RAW), AT)
    assert read.content.size_bytes == len(RAW)
    assert read.content.subject == "Plan folded"
    assert read.names == ("3@example.org",)
    body = unpack_body(read.kept.body)
    assert (body.text, body.html) == ("Grüße", None)
    assert body.headers == parse(RAW).headers
    assert dict(body.headers)["X-Raw"] == "grüße"
    assert dict(body.headers)["From"] == "Adä <ada@example.org>"


def test_a_body_whose_header_was_kept_decoded_is_still_read():
    kept = (
        b'{"text":"words","html":"<p>","headers":[["Subject","Plan"]],"defects":["invalid_date"]}'
    )
    body = unpack_body(zstandard.ZstdCompressor().compress(kept))
    assert (body.text, body.html, body.defects) == ("words", "<p>", ("invalid_date",))
    assert body.headers == (("Subject", "Plan"),)


def test_a_message_that_was_read_has_the_key_of_its_listing():
    listed = match_key(b"Message-ID: <3@example.org>\r\n\r\n", len(RAW), AT)
    assert understand(uid=7, raw=RAW, received_at=AT).match_key == listed
    large = understand(uid=7, raw=RAW, received_at=AT, size_bytes=9_000_000)
    assert large.match_key == match_key(RAW, 9_000_000, AT)


def test_a_long_text_is_told_in_part_and_kept_whole():
    raw = b"Subject: x\r\n\r\n" + "ä".encode() * TEXT_BYTES
    read = understand(uid=7, raw=raw, received_at=AT)
    assert read.content.text_is_cut
    assert len(read.content.text.encode()) <= TEXT_BYTES
    assert unpack_body(read.kept.body).text == "ä" * TEXT_BYTES


@given(st.binary())
def test_whatever_came_can_be_kept_and_told(raw: bytes):
    read = understand(uid=7, raw=raw, received_at=AT)
    assert unpack_body(read.kept.body).headers == parse(raw).headers
    msgspec.json.encode(read.content)
