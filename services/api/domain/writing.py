"""A message as somebody wrote it, before anything is made of it."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from services.api.domain.identities import Identity
from shared.contracts.content import Priority
from shared.contracts.mail import Address
from shared.contracts.submission import Group, HeaderField


class Attached(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An upload that goes with a message."""

    upload_id: UUID
    name: str | None = None  # None: as it was uploaded
    content_id: str | None = None
    inline: bool = False


class Written(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wrote, to whom, and in answer to what."""

    identity_id: UUID | None = None
    sender: Address | None = None  # in place of an identity
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    to_groups: tuple[Group, ...] = ()
    cc_groups: tuple[Group, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attached: tuple[Attached, ...] = ()
    in_reply_to: UUID | None = None
    forward_of: UUID | None = None
    headers: tuple[HeaderField, ...] = ()
    priority: Priority | None = None
    read_receipt: bool = False
    raw: UUID | None = None  # an upload: the whole message, in place of all but the people
    # What a draft made elsewhere said of its conversation, where it names no message of ours.
    kept_in_reply_to: tuple[str, ...] = ()
    kept_references: tuple[str, ...] = ()

    @property
    def everybody(self) -> tuple[Address, ...]:
        groups = (*self.to_groups, *self.cc_groups)
        return (*self.to, *self.cc, *self.bcc, *(one for group in groups for one in group.members))


class Original(Struct, frozen=True, kw_only=True):
    """A message that is answered or passed on."""

    message_id: str | None  # the header, without brackets
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    sender: Address | None
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]


def draft_of_copy(message_id: str | None) -> UUID | None:
    """The draft whose copy has this Message-ID: `<draft>.<version>@…`, as sync files it."""
    draft_id, dot, rest = (message_id or "").strip("<>").partition(".")
    version, at, _ = rest.partition("@")
    try:
        return UUID(draft_id) if dot and at and version.isdecimal() else None
    except ValueError:
        return None


def references_to(original: Original) -> tuple[str, ...]:
    """The conversation so far, the original last (RFC 5322 §3.6.4)."""
    before = original.references
    if not before and len(original.in_reply_to) == 1:
        before = original.in_reply_to
    return readable_ids((*before, *((original.message_id,) if original.message_id else ())))


def readable_ids(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Without what can be no Message-ID: it would make the field unreadable."""
    return tuple(one for one in ids if one.isascii() and one.isprintable() and " " not in one)


def answered(
    original: Original, ours: Sequence[Identity], *, everybody: bool
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """To whom, and to whom in copy, an answer goes (RFC 5322 §3.6.3). Nobody writes to himself,
    unless he answers what he wrote: that goes to those he had written to."""
    own = {one.email.lower() for one in ours}
    asked = original.reply_to or ((original.sender,) if original.sender else ())
    if original.sender is not None and original.sender.email.lower() in own:
        asked = original.to or asked
        rest = original.cc
    else:
        rest = (*original.to, *original.cc)
    to = _each_once(asked, ())
    if not everybody:
        return to, ()
    copies = (one for one in rest if one.email.lower() not in own)
    return to, _each_once(copies, to)


def reply_subject(subject: str) -> str:
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}"


def forward_subject(subject: str) -> str:
    return subject if subject[:4].lower() in ("fwd:", "fw: ") else f"Fwd: {subject}"


def _each_once(people: Iterable[Address], besides: Iterable[Address]) -> tuple[Address, ...]:
    seen = {one.email.lower() for one in besides}
    found: list[Address] = []
    for one in people:
        if one.email.lower() not in seen:
            seen.add(one.email.lower())
            found.append(one)
    return tuple(found)
