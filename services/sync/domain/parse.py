"""What a message says. Any bytes are a message; what cannot be understood is listed as a defect."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from msgspec import Struct, structs

from services.sync.domain.bounces import bounce_of
from services.sync.domain.invitations import invitation_in, is_calendar
from services.sync.domain.mime.addresses import parse_addresses
from services.sync.domain.mime.bodies import Bodies, bodies_of
from services.sync.domain.mime.charset import codec_for, decode
from services.sync.domain.mime.dates import parse_date
from services.sync.domain.mime.fields import MAX_HEADER_BYTES, NOTHING_READ, Header, read_header
from services.sync.domain.mime.flowed import unflowed
from services.sync.domain.mime.html_text import text_of_html
from services.sync.domain.mime.structure import Part, read_structure
from services.sync.domain.mime.tnef import files_in, is_tnef
from services.sync.domain.mime.uuencoded import unpacked
from services.sync.domain.mime.words import decode_words, one_line
from services.sync.domain.priority import priority_of
from services.sync.domain.protection import protection_of
from services.sync.domain.quoting import history_at, quotes_next
from services.sync.domain.reports import about_attached, report_of
from shared.contracts.content import Inside, Invitation, Priority, Report, Scheme
from shared.contracts.mail import Address, Attachment

PREVIEW_CHARACTERS = 200
#: Longer text is cut and says so: 5 MB of one message's words are enough to read and to search.
MAX_TEXT_BYTES = 5_000_000
MAX_HEADERS = 500
MAX_HEADER_CHARACTERS = 10_000
MAX_IDS = 1_000
#: RFC 5322 §2.1.1: no line is longer, and an id has no place to fold.
MAX_ID = 998

#: Allowed once (RFC 5322 §3.6), often repeated, and of no less meaning then.
_JOINED = {"to", "cc", "bcc", "reply-to", "references"}

_MESSAGES = {"message/rfc822", "message/global", "message/news"}
_ENCODED = {"base64", "quoted-printable"}
_LONGEST_TITLE = 1_000
_ID = re.compile(r"<([^<>]+)>")
_INVISIBLE = re.compile("[\u00ad\u034f\u200b-\u200f\u2060\ufeff]+")
_PREVIEWED_CHARACTERS = 10_000  # quoted history may come first


class Parsed(Struct, frozen=True, kw_only=True):
    """A message, understood as far as it can be. No text holds NUL or lone surrogates."""

    subject: str = ""
    sender: Address | None = None  # the first of From, else Sender
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    message_id: str | None = None  # without brackets
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sent_at: datetime | None = None  # Date, in UTC
    list_id: str | None = None
    text: str = ""
    html: str | None = None  # as it came: hostile until sanitised
    preview: str = ""
    attachments: tuple[Attachment, ...] = ()
    priority: Priority | None = None
    signed: Scheme | None = None
    encrypted: Scheme | None = None
    invitation: Invitation | None = None
    report: Report | None = None
    header: bytes = b""  # as it came; few ever ask what is in it
    read: Header = NOTHING_READ  # of the same, what was found in it
    header_hint: str = ""  # the charset of what in it names none
    defects: tuple[str, ...] = ()

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Every field of the header, decoded."""
        return headers_of(self.header, self.header_hint)


def parse(raw: bytes, attachment_sizes: Mapping[int, int] | None = None) -> Parsed:
    """Read a message. Never raises.

    Attachments that are not in `raw` have their sizes, by their number, in `attachment_sizes`.
    """
    structure = read_structure(raw)
    root, defects = structure.root, list(structure.defects)
    fields = dict(root.first)
    for name in _JOINED & structure.read.again.keys():
        told = (fields[name], *structure.read.again[name])
        fields[name] = (b" " if name == "references" else b", ").join(told)
    hint = root.type.token("charset")

    def text_of(name: str) -> str:
        if name not in fields:
            return ""
        return one_line(decode_words(fields[name], hint=hint))

    def people_in(name: str) -> tuple[Address, ...]:
        return parse_addresses(fields[name], hint=hint) if name in fields else ()

    sent_at = parse_date(text_of("date")) if "date" in fields else None
    if "date" in fields and sent_at is None:
        defects.append("invalid_date")
    if not fields:
        defects.append("no_header")
    if len(root.fields) > MAX_HEADERS or (
        len(structure.header) > MAX_HEADER_CHARACTERS
        and any(len(value) > MAX_HEADER_CHARACTERS for _, value in root.fields)
    ):
        defects.append("headers_cut")
    bodies = unpacked(bodies_of(root))
    text, html = _text(bodies, defects), _html(bodies, defects)
    if not text and html is not None:  # an empty text beside a page
        text = text_of_html(html)
    signed, encrypted = protection_of(bodies.attached, text)
    senders = people_in("from") or people_in("sender")
    return Parsed(
        subject=text_of("subject"),
        sender=senders[0] if senders else None,
        to=people_in("to"),
        cc=people_in("cc"),
        bcc=people_in("bcc"),
        reply_to=people_in("reply-to"),
        message_id=next(iter(_ids(fields.get("message-id", b""), alone=True)), None),
        in_reply_to=_parents(fields.get("in-reply-to", b"")),
        references=_ids(fields.get("references", b"")),
        sent_at=sent_at,
        list_id=_list_id(text_of("list-id")),
        text=text,
        html=html,
        preview=preview_of(text),
        attachments=_attachments(bodies, attachment_sizes or {}, defects),
        priority=priority_of(fields),
        signed=signed,
        encrypted=encrypted,
        invitation=_invitation(bodies),
        report=report_of(bodies.attached) or _bounce(senders, text, bodies),
        header=structure.header,
        read=structure.read,
        header_hint=hint,
        defects=tuple(dict.fromkeys(defects)),
    )


def attachment_part(raw: bytes, number: int) -> Part | None:
    """The part that `parse` listed as this attachment."""
    attached = unpacked(bodies_of(read_structure(raw).root)).attached
    return attached[number - 1] if 0 < number <= len(attached) else None


def headers_of(header: bytes, hint: str) -> tuple[tuple[str, str], ...]:
    """The fields of a header as they are shown, of endless ones the beginning."""
    return tuple(
        (name, decode_words(value[: 4 * MAX_HEADER_CHARACTERS], hint=hint)[:MAX_HEADER_CHARACTERS])
        for name, value in read_header(header, 0, len(header)).fields[:MAX_HEADERS]
    )


def preview_of(text: str) -> str:
    """The first words of a message, for a list: what is quoted only when there is nothing else."""
    lines = text[:_PREVIEWED_CHARACTERS].splitlines()
    for quoted in ((">", "|"), ()):
        said: list[str] = []
        room = PREVIEW_CHARACTERS
        passed = 0  # lines that only say who wrote what follows
        for place, line in enumerate(lines):
            if line.lstrip().startswith(quoted):
                continue
            if quoted and place >= passed and (taken := history_at(lines, place)):
                passed = place + taken
                if said and not quotes_next(lines, passed):
                    break  # all that follows was written before
            if place < passed:
                continue
            words = one_line(line if line.isascii() else _INVISIBLE.sub("", line))
            if words:
                said.append(words)
                room -= len(words) + 1
                if room <= 0:
                    break
        if said:
            return " ".join(said)[:PREVIEW_CHARACTERS].rstrip()
    return ""


def _text(bodies: Bodies, defects: list[str]) -> str:
    texts: list[str] = []
    room = MAX_TEXT_BYTES
    for part in bodies.text:
        if part.media_type == "text/plain":
            said = _characters(part, room, defects)
            room -= len(said)
        elif part.media_type == "text/html":
            said = text_of_html(_characters(part, room, defects))
            room -= len(said)
        else:
            continue
        texts.append(said.replace("\r\n", "\n").replace("\r", "\n").strip("\n"))
    return "\n\n".join(said for said in texts if said)


def _html(bodies: Bodies, defects: list[str]) -> str | None:
    """All that is shown as HTML; plain parts in between are shown as they are."""
    if not any(part.media_type == "text/html" for part in bodies.html):
        return None
    pages: list[str] = []
    room = MAX_TEXT_BYTES
    for part in bodies.html:
        if part.media_type not in {"text/html", "text/plain"}:
            continue
        said = _characters(part, room, defects)
        room -= len(said)
        if part.media_type == "text/plain":
            said = (
                f'<div style="white-space: pre-wrap">{escape(said)}</div>' if said.strip() else ""
            )
        pages.append(said)
    return "\n".join(pages)


def _characters(part: Part, room: int, defects: list[str]) -> str:
    content, defect = part.decoded
    if defect:
        defects.append(defect)
    if len(content) > max(room, 0):
        content = content[: max(room, 0)]
        defects.append("text_cut")
    charset = part.type.token("charset")
    if charset and codec_for(charset) is None and charset not in {"us-ascii", "ascii"}:
        defects.append("unknown_charset")
    text = decode(content, charset)
    if "format" in part.type.parameters and part.type.token("format") == "flowed":
        return unflowed(text, delete_space=part.type.token("delsp") == "yes")
    return text


def _bounce(senders: Sequence[Address], text: str, bodies: Bodies) -> Report | None:
    report = bounce_of(senders[0].email, text) if senders else None
    if report is not None and report.about is None:  # what was sent may be attached
        return structs.replace(report, about=about_attached(bodies.attached))
    return report


def _invitation(bodies: Bodies) -> Invitation | None:
    for number, part in enumerate(bodies.attached, 1):
        if is_calendar(part.media_type, part.file_name) and (
            invitation := invitation_in(part, number)
        ):
            return invitation
    return None


def _attachments(
    bodies: Bodies, sizes: Mapping[int, int], defects: list[str]
) -> tuple[Attachment, ...]:
    attachments: list[Attachment] = []
    for number, part in enumerate(bodies.attached, 1):
        size, defect = part.size()
        if defect:
            defects.append(defect)
        content_id = part.content_id
        attachments.append(
            Attachment(
                number=number,
                name=(part.file_name or _title(part))[:1_000],
                content_type=part.media_type[:200],
                size_bytes=sizes.get(number, size),
                content_id=content_id,
                inline=part.disposition.value == "inline"
                or (content_id is not None and part.disposition.value != "attachment"),
                contains=_inside(part),
            )
        )
    return tuple(attachments)


def _title(part: Part) -> str:
    """What to call a message in a message that has no file name: by its subject."""
    if part.media_type not in _MESSAGES:
        return ""
    start, end = part.start, min(part.end, part.start + MAX_HEADER_BYTES)
    if part.encoding in _ENCODED:  # RFC 2046 §5.2.1 forbids it, some do it
        content = part.content[:MAX_HEADER_BYTES]
        fields = read_header(content, 0, len(content)).first
    else:
        fields = read_header(part.source, start, end).first
    subject = one_line(decode_words(fields.get("subject", b"")[:_LONGEST_TITLE]))
    return f"{subject}.eml" if subject else ""


def _inside(part: Part) -> tuple[Inside, ...]:
    return files_in(part.content) if is_tnef(part.media_type, part.file_name) else ()


def _ids(raw: bytes, *, alone: bool = False) -> tuple[str, ...]:
    """Message ids in a field, each once. Some programs leave the brackets out."""
    if not raw:
        return ()
    text = decode(raw, None)
    found = ["".join(each.split()) for each in _ID.findall(text)]
    if not found:
        words = text.strip("<> \t\r\n").split()
        found = words[:1] if alone else [word for word in words if "@" in word]
        if not alone and len(found) != len(words):
            found = []  # a sentence such as "Your message of …"
    known = dict.fromkeys(each for each in found if 0 < len(each) <= MAX_ID)
    ids = list(known)
    # The first is the beginning of the conversation, the last ones are the nearest.
    return tuple(ids if len(ids) <= MAX_IDS else ids[:1] + ids[1 - MAX_IDS :])


def _parents(raw: bytes) -> tuple[str, ...]:
    """The ids in In-Reply-To, where they can be told from people.

    `Message from Ann <ann@example.org> of Monday <id@example.org>` was a usual form (RFC 822 §4.6.2
    allowed phrases). An address taken for an id would make one thread of all that was ever answered
    to that person, so of several with words between none is believed.
    """
    ids = _ids(raw)
    if len(ids) < 2:
        return ids
    words = _ID.sub("", decode(raw, None)).strip(" \t\r\n,;")
    return () if words else ids


def _list_id(text: str) -> str | None:
    found = _ID.search(text)
    return ((found[1] if found else text).strip() or None) if text else None
