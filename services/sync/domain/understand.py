"""From the bytes a server gave to what is kept and told of a message."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from services.sync.domain.content_id import identities
from services.sync.domain.kept import Body, KeptContent, cut, pack
from services.sync.domain.match_key import match_key_of
from services.sync.domain.parse import parse
from services.sync.domain.threading import Named
from shared.contracts.mail import TEXT_BYTES, Address, Content

# Facts travel in pages of a few hundred KiB; a header with thousands of people or ids is a bomb.
# The header itself, and so every one of them, is kept beside.
_PEOPLE = 500
_IDS = 200
_ATTACHMENTS = 500
_TOO_MANY = "more_than_is_told"

_encoder = msgspec.json.Encoder()


class Raw(Struct, frozen=True, kw_only=True):
    """A fetched message, as it came.

    Of a large message only what a person reads of it; then the size that the server tells and
    the sizes of the attachments by their number stand beside.
    """

    uid: int
    raw: bytes
    received_at: datetime
    size_bytes: int | None = None
    attachment_sizes: Mapping[int, int] | None = None


class Unreadable(Struct, frozen=True, kw_only=True):
    """A message that whoever reads it does not survive, or not in time."""

    uid: int
    reason: str


class Understood(Struct, frozen=True, kw_only=True):
    """A fetched message, read: ready to be kept and told."""

    uid: int
    size_bytes: int
    received_at: datetime
    content_id: bytes
    fingerprint: bytes
    match_key: bytes | None
    named: Named
    content_json: bytes  # `Content` as it is told
    kept: KeptContent

    @property
    def names(self) -> tuple[str, ...]:
        """Every Message-ID it has or names."""
        return self.named.names

    @property
    def content(self) -> Content:
        """What is told of it."""
        return msgspec.json.decode(self.content_json, type=Content)


def understand(
    *,
    uid: int,
    raw: bytes,
    received_at: datetime,
    size_bytes: int | None = None,
    attachment_sizes: Mapping[int, int] | None = None,
) -> Understood:
    """Read a message; never raises."""
    parsed = parse(raw, attachment_sizes)
    text, text_is_cut = cut(parsed.text, TEXT_BYTES)
    defects = list(parsed.defects)
    size = len(raw) if size_bytes is None else size_bytes

    def people(given: tuple[Address, ...]) -> tuple[Address, ...]:
        if len(given) > _PEOPLE:
            defects.append(_TOO_MANY)
        return given[:_PEOPLE]

    content = Content(
        subject=parsed.subject,
        sender=parsed.sender,
        reply_to=people(parsed.reply_to),
        to=people(parsed.to),
        cc=people(parsed.cc),
        bcc=people(parsed.bcc),
        message_id=parsed.message_id,
        in_reply_to=parsed.in_reply_to[:_IDS],
        references=parsed.references[-_IDS:],  # the nearest ancestors come last
        sent_at=parsed.sent_at,
        received_at=received_at,
        size_bytes=size,
        preview=parsed.preview,
        text=text,
        text_is_cut=text_is_cut,
        has_html=parsed.html is not None,
        attachments=parsed.attachments[:_ATTACHMENTS],
        list_id=parsed.list_id,
        priority=parsed.priority,
        signed=parsed.signed,
        encrypted=parsed.encrypted,
        invitation=parsed.invitation,
        report=parsed.report,
        defects=tuple(dict.fromkeys(defects)),
    )
    body = Body(
        text=parsed.text,
        html=parsed.html,
        header=parsed.header.decode("latin-1"),
        header_hint=parsed.header_hint,
        defects=content.defects,
    )
    content_json = _encoder.encode(content)
    content_id, fingerprint = identities(raw, parsed.read.end)
    return Understood(
        uid=uid,
        size_bytes=size,
        received_at=received_at,
        content_id=content_id,
        fingerprint=fingerprint,
        match_key=match_key_of(parsed.read, raw, size, received_at),
        named=Named(
            message_id=parsed.message_id,
            references=content.references,
            in_reply_to=content.in_reply_to,
        ),
        content_json=content_json,
        kept=pack(content, body),
    )
