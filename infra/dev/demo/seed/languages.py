"""Letters in many languages and in the character sets their mailers used to write them in."""

import base64
import quopri
from collections.abc import Iterator
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from pathlib import Path

from infra.dev.demo import ADA
from infra.dev.demo.seed.letter import ANSWERED, SEEN, Letter, Planted, moment
from infra.dev.demo.seed.people import PEOPLE, Person


def languages(now: datetime) -> Iterator[Planted]:
    written = Path(__file__).with_name("languages.txt").read_text("utf-8")
    for block in written.split("\n== ")[1:]:
        subject, about, text = block.split("\n", 2)
        _, key, charset, encoding, age = about.split()
        person, days = PEOPLE[key], int(age.removesuffix("d"))
        when = moment(now, days, "09:40", person)
        # The id is that of the same letter in UTF-8: only the bytes are of their time.
        message_id = Letter(sender=person, to=[], subject=subject, when=when).message_id
        flags = {SEEN, ANSWERED} if days > 20 else {SEEN} if days > 10 else set[str]()
        yield Planted(
            owner=ADA.address,
            mailbox="INBOX",
            raw=_message(person, charset, encoding, when, subject, text.strip() + "\n", message_id),
            received_at=when,
            flags=frozenset(flags),
        )


def _message(
    person: Person,
    charset: str,
    encoding: str,
    when: datetime,
    subject: str,
    text: str,
    message_id: str,
) -> bytes:
    ada = PEOPLE["ada"]
    headers = [
        ("Return-Path", f"<{person.address}>"),
        ("Date", format_datetime(when.astimezone(person.zone))),
        ("From", f"{_encoded(person.name, charset)} <{person.address}>"),
        ("To", f"{ada.name} <{ada.address}>"),
        ("Subject", _encoded(subject, charset)),
        ("Message-ID", message_id),
        ("MIME-Version", "1.0"),
        ("Content-Type", f"text/plain; charset={charset}"),
        ("Content-Transfer-Encoding", encoding),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    body = text.replace("\n", "\r\n").encode(charset)
    if encoding == "base64":
        body = base64.encodebytes(body).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        body = quopri.encodestring(body.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return head.encode("ascii") + b"\r\n" + body


def _encoded(text: str, charset: str) -> str:
    """Encoded words (RFC 2047) where needed; names of another script than the letter in UTF-8."""
    if text.isascii():
        return text
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    return Header(text, charset).encode(linesep="\r\n")
