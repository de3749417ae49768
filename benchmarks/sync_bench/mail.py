"""A mailbox as people have one: the same for the same number of messages, on every machine.

10,000 messages are about 350 MB: half of them are smaller than 8.5 KB, and one in seven carries
files. Every message has a word that no other has.
"""

import base64
import quopri
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime

from benchmarks.sync_bench.words import Language, languages, unique_word

NEWEST = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SPAN = timedelta(days=5 * 365)
DOMAINS = ("example.org", "example.com", "mail.example.net", "firm.example", "news.example")
PEOPLE = 400

# Language, charset and transfer encoding, and how often they are met together.
WRITTEN = (
    (("english", "us-ascii", "7bit"), 34),
    (("english", "utf-8", "quoted-printable"), 26),
    (("english", "utf-8", "base64"), 6),
    (("german", "utf-8", "quoted-printable"), 9),
    (("german", "iso-8859-1", "quoted-printable"), 7),
    (("german", "utf-8", "8bit"), 4),
    (("russian", "utf-8", "base64"), 5),
    (("russian", "koi8-r", "8bit"), 3),
    (("japanese", "iso-2022-jp", "7bit"), 3),
    (("japanese", "utf-8", "base64"), 3),
)
FILES = (
    ("application/pdf", "pdf"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/zip", "zip"),
)
FLAGS = ((("\\Seen",), 62), ((), 18), (("\\Seen", "\\Answered"), 15), (("\\Seen", "\\Flagged"), 5))


@dataclass(frozen=True)
class Made:
    """One message on its way into a mailbox."""

    number: int
    raw: bytes
    flags: tuple[str, ...]
    received_at: datetime
    unique: str  # the word that only this message has


def mailbox(count: int, *, small: bool = False, seed: str = "postbus") -> Iterator[Made]:
    """The messages from the oldest to the newest; `small` ones are about 2 KB of plain text."""
    writer = Writer(seed)
    for number in range(count):
        received_at = NEWEST - SPAN * ((count - 1 - number) / max(count, 1))
        yield writer.message(number, received_at.replace(microsecond=0), small=small)


class Writer:
    """Writes one message after the other; some answer earlier ones."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)
        self._seed = seed
        self._languages = languages()
        self._people = [self._person() for _ in range(PEOPLE)]
        self._recent: list[tuple[str, str, str]] = []  # Message-ID, References, subject
        # Files are pieces of one body of noise: making new noise for each would take minutes.
        self._noise = self._dice.randbytes(4 * 1024 * 1024)

    def message(self, number: int, received_at: datetime, *, small: bool = False) -> Made:
        dice = self._dice
        (language, charset, encoding), unique = self._written(), unique_word(number)
        speech = self._languages[language]
        kind = "text" if small else dice.choices(("text", "both", "files"), (33, 52, 15))[0]
        words = 120 if small else min(int(dice.lognormvariate(5.3, 0.9)) + 20, 6_000)
        text = self._text(speech, words, unique)
        body = _part("text/plain", text, charset, encoding)
        if kind != "text" and (kind == "both" or dice.random() < 0.5):
            page = self._html(text)
            boundary = f"=_alt_{number:08x}"
            body = _multipart(
                "alternative", boundary, [body, _part("text/html", page, charset, encoding)]
            )
        if kind == "files":
            files = [self._file(speech) for _ in range(dice.choices((1, 2, 3), (7, 2, 1))[0])]
            body = _multipart("mixed", f"=_mix_{number:08x}", [body, *files])
        header = self._header(number, received_at, speech, charset, small=small)
        flags = dice.choices([each for each, _ in FLAGS], [weight for _, weight in FLAGS])[0]
        return Made(number, header + body, flags, received_at, unique)

    def _written(self) -> tuple[str, str, str]:
        return self._dice.choices([how for how, _ in WRITTEN], [often for _, often in WRITTEN])[0]

    def _person(self) -> tuple[str, str]:
        name = " ".join(word.capitalize() for word in self._languages["german"].some(self._dice, 2))
        number = self._dice.randrange(100_000)
        return name, f"person{number}@{self._dice.choice(DOMAINS)}"

    def _text(self, speech: Language, words: int, unique: str) -> str:
        dice = self._dice
        chosen = speech.some(dice, words)
        paragraphs: list[str] = []
        if speech.space:
            chosen.insert(dice.randrange(words), unique)
        else:
            paragraphs.append(unique)
        at = 0
        while at < len(chosen):
            length = dice.randint(20, 90)
            paragraph = speech.space.join(chosen[at : at + length])
            paragraphs.append(_wrapped(paragraph, speech.space) + ".")
            at += length
        return "\r\n\r\n".join(paragraphs) + "\r\n"

    def _html(self, text: str) -> str:
        """The same text as newsletters and Outlook dress it."""
        dice = self._dice
        style = "font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:1.5;color:#333"
        shell = [
            "<!DOCTYPE html>\r\n<html><head><style>",
            *(f".c{n}{{margin:0 auto;padding:{n}px;{style}}}\r\n" for n in range(18)),
            '</style></head><body><table width="600" cellpadding="0" cellspacing="0">',
        ]
        for paragraph in text.split("\r\n\r\n"):
            link = f"https://track.example.com/c/{dice.getrandbits(160):040x}?u={dice.random()}"
            shell.append(
                f'<tr><td class="c{dice.randrange(18)}" style="{style}"><p>{paragraph}</p>\r\n'
                f'<a href="{link}" style="{style}">\r\n<img src="https://img.example.com/'
                f'{dice.getrandbits(64):016x}.png" width="120" height="40" alt=""></a>'
                "</td></tr>\r\n"
            )
        shell.append("</table></body></html>\r\n")
        return "".join(shell)

    def _file(self, speech: Language) -> bytes:
        dice = self._dice
        size = min(int(dice.lognormvariate(10.68, 1.23)) + 500, 3_500_000)
        begin = dice.randrange(len(self._noise) - size)
        kind, ending = dice.choice(FILES)
        name = f"{speech.some(dice, 1)[0]}-{dice.randrange(1000)}.{ending}"
        shown = Header(name, "utf-8").encode() if not name.isascii() else name
        head = (
            f'Content-Type: {kind}; name="{shown}"\r\nContent-Transfer-Encoding: base64\r\n'
            f'Content-Disposition: attachment; filename="{shown}"\r\n\r\n'
        )
        return head.encode() + _base64(self._noise[begin : begin + size])

    def _header(
        self, number: int, at: datetime, speech: Language, charset: str, *, small: bool
    ) -> bytes:
        dice = self._dice
        message_id = f"<{number:08d}.{dice.getrandbits(64):016x}@{dice.choice(DOMAINS)}>"
        answered = ""
        if self._recent and dice.random() < 0.4:
            parent, references, subject = dice.choice(self._recent)
            references = f"{references}\r\n {parent}" if references else parent
            answered = f"In-Reply-To: {parent}\r\nReferences: {references}\r\n"
            subject = subject if subject.startswith("Re: ") else f"Re: {subject}"
        else:
            references, subject = "", speech.space.join(speech.some(dice, dice.randint(3, 8)))
        known = "\r\n ".join(references.split()[-9:])
        self._recent = [*self._recent[-199:], (message_id, known, subject)]
        (name, address), (to_name, to) = dice.choices(self._people, k=2)
        hops = "".join(
            f"Received: from mx{hop}.example.com (mx{hop}.example.com [192.0.2.{hop + 1}])\r\n"
            f"\tby in{hop}.example.org (Postfix) with ESMTPS id {dice.getrandbits(44):011X}\r\n"
            f"\tfor <{to}>; {format_datetime(at)}\r\n"
            for hop in range(1 if small else dice.randint(2, 4))
        )
        signature = "\r\n\t ".join(_base64(dice.randbytes(64 if small else 256)).decode().split())
        return (
            f"Return-Path: <{address}>\r\n{hops}"
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=key1;\r\n"
            f"\th=from:to:subject:date:message-id;\r\n\tb={signature}\r\n"
            f"From: {_shown(name)} <{address}>\r\nTo: {_shown(to_name)} <{to}>\r\n"
            f"Subject: {_shown(subject, charset)}\r\nDate: {format_datetime(at)}\r\n"
            f"Message-ID: {message_id}\r\n{answered}MIME-Version: 1.0\r\n"
            f"X-Mailer: Correspondent {dice.randint(1, 9)}.{dice.randint(0, 20)}\r\n"
        ).encode()


def _part(kind: str, text: str, charset: str, encoding: str) -> bytes:
    content = text.encode(charset, "replace")
    if encoding == "base64":
        content = _base64(content)
    elif encoding == "quoted-printable":
        content = quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    head = f'Content-Type: {kind}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}'
    return head.encode() + b"\r\n\r\n" + content


def _multipart(subtype: str, boundary: str, parts: list[bytes]) -> bytes:
    mark = f"\r\n--{boundary}".encode()
    return b"".join(
        (
            f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n'.encode(),
            *(mark + b"\r\n" + part for part in parts),
            mark + b"--\r\n",
        )
    )


def _shown(text: str, charset: str = "utf-8") -> str:
    """As a header writes it (RFC 2047)."""
    if text.isascii():
        return text
    try:
        return Header(text, charset, maxlinelen=76).encode(linesep="\r\n")
    except UnicodeEncodeError:  # the answer to a letter in another language
        return Header(text, "utf-8", maxlinelen=76).encode(linesep="\r\n")


def _wrapped(paragraph: str, space: str) -> str:
    """Lines of mail: about 72 characters."""
    if not space:
        return "\r\n".join(paragraph[at : at + 36] for at in range(0, len(paragraph), 36))
    lines: list[str] = []
    line = ""
    for word in paragraph.split(space):
        if len(line) + len(word) > 72:
            lines.append(line)
            line = word
        else:
            line = f"{line}{space}{word}" if line else word
    return "\r\n".join([*lines, line])


def _base64(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n")
