import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.parse import attachment_part, parse


def uuencoded(content: bytes, name: str = "photo.gif") -> bytes:
    lines = [binascii.b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45)]
    return f"begin 644 {name}\n".encode() + b"".join(lines) + b"`\nend\n"


def letter(body: bytes, *fields: bytes) -> bytes:
    return b"\n".join([b"From: ann@example.org", *fields]) + b"\n\n" + body


@given(st.binary(min_size=1, max_size=2000), st.booleans())
def test_a_file_in_a_text_is_attached_and_not_in_the_text(content: bytes, crlf: bool):
    raw = letter(b"Look:\n\n" + uuencoded(content) + b"\nYours\n")
    if crlf:
        raw = raw.replace(b"\n", b"\r\n")
    parsed = parse(raw)
    assert parsed.text.split() == ["Look:", "Yours"]
    (file,) = parsed.attachments
    assert (file.name, file.content_type, file.size_bytes) == (
        "photo.gif",
        "image/gif",
        len(content),
    )
    part = attachment_part(raw, file.number)
    assert part is not None
    assert part.content == content


def test_files_in_texts_come_behind_what_is_attached():
    raw = letter(
        b"--b\n\nOne:\n" + uuencoded(b"1", "one.txt") + b"and two:\n" + uuencoded(b"22", "two.txt")
        + b"--b\nContent-Type: application/pdf; name=a.pdf\n\nPDF\n--b--\n",
        b"Content-Type: multipart/mixed; boundary=b",
    )  # fmt: skip
    parsed = parse(raw)
    assert [each.name for each in parsed.attachments] == ["a.pdf", "one.txt", "two.txt"]
    assert parsed.text == "One:\nand two:"
    part = attachment_part(raw, 3)
    assert part is not None
    assert part.content == b"22"


def test_a_file_in_a_text_that_was_encoded_itself_is_found():
    body = base64.encodebytes(b"Look:\n" + uuencoded(b"hello", "a.txt"))
    parsed = parse(letter(body, b"Content-Transfer-Encoding: base64"))
    assert parsed.text == "Look:"
    assert [(each.name, each.size_bytes) for each in parsed.attachments] == [("a.txt", 5)]


@pytest.mark.parametrize(
    "body",
    [
        b"begin 644 a.txt\nAnd then nothing.\nend\n",
        uuencoded(b"hello").removesuffix(b"end\n"),  # it has no end
        b"> " + uuencoded(b"hello").replace(b"\n", b"\n> "),  # quoted
        b"begin 644 a.txt\n`\nend\n",  # nothing is in it
        b"begin 999 a.txt\n" + uuencoded(b"hello").partition(b"\n")[2],
        uuencoded(b"hello").replace(b"%", b"!"),  # longer than its line says
        b"We begin 644 times.\nend\n",
    ],
)
def test_what_is_not_a_file_from_its_first_line_to_its_last_stays_text(body: bytes):
    parsed = parse(letter(body))
    assert parsed.attachments == ()
    assert "end" in parsed.text or "begin" in parsed.text


def test_spaces_that_got_lost_at_the_end_of_lines_are_no_matter():
    encoded = uuencoded(b"a\0\0" * 15).replace(b"`", b" ")
    lines = [line.rstrip(b" ") for line in encoded.split(b"\n")]
    parsed = parse(letter(b"\n".join(lines)))
    assert [each.size_bytes for each in parsed.attachments] == [45]


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "body", [b"begin 644 a\n" * 100_000, b"begin 644 a\n" + b"M" * 61 + b"\n" * 100_000]
)
def test_many_beginnings_take_no_longer_than_they_are_long(body: bytes):
    assert parse(letter(body)).attachments == ()


def test_of_many_files_some_are_found():
    parsed = parse(letter(uuencoded(b"hello") * 300))
    assert len(parsed.attachments) == 100
