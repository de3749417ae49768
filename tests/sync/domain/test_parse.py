import random
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.parse import Parsed, attachment_part, parse, preview_of
from shared.contracts.mail import Address, Attachment
from tests.corpora import messages

LETTER = """\
Received: by mx.example.org; Thu, 7 Mar 2024 10:11:13 +0100
From: =?utf-8?q?Ad=C3=A4?= <ada@example.org>
To: Bob <bob@example.org>, team: c@example.org, d@example.org;
Cc: e@example.org
Reply-To: list@example.org
Subject: =?utf-8?q?Gr=C3=BC?=
 =?utf-8?q?=C3=9Fe?=
Message-ID: <3@example.org>
In-Reply-To: <2@example.org>
References: <1@example.org>
\t<2@example.org>
Date: Thu, 7 Mar 2024 10:11:12 +0100
List-Id: Our list <list.example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=out

preamble
--out
Content-Type: multipart/alternative; boundary=in

--in
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Hallo =E2=98=BA
> quoted
--in
Content-Type: multipart/related; boundary=rel

--rel
Content-Type: text/html; charset=iso-8859-1

<p>Hallo <img src="cid:i@x"></p>
--rel
Content-Type: image/png; name=i.png
Content-ID: <i@x>
Content-Transfer-Encoding: base64

AAEC
--rel--
--in--
--out
Content-Type: application/pdf
Content-Disposition: attachment; filename*=utf-8''B%C3%A4r.pdf

%PDF
--out--
epilogue
"""


def test_a_letter_is_understood():
    parsed = parse(LETTER.replace("\n", "\r\n").encode())
    assert parsed == Parsed(
        subject="Grüße",
        sender=Address("Adä", "ada@example.org"),
        to=(
            Address("Bob", "bob@example.org"),
            Address("", "c@example.org"),
            Address("", "d@example.org"),
        ),
        cc=(Address("", "e@example.org"),),
        reply_to=(Address("", "list@example.org"),),
        message_id="3@example.org",
        in_reply_to=("2@example.org",),
        references=("1@example.org", "2@example.org"),
        sent_at=datetime(2024, 3, 7, 9, 11, 12, tzinfo=UTC),
        list_id="list.example.org",
        text="Hallo ☺\n> quoted",
        html='<p>Hallo <img src="cid:i@x"></p>',
        preview="Hallo ☺",
        attachments=(
            Attachment(
                number=1,
                name="i.png",
                content_type="image/png",
                size_bytes=3,
                content_id="i@x",
                inline=True,
            ),
            Attachment(number=2, name="Bär.pdf", content_type="application/pdf", size_bytes=4),
        ),
        header=parsed.header,
        read=parsed.read,
        header_hint=parsed.header_hint,
    )
    assert dict(parsed.headers)["Subject"] == "Grüße"
    assert [name for name, _ in parsed.headers][:2] == ["Received", "From"]
    part = attachment_part(LETTER.encode(), 2)
    assert part is not None
    assert part.content == b"%PDF"
    assert attachment_part(LETTER.encode(), 3) is None


def test_a_page_without_text_is_read_as_text():
    parsed = parse(b"Content-Type: text/html; charset=gb2312\r\n\r\n<p>\xd6\xd0<p>\xce\xc4")
    assert (parsed.text, parsed.html) == ("中\n文", "<p>中<p>文")


def test_a_plain_letter_has_no_html():
    parsed = parse(b"Subject: x\n\nbody\n")
    assert (parsed.text, parsed.html, parsed.attachments) == ("body", None, ())


@pytest.mark.parametrize(
    ("header", "defect"),
    [
        ("Date: tomorrow\nSubject: x", "invalid_date"),
        ("Subject: x\nwhat is this\nFrom: a@x", "stray_line_in_header"),
        ("Subject: x\nContent-Type: text/plain; charset=nobody-knows", "unknown_charset"),
        ("Subject: x\nContent-Transfer-Encoding: rot13", "unknown_transfer_encoding"),
        ("Subject: x\nContent-Type: multipart/mixed; boundary=b", "multipart_without_parts"),
    ],
)
def test_what_is_wrong_with_a_message_is_said_and_the_rest_is_read(header: str, defect: str):
    parsed = parse(f"{header}\n\nbody".encode())
    assert parsed.defects == (defect,)
    assert (parsed.subject, parsed.text) == ("x", "body")


def test_text_that_follows_the_header_without_a_blank_line_is_not_lost():
    parsed = parse(b"Subject: x\nDear all,\nsee you.\n")
    assert (parsed.subject, parsed.text) == ("x", "Dear all,\nsee you.")


@pytest.mark.parametrize(
    ("field", "ids"),
    [
        ("<a@x> <b@x>", ("a@x", "b@x")),
        ("<a@x>\n from Ann", ("a@x",)),
        ("Message from Ann <ann@x> of Monday <a@x>", ()),
        ("a@x", ("a@x",)),
        ("Your letter of Monday", ()),
        ("<a\n @x>", ("a@x",)),
        (f"<{'a' * 999}@x>", ()),
    ],
)
def test_an_answer_names_what_it_answers(field: str, ids: tuple[str, ...]):
    assert parse(f"In-Reply-To: {field}\n\n".encode()).in_reply_to == ids


def test_a_preview_is_what_a_person_wrote():
    assert preview_of("> old\n\nnew  text\n> old") == "new text"
    assert preview_of("> only\n> old") == "> only > old"
    assert preview_of("\u200b\u034f \u00ad") == ""
    assert len(preview_of("word " * 1_000)) <= 200


def check(parsed: Parsed) -> None:
    """What everybody who keeps a message relies on."""
    encoded = msgspec.json.encode(parsed)
    assert b"\\u0000" not in encoded
    assert msgspec.json.decode(encoded, type=Parsed) == parsed
    assert len(parsed.preview) <= 200
    if parsed.sent_at is not None:
        assert parsed.sent_at.utcoffset() is not None
    assert [each.number for each in parsed.attachments] == list(
        range(1, len(parsed.attachments) + 1)
    )


def test_every_real_message_is_read():
    corpus = messages()
    if not corpus:
        pytest.skip("the corpora are not beside the project")
    for name, raw in corpus:
        parsed = parse(raw)
        check(parsed)
        assert parsed.headers or parsed.defects, name


@given(st.binary())
def test_any_bytes_are_a_message(raw: bytes):
    check(parse(raw))


@given(st.integers())
def test_damaged_messages_are_messages(seed: int):
    chance = random.Random(seed)
    raw = bytearray(LETTER.encode())
    for _ in range(chance.randrange(1, 12)):
        at = chance.randrange(len(raw))
        match chance.randrange(4):
            case 0:
                raw[at] = chance.randrange(256)
            case 1:
                del raw[at : at + chance.randrange(60)]
            case 2:
                raw[at:at] = raw[chance.randrange(len(raw)) :][: chance.randrange(200)]
            case _:
                raw[at:at] = chance.choice([b"\0", b"\r", b"\n\n", b'"', b"--in", b"=?", b";"])
    check(parse(bytes(raw)))


def nested(depth: int) -> bytes:
    opening = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(depth)
    )
    return (opening + "\ninnermost\n").encode()


BOMBS = {
    "nested parts": nested(1_000),
    "nested parts of one boundary": b"Content-Type: multipart/x; boundary=a\n\n--a\n" * 5_000,
    "parts": b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 200_000,
    "false boundaries": b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a" * 700_000,
    "fields": b"X: y\n" * 400_000,
    "one long field": b"Subject: " + b"x" * 3_000_000,
    "one folded field": b"Subject: x\n" + b" y\n" * 700_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?=C3?= " * 150_000,
    "unfinished words": b"Subject: " + b"=?a?q?" * 300_000,
    "brackets": b"To: " + b"(" * 1_000_000,
    "angles": b"To: " + b"<" * 1_000_000,
    "quotes": b'To: "' + b'\\"' * 700_000,
    "ats": b"To: " + b"a@" * 700_000,
    "letters": b"To: " + b"a" * 1_000_000,
    "groups": b"To: " + b"a:" * 700_000,
    "people": b"To: " + b"a@b, " * 300_000,
    "parameters": b"Content-Type: a/b" + b"; a=b" * 300_000,
    "semicolons": b"Content-Type: a/b" + b";" * 1_000_000,
    "blanks": b"Content-Type: a/b; " + b" " * 1_000_000,
    "open parameters": b"Content-Type: a/b" + b'; a="' * 300_000,
    "references": b"References: " + b"<a@b>" * 300_000,
    "open references": b"References: " + b"<" * 1_000_000,
    "date": b"Date: " + b"1" * 1_000_000,
    "nul": b"\0" * 2_000_000,
    "newlines": b"\n" * 2_000_000,
    "stray lines": b"x\nFrom: a\n" * 100_000,
    "html": b"Content-Type: text/html\n\n" + b"<div>" * 500_000,
    "base64": b"Content-Transfer-Encoding: base64\n\n" + b"A=" * 1_000_000,
    "quoted lines": b"\n" + b">" * 2_000_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_message_takes_long_to_read(bomb: str, quickly: None):
    check(parse(BOMBS[bomb]))
