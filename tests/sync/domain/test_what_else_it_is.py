"""A message beside its words: files in it, how it is protected, how urgent it is."""

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.mime.tnef import files_in
from services.sync.domain.parse import parse
from shared.contracts.content import Inside, Priority, Scheme


def attribute(level: int, name: int, data: bytes) -> bytes:
    return struct.pack("<BHHI", level, name, 6, len(data)) + data + b"\0\0"


def text_property(name: int, text: str) -> bytes:
    raw = text.encode("utf-16-le") + b"\0\0"
    return struct.pack("<HHII", 0x1F, name, 1, len(raw)) + raw + b"\0" * (-len(raw) % 4)


NAMED = struct.pack("<HH", 0x03, 0x8001) + b"\0" * 16 + struct.pack("<III", 0, 1, 7)
CONTAINER = (
    struct.pack("<IH", 0x223E9F78, 1)
    + attribute(1, 0x9007, struct.pack("<II", 1251, 0))
    + attribute(2, 0x9002, b"\0" * 14)
    + attribute(2, 0x8010, "план.txt\0".encode("cp1251"))
    + attribute(2, 0x800F, b"12345")
    + attribute(2, 0x9002, b"\0" * 14)
    + attribute(2, 0x8010, b"GRUESS~1.PDF\0")
    + attribute(2, 0x800F, b"%PDF")
    + attribute(2, 0x9005, struct.pack("<I", 2) + NAMED + text_property(0x3707, "Grüße.pdf"))
)
FILES = (
    Inside(name="план.txt", content_type="text/plain", size_bytes=5),
    Inside(name="Grüße.pdf", content_type="application/pdf", size_bytes=4),
)


@pytest.mark.parametrize(
    "content_type", ["application/ms-tnef", "application/octet-stream; name=winmail.dat"]
)
def test_what_is_in_a_winmail_dat_is_listed(content_type: str):
    raw = (
        f"Content-Type: {content_type}\nContent-Transfer-Encoding: base64\n\n".encode()
        + base64.encodebytes(CONTAINER)
    )
    assert [each.contains for each in parse(raw).attachments] == [FILES]


def test_any_other_file_contains_nothing():
    (part,) = parse(b"Content-Type: application/pdf\n\n%PDF").attachments
    assert part.contains == ()


@given(st.integers(0, len(CONTAINER)), st.binary(max_size=8))
def test_a_broken_winmail_dat_is_listed_as_far_as_it_goes(at: int, noise: bytes):
    assert len(files_in(CONTAINER[:at] + noise + CONTAINER[at + len(noise) :])) <= 2


@pytest.mark.usefixtures("quickly")
def test_a_winmail_dat_of_very_many_files_is_soon_read():
    assert len(files_in(CONTAINER + attribute(2, 0x9002, b"") * 1_000_000)) == 100
    many = struct.pack("<I", 0xFFFFFFFF) + struct.pack("<HHI", 0x101F, 0x3707, 0xFFFFFFFF)
    assert files_in(CONTAINER + attribute(2, 0x9005, many + b"\0" * 100_000))


SIGNED = b"""Content-Type: multipart/signed; boundary=s

--s

hello
--s
Content-Type: application/pgp-signature

x
--s--
"""
ENCRYPTED = b"""Content-Type: multipart/encrypted; boundary=s

--s
Content-Type: application/pgp-encrypted

Version: 1
--s
Content-Type: application/octet-stream

x
--s--
"""


@pytest.mark.parametrize(
    ("raw", "signed", "encrypted"),
    [
        (b"\n\nhello", None, None),
        (SIGNED, Scheme.OPENPGP, None),
        (ENCRYPTED, None, Scheme.OPENPGP),
        (
            b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nx",
            None,
            Scheme.SMIME,
        ),
        (
            b"Content-Type: application/x-pkcs7-mime; smime-type=signed-data\n\nx",
            Scheme.SMIME,
            None,
        ),
        (b"\n\n-----BEGIN PGP SIGNED MESSAGE-----\nx", Scheme.OPENPGP, None),
        (b"\n\nsee:\n-----BEGIN PGP MESSAGE-----\nx", None, Scheme.OPENPGP),
        (b"\n\n-----BEGIN PGP PUBLIC KEY BLOCK-----\nx", None, None),
    ],
)
def test_a_message_is_signed_or_encrypted(
    raw: bytes, signed: Scheme | None, encrypted: Scheme | None
):
    parsed = parse(raw)
    assert (parsed.signed, parsed.encrypted) == (signed, encrypted)


@pytest.mark.parametrize(
    ("field", "priority"),
    [
        ("Subject: x", None),
        ("Importance: High", Priority.HIGH),
        ("X-Priority: 1 (Highest)", Priority.HIGH),
        ("X-Priority: 3", None),
        ("X-Priority: 3\nX-MSMail-Priority: Low", Priority.LOW),
        ("Priority: non-urgent", Priority.LOW),
        ("Priority:", None),
    ],
)
def test_a_message_is_as_urgent_as_its_sender_says(field: str, priority: Priority | None):
    assert parse(f"{field}\n\nx".encode()).priority == priority


def flowed(body: str, more: str = "") -> str:
    return parse(f"Content-Type: text/plain; format=flowed{more}\n\n{body}".encode()).text


def test_a_paragraph_that_was_wrapped_for_the_journey_is_one_line():
    assert flowed("one \ntwo \nthree\n\nfour") == "one two three\n\nfour"
    assert flowed("日本 \n語\n", "; delsp=yes") == "日本語"
    assert flowed(" >not quoted\n From\n") == ">not quoted\nFrom"
    assert flowed("> one \n> two \nthree \n> four") == "> one \n> two \nthree\n> four"
    assert flowed("Yes. \n-- \nAnn") == "Yes.\n-- \nAnn"
    assert parse(b"\n\none \ntwo").text == "one \ntwo"


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("piece", ["a \n", " \n", ">", "-- \n", "\r\n"])
def test_a_flowed_bomb_is_soon_read(piece: str):
    flowed(piece * 500_000)


ALTERNATIVES = (
    b"Content-Type: text/html\n\n<p>page</p>",
    b"Content-Type: text/plain\n\nwords",
)


@pytest.mark.parametrize("parts", [ALTERNATIVES, ALTERNATIVES[::-1]])
def test_alternatives_are_known_by_their_type_in_whatever_order(parts: tuple[bytes, bytes]):
    raw = b"Content-Type: multipart/alternative; boundary=a\n\n--a\n%s\n--a\n%s\n--a--\n" % parts
    parsed = parse(raw)
    assert (parsed.text, parsed.html, parsed.attachments) == ("words", "<p>page</p>", ())


def test_an_empty_text_beside_a_page_is_what_the_page_says():
    raw = b"Content-Type: multipart/alternative; boundary=a\n\n--a\n\n\n--a\n%s\n--a--\n"
    parsed = parse(raw % ALTERNATIVES[0])
    assert (parsed.text, parsed.preview) == ("page", "page")


def test_a_message_in_a_message_is_listed_by_its_subject():
    raw = b"Content-Type: multipart/mixed; boundary=a\n\n--a\n%s\nSubject: =?utf-8?q?Gr=C3=BC?="
    (part,) = parse(raw % b"Content-Type: message/rfc822\n").attachments
    assert (part.name, part.content_type) == ("Grü.eml", "message/rfc822")
