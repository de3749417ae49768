import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.sender.domain.address import NotAnAddress, address_of
from services.sender.domain.body import with_crlf
from services.sender.domain.compose import Letter, Unsendable, compose
from services.sender.domain.plain_text import text_of_html
from services.sync.domain.mime.flowed import unflowed
from shared.contracts.mail import Address

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
ADA = Address("Ada Lovelace", "ada@example.com")
BOB = Address("", "bob@example.org")


def a_letter(**differently: object) -> Letter:
    values = {
        "submission_id": UUID(int=77),
        "sender": ADA,
        "to": (BOB,),
        "cc": (),
        "bcc": (),
        "subject": "Lunch",
        "text": "At noon?\n",
        "html": None,
    }
    return Letter(**(values | differently))  # type: ignore[arg-type]


def read_back(mime: bytes) -> EmailMessage:
    message = message_from_bytes(mime, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def people(message: EmailMessage, field: str) -> list[tuple[str, str]]:
    return [(one.display_name, one.addr_spec) for one in message[field].addresses]


def words_of(message: EmailMessage, subtype: str = "plain") -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


def test_what_was_written_is_what_is_read():
    composed = compose(a_letter(cc=(Address("Müller, Hans", "hans@example.net"),)), now=NOW)
    message = read_back(composed.mime)
    assert people(message, "From") == [("Ada Lovelace", "ada@example.com")]
    assert people(message, "To") == [("", "bob@example.org")]
    assert people(message, "Cc") == [("Müller, Hans", "hans@example.net")]
    assert message["Subject"] == "Lunch"
    assert message["Date"].datetime == NOW
    assert message["Message-ID"] == f"<{UUID(int=77)}@example.com>"
    assert composed.message_id == f"{UUID(int=77)}@example.com"
    assert words_of(message) == "At noon?\n"


def test_bcc_is_in_the_envelope_and_nowhere_else():
    composed = compose(a_letter(bcc=(Address("Eve", "eve@secret.example"),)), now=NOW)
    assert composed.recipients == ("bob@example.org", "eve@secret.example")
    assert b"secret" not in composed.mime
    assert b"eve" not in composed.mime.lower()


def test_a_message_for_hidden_recipients_only_names_nobody():
    composed = compose(a_letter(to=(), bcc=(BOB,)), now=NOW)
    assert composed.recipients == ("bob@example.org",)
    assert b"bob" not in composed.mime
    assert b"To: undisclosed-recipients:;\r\n" in composed.mime


def test_nobody_gets_a_message_twice():
    composed = compose(
        a_letter(to=(BOB, Address("Bob", "bob@EXAMPLE.org")), cc=(BOB,), bcc=(BOB,)), now=NOW
    )
    assert len(composed.recipients) == 1


def test_composing_twice_makes_the_same_bytes():
    letter = a_letter(html="<p>At noon?</p>")
    assert compose(letter, now=NOW) == compose(letter, now=NOW)


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@y.z", "a\nX: y", "a\rX: y", "a\x00b", "a\x0bb"])
@pytest.mark.parametrize("place", ["subject", "name", "from_name", "email", "from_email"])
def test_no_field_can_begin_another(evil: str, place: str):
    letter = {
        "subject": a_letter(subject=evil),
        "name": a_letter(to=(Address(evil, "bob@example.org"),)),
        "from_name": a_letter(sender=Address(evil, "ada@example.com")),
        "email": a_letter(to=(Address("", f"{evil}@example.org"),)),
        "from_email": a_letter(sender=Address("", f"ada@example.com{evil}")),
    }[place]
    with pytest.raises(Unsendable):
        compose(letter, now=NOW)


def test_a_message_for_nobody_cannot_be_sent():
    with pytest.raises(Unsendable) as refused:
        compose(a_letter(to=()), now=NOW)
    assert refused.value.reason == "no_recipients"


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=120
)


@settings(max_examples=300, deadline=None)
@given(subject=NAMES, name=NAMES)
@example(subject="=?utf-8?q?already_encoded?=", name='quotes " and \\ slashes')
@example(subject="Ä" * 200, name="Ü " * 60)
@example(subject="word " * 40, name="Smith, John (Sales); <x>")
@example(subject="x" * 998, name="n" * 300)
@example(subject="a  b   c", name="a  b")
@example(subject="🙂" * 70, name="家" * 90)
@example(subject=":", name="@")
def test_any_words_survive_the_header(subject: str, name: str):
    mime = compose(
        a_letter(subject=subject, to=(Address(name, "bob@example.org"), BOB)), now=NOW
    ).mime
    header = mime.split(b"\r\n\r\n", 1)[0]
    assert all(len(line) <= 100 for line in header.split(b"\r\n"))
    assert header.isascii()
    # email's newer parser puts blanks between the encoded words of a name (RFC 2047 §6.2 says
    # there are none), so the older one reads.
    message = message_from_bytes(mime)
    assert _same(_decoded(message["Subject"] or ""), subject)
    (first, first_address), second = getaddresses([message["To"]])
    assert (first_address, second) == (BOB.email, ("", BOB.email))
    assert _same(_decoded(first), name)


def _decoded(field: str) -> str:
    return str(make_header(decode_header(field)))


def _same(read: str, written: str) -> bool:
    """How many blanks there are is lost by readers, that there is one is not."""
    return read.split() == written.split()


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=400))
@example(text=".\n..\n.hidden\n")
@example(text="From the start\n")
@example(text="long " * 400)
@example(text="ü" * 2000)
@example(text="\x00nul\r\rlone\n")
def test_any_words_survive_the_body(text: str):
    mime = compose(a_letter(text=text), now=NOW).mime
    assert mime.isascii()
    assert b"\x00" not in mime
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", mime)
    assert max(len(line) for line in mime.split(b"\r\n")) <= 998
    written = with_crlf(text.replace("\x00", "").encode()).decode().replace("\r\n", "\n")
    message = read_back(mime)
    read = words_of(message).replace("\r\n", "\n").replace("\r", "\n")
    if message.get_param("format") == "flowed":
        # Blanks at the end of a line have a meaning there, so they are not kept.
        read = unflowed(read, delete_space=False)
        written = _without_blanks_at_ends(written)
    assert read.rstrip("\n") == written.rstrip("\n")


def _without_blanks_at_ends(text: str) -> str:
    lines = (line if line == "-- " else line.rstrip(" ") for line in text.split("\n"))
    return "\n".join(lines)


def test_html_comes_with_the_words_for_those_who_read_plain_text():
    html = (
        "<head><style>p{}</style><body><p>Hello <b>Bob</b>,</p>"
        "<p>see <a href='https://example.com/x'>this</a></p>"
    )
    message = read_back(compose(a_letter(text=None, html=html), now=NOW).mime)
    assert message.get_content_type() == "multipart/alternative"
    assert words_of(message, "html").strip() == html
    assert words_of(message) == "Hello Bob,\n\nsee this <https://example.com/x>\n"


def test_the_plain_text_of_html_keeps_lists_line_breaks_and_entities():
    html = (
        "<title>no</title><h1>Caf&eacute;</h1>a<br>b<ul><li>one<li>two</ul>"
        "<img alt='cat'><script>no()</script>"
    )
    assert text_of_html(html) == "Café\na\nb\n\n- one\n- two\ncat\n"


def test_domains_go_out_as_dns_knows_them():
    composed = compose(
        a_letter(sender=Address("", "ada@bücher.example"), to=(Address("", "x@例え.jp"),)), now=NOW
    )
    assert composed.sender == "ada@xn--bcher-kva.example"
    assert composed.recipients == ("x@xn--r8jz45g.jp",)
    assert composed.message_id.endswith("@xn--bcher-kva.example")
    assert not composed.needs_smtputf8
    assert composed.mime.isascii()


def test_only_a_name_outside_ascii_before_the_at_needs_smtputf8():
    composed = compose(a_letter(to=(Address("Jörg", "jörg@example.org"),)), now=NOW)
    assert composed.needs_smtputf8
    assert "<jörg@example.org>".encode() in composed.mime
    hidden = compose(a_letter(bcc=(Address("", "jörg@example.org"),)), now=NOW)
    assert not hidden.needs_smtputf8
    assert hidden.mime.isascii()


@pytest.mark.parametrize(
    ("typed", "spec"),
    [
        ("bob@example.org", "bob@example.org"),
        (" bob@example.org ", "bob@example.org"),
        ("b.o+b@example.org", "b.o+b@example.org"),
        ("bob@localhost", "bob@localhost"),
        ('"bob smith"@example.org', '"bob smith"@example.org'),
        ("bob..smith@docomo.example", '"bob..smith"@docomo.example'),
        ("bob@[192.0.2.1]", "bob@[192.0.2.1]"),
        ("bob@[IPv6:2001:db8::1]", "bob@[IPv6:2001:db8::1]"),
        ("o'hara@example.org", "o'hara@example.org"),
    ],
)
def test_unusual_addresses_are_written_so_that_servers_take_them(typed: str, spec: str):
    assert address_of(typed).spec == spec


@pytest.mark.parametrize(
    "typed",
    ["", "bob", "@example.org", "bob@", "bob smith@example.org", "<bob@example.org>",
     "bob@exa mple.org", "bob@-example.org", "bob@example..org", "a@b@c d", "bob@[300.1.1.1]",
     "bob,eve@example.org", "bob@example.org\n", "b\u2028b@example.org",
     "x" * 300 + "@example.org"],
)  # fmt: skip
def test_what_can_be_nobodys_address_is_refused(typed: str):
    with pytest.raises(NotAnAddress):
        address_of(typed)
