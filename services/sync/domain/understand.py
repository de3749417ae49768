"""From the bytes a server gave to what is kept and told of a message."""

from datetime import datetime

from msgspec import Struct

from services.sync.domain.content_id import content_id, fingerprint
from services.sync.domain.kept import Body
from services.sync.domain.parse import parse
from services.sync.domain.threading import Named
from shared.contracts.mail import TEXT_BYTES, Address, Content

# Facts travel in pages of a few hundred KiB; a header with thousands of people or ids is a bomb.
# The header itself, and so every one of them, is kept beside.
_PEOPLE = 500
_IDS = 200
_ATTACHMENTS = 500
_TOO_MANY = "more_than_is_told"


class Understood(Struct, frozen=True, kw_only=True):
    """A fetched message, read."""

    uid: int
    keywords: frozenset[str]
    content_id: bytes
    fingerprint: bytes
    content: Content
    body: Body
    named: Named

    @property
    def names(self) -> tuple[str, ...]:
        """Every Message-ID it has or names."""
        return self.named.names


def understand(
    *, uid: int, raw: bytes, keywords: frozenset[str], received_at: datetime
) -> Understood:
    """Read a message; never raises."""
    parsed = parse(raw)
    text, text_is_cut = _cut(parsed.text, TEXT_BYTES)
    defects = list(parsed.defects)

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
        size_bytes=len(raw),
        preview=parsed.preview,
        text=text,
        text_is_cut=text_is_cut,
        has_html=parsed.html is not None,
        attachments=parsed.attachments[:_ATTACHMENTS],
        list_id=parsed.list_id,
        defects=tuple(dict.fromkeys(defects)),
    )
    return Understood(
        uid=uid,
        keywords=keywords,
        content_id=content_id(raw),
        fingerprint=fingerprint(raw),
        content=content,
        body=Body(
            text=parsed.text, html=parsed.html, headers=parsed.headers, defects=content.defects
        ),
        named=Named(
            message_id=parsed.message_id,
            references=content.references,
            in_reply_to=content.in_reply_to,
        ),
    )


def _cut(text: str, limit: int) -> tuple[str, bool]:
    """At most so many bytes of UTF-8, never half a character."""
    if len(text) * 4 <= limit:
        return text, False
    encoded = text.encode()
    if len(encoded) <= limit:
        return text, False
    return encoded[:limit].decode("utf-8", "ignore"), True
