"""Which mailboxes there are (LIST, RFC 9051 §6.3.9, RFC 5258, RFC 6154)."""

from __future__ import annotations

from dataclasses import dataclass

from services.sync.imap.errors import Garbled, Refused, Unavailable
from services.sync.imap.names import decode_name, wire_name
from services.sync.imap.parser import Untagged, as_string, as_text, as_words
from services.sync.imap.wire import Wire
from shared.contracts.mail import MailboxRole

#: Special-use attributes (RFC 6154 §2, and \Important apart, which is no place for messages).
#: The older XLIST names are understood too: some servers still send them.
_ROLES = {
    "\\all": MailboxRole.ALL,
    "\\allmail": MailboxRole.ALL,
    "\\archive": MailboxRole.ARCHIVE,
    "\\drafts": MailboxRole.DRAFTS,
    "\\flagged": MailboxRole.FLAGGED,
    "\\starred": MailboxRole.FLAGGED,
    "\\junk": MailboxRole.JUNK,
    "\\spam": MailboxRole.JUNK,
    "\\sent": MailboxRole.SENT,
    "\\trash": MailboxRole.TRASH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMailbox:
    """One mailbox as the server lists it."""

    path: str  # decoded, with the server's delimiter in it
    raw_name: bytes  # as the server named it: what to give back to it
    delimiter: str | None  # None: no hierarchy
    flags: frozenset[str]  # lower case: "\\noselect", "\\hasnochildren", "\\subscribed"
    role: MailboxRole | None  # as the server says; guesses by name are made elsewhere

    @property
    def selectable(self) -> bool:
        """Whether messages can be in it."""
        return not self.flags & {"\\noselect", "\\nonexistent"}


async def list_mailboxes(wire: Wire) -> list[ListedMailbox]:
    """Every mailbox, each once, with its role and subscription where the server can tell."""
    if {"LIST-EXTENDED", "SPECIAL-USE"} <= wire.offers:
        try:
            return await _list(wire, b"RETURN (SPECIAL-USE SUBSCRIBED CHILDREN)")
        except Unavailable:
            raise
        except Refused:
            pass  # offered, but not understood: the plain way tells the same mailboxes
    return await _list(wire)


async def _list(wire: Wire, *extended: bytes) -> list[ListedMailbox]:
    listed: dict[bytes, ListedMailbox] = {}
    async with wire.exchange() as exchange:
        await exchange.send("LIST", b'""', b'"*"', *extended)
        async for answer in exchange.answers():
            match answer:
                case Untagged(kind="LIST" | "XLIST"):
                    mailbox = _listed(answer)
                    known = listed.get(mailbox.raw_name)
                    if known is None or (known.role is None and mailbox.role is not None):
                        listed[mailbox.raw_name] = mailbox
                case _:
                    exchange.overhear(answer)
    return list(listed.values())


def _listed(answer: Untagged) -> ListedMailbox:
    match answer.values():
        case [list() as attributes, delimiter, name, *_] if (raw := as_string(name)) is not None:
            flags = frozenset(flag.lower() for flag in as_words(attributes))
            raw = wire_name(raw)
            separator = as_string(delimiter)
            return ListedMailbox(
                path=decode_name(raw),
                raw_name=raw,
                delimiter=as_text(separator)[:1] if separator else None,
                flags=flags,
                role=MailboxRole.INBOX if raw == b"INBOX" else _role(flags),
            )
        case _:
            raise Garbled("a mailbox that cannot be read in a listing")


def _role(flags: frozenset[str]) -> MailboxRole | None:
    return next((_ROLES[flag] for flag in sorted(flags) if flag in _ROLES), None)
