"""What leaves is what was written, whoever reads it."""

from base64 import b64encode
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import default
from uuid import UUID

import fast_mail_parser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.sender.domain.body import File
from services.sender.domain.compose import Letter, Unsendable, compose
from services.sync.domain.mime.flowed import unflowed
from services.sync.domain.parse import parse
from shared.contracts.content import Priority
from shared.contracts.mail import Address
from shared.contracts.submission import LARGEST_MESSAGE_BYTES, Group, may_be_given

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
ADA = Address("Ada Lovelace", "ada@example.com")
BOB = Address("Bob", "bob@example.org")
PIXEL = File(
    name="pixel.png", content_type="image/png", data=b"\x89PNG", content_id="p1@x", inline=True
)
REPORT = File(name="Bericht für März.pdf", content_type="application/pdf", data=b"%PDF-1.4\n" * 40)


def a_letter(**differently: object) -> Letter:
    values = {
        "submission_id": UUID(int=77),
        "sender": ADA,
        "to": (BOB,),
        "subject": "Lunch",
        "text": "At noon?\n",
        "html": None,
    }
    return Letter(**(values | differently))  # type: ignore[arg-type]


def read_back(mime: bytes) -> EmailMessage:
    message = message_from_bytes(mime, policy=default)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert not part.defects
    return message


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")),
    max_size=150,
)
LINES = st.lists(WORDS, max_size=8).map("\n".join)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")),
    min_size=1,
    max_size=120,
).map(lambda name: " ".join(name.split()) or "x")


@settings(max_examples=150, deadline=None)
@given(
    subject=WORDS,
    text=LINES,
    name=NAMES,
    files=st.lists(st.tuples(NAMES, st.binary(max_size=300)), max_size=3),
    html=st.none() | LINES.map(lambda words: f"<p>{words.replace('<', '&lt;')}</p>"),
)
@example(subject="Ü", text="> quoted\n> " + "long " * 60, name='"; x=', files=[], html=None)
@example(subject="", text="From here\n  indented " + "w " * 60, name="n", files=[], html="<p>")
@example(subject="s", text="-- \nAda", name="ä" * 119, files=[("ü" * 110, b"")], html=None)
@example(subject="s", text="-- " + "x" * 90, name="'", files=[("*'%\"\\", b"\r\n.\r\n")], html=None)
def test_three_readers_find_what_was_written(
    subject: str, text: str, name: str, files: list[tuple[str, bytes]], html: str | None
):
    composed = compose(
        a_letter(
            subject=subject,
            text=text,
            html=html,
            to=(Address(name, "bob@example.org"),),
            files=tuple(
                File(name=name, content_type="application/octet-stream", data=data)
                for name, data in files
            ),
        ),
        now=NOW,
    )
    assert composed.mime.isascii()
    assert max(len(line) for line in composed.mime.split(b"\r\n")) <= 998

    theirs = read_back(composed.mime)
    attached = [(part.get_filename(), part.get_content()) for part in theirs.iter_attachments()]
    assert attached == files
    body = theirs.get_body(("plain",))
    assert body is not None
    assert _same_lines(_read(body), text)

    ours = parse(composed.mime)
    assert ours.subject.split() == subject.split()
    assert [(one.name.split(), one.email) for one in ours.to] == [(name.split(), BOB.email)]
    if text.strip() or html is None:  # else it shows the words of the HTML
        assert _same_lines(ours.text, text)
    assert (ours.html is None) == (html is None)
    assert [(one.name, one.size_bytes) for one in ours.attachments] == [
        (name, len(data)) for name, data in files
    ]
    assert ours.defects == ()

    fast = fast_mail_parser.parse_email(composed.mime)
    assert fast.subject.split() == subject.split()
    assert [bytes(one.content) for one in fast.attachments] == [data for _, data in files]


def _read(part: MIMEPart) -> str:
    text = part.get_content().replace("\r\n", "\n")
    return unflowed(text, delete_space=False) if part.get_param("format") == "flowed" else text


def _same_lines(read: str, written: str) -> bool:
    """Blanks at the end of a line, and of quoting, mean nothing; quotations stay wrapped."""

    def words(text: str) -> list[str]:
        lines = [line.rstrip() for line in text.split("\n")]
        return " ".join(lines).replace(">", " ").split()

    return words(read) == words(written)


def test_a_message_with_all_there_is_has_the_form_that_readers_expect():
    composed = compose(
        a_letter(
            html='<p>See <img src="cid:p1@x"></p>',
            files=(PIXEL, REPORT),
            cc=(Address("", "carl@example.org"),),
            to_groups=(Group(name="Team", members=(Address("Eve", "eve@example.net"),)),),
            reply_to=(Address("Office", "office@example.com"),),
            in_reply_to=("1@example.org",),
            references=("0@example.org", "1@example.org"),
            priority=Priority.HIGH,
            read_receipt_to=ADA,
            headers=(("X-Campaign", "spring"), ("List-Unsubscribe", "<https://example.com/u?x=1>")),
        ),
        now=NOW,
    )
    message = read_back(composed.mime)
    shape = [part.get_content_type() for part in message.walk()]
    assert shape == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    assert composed.recipients == ("bob@example.org", "eve@example.net", "carl@example.org")
    assert message["To"] == "Bob <bob@example.org>, Team: Eve <eve@example.net>;"
    assert message["Reply-To"] == "Office <office@example.com>"
    assert message["In-Reply-To"] == "<1@example.org>"
    assert message["References"] == "<0@example.org> <1@example.org>"
    assert (message["X-Priority"], message["Importance"]) == ("1", "high")
    assert message["Disposition-Notification-To"] == "Ada Lovelace <ada@example.com>"
    assert message["X-Campaign"] == "spring"
    assert message["List-Unsubscribe"] == "<https://example.com/u?x=1>"
    ours = parse(composed.mime)
    assert [(one.name, one.email) for one in ours.to] == [
        ("Bob", "bob@example.org"),
        ("Eve", "eve@example.net"),
    ]
    assert ours.references == ("0@example.org", "1@example.org")
    assert [(one.name, one.inline, one.content_id) for one in ours.attachments] == [
        ("pixel.png", True, "p1@x"),
        ("Bericht für März.pdf", False, None),
    ]


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@y.z", "a\nX: y", "a\rX: y", "a\x00b"])
@pytest.mark.parametrize(
    "place", ["reply_to", "group", "member", "reference", "header", "header_name", "file", "cid"]
)
def test_no_field_of_any_kind_can_begin_another(evil: str, place: str):
    letter = {
        "reply_to": a_letter(reply_to=(Address(evil, "a@b.example"),)),
        "group": a_letter(to_groups=(Group(name=evil),)),
        "member": a_letter(cc_groups=(Group(name="x", members=(Address(evil, "a@b.example"),)),)),
        "reference": a_letter(references=(evil,)),
        "header": a_letter(headers=(("X-A", evil),)),
        "header_name": a_letter(headers=((f"X-{evil}", "y"),)),
        "file": a_letter(files=(File(name=evil, content_type="a/b", data=b""),)),
        "cid": a_letter(
            files=(File(name="x", content_type="a/b", data=b"", content_id=evil, inline=True),)
        ),
    }[place]
    with pytest.raises(Unsendable) as refused:
        compose(letter, now=NOW)
    assert refused.value.reason == "invalid_header"


@pytest.mark.parametrize(
    "name",
    ["From", "to", "BCC", "Sender", "Date", "Message-ID", "Received", "Content-Type", "Subject",
     "DKIM-Signature", "Return-Path", "MIME-Version", "Resent-To", "X", "X-A:b", "X-Ä", ""],
)  # fmt: skip
def test_what_is_ours_to_write_cannot_be_given(name: str):
    assert not may_be_given(name)
    with pytest.raises(Unsendable):
        compose(a_letter(headers=((name, "x"),)), now=NOW)


def test_a_message_in_a_message_is_one_where_it_can_be():
    inner = b"From: eve@example.net\nSubject: Fwd\n\nBody\n"
    plain = File(name="m.eml", content_type="message/rfc822", data=inner)
    eight_bit = File(name="m.eml", content_type="message/rfc822", data=inner + "ü".encode())
    message = read_back(compose(a_letter(files=(plain, eight_bit)), now=NOW).mime)
    first, second = message.iter_attachments()
    assert first.get_content_type() == "message/rfc822"
    assert first.get_content()["Subject"] == "Fwd"
    assert second.get_content_type() == "application/octet-stream"
    assert second.get_content() == eight_bit.data


def test_a_long_conversation_keeps_its_beginning_and_its_end():
    ids = tuple(f"{n}@example.org" for n in range(100))
    composed = compose(a_letter(in_reply_to=ids[-1:], references=ids), now=NOW)
    found = parse(composed.mime).references
    assert (found[0], found[-1], len(found)) == (ids[0], ids[-1], 40)


def test_a_message_that_no_server_takes_is_refused():
    large = File(
        name="x", content_type="application/zip", data=b64encode(bytes(LARGEST_MESSAGE_BYTES // 2))
    )
    with pytest.raises(Unsendable) as refused:
        compose(a_letter(files=(large, large)), now=NOW)
    assert refused.value.reason == "message_too_large"
