"""Which mailboxes there are (LIST, RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from services.sync.imap.counters import MAX_MAILBOXES, StatusOf, counter_items, hear_counters
from services.sync.imap.errors import Garbled, Refused, Unavailable
from services.sync.imap.names import MailboxName, Spelling, decode_name, heard_name
from services.sync.imap.news import listed_name
from services.sync.imap.parser import Status, Untagged, as_string, as_text, as_words
from services.sync.imap.status import status
from services.sync.imap.wire import Wire
from shared.contracts.mail import MailboxRole

log = structlog.get_logger()

#: No server makes a mailbox with a longer name, and no command could name one with NUL in it.
MAX_NAME_BYTES = 2_000
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
    raw_name: bytes  # what to give back to the server, in modified UTF-7 on any connection
    delimiter: str | None  # None: no hierarchy
    flags: frozenset[str]  # lower case: "\\noselect", "\\hasnochildren", "\\subscribed"
    role: MailboxRole | None  # as the server says; guesses by name are made elsewhere
    subscribed: bool = True  # also where the server cannot tell

    @property
    def selectable(self) -> bool:
        """Whether messages can be in it."""
        return not self.flags & {"\\noselect", "\\nonexistent"}


async def list_mailboxes(wire: Wire) -> list[ListedMailbox]:
    """Every mailbox, each once, with its role and subscription where the server can tell."""
    return await _listing(wire, b"SUBSCRIBED CHILDREN", {})


async def survey(wire: Wire) -> tuple[list[ListedMailbox], dict[MailboxName, StatusOf]]:
    """Every mailbox and its counters, in as few round trips as the server can do."""
    returning = b"SUBSCRIBED CHILDREN"
    if not wire.offers.isdisjoint({"LIST-STATUS", "IMAP4REV2"}):
        returning += b" STATUS " + counter_items(wire.offers)
    told: dict[bytes, StatusOf] = {}
    listing = await _listing(wire, returning, told)
    counters = {one.raw_name: told[one.raw_name] for one in listing if one.raw_name in told}
    # Some servers leave out counters in a listing that they tell when asked for them alone.
    unknown = [one.raw_name for one in listing if one.selectable and one.raw_name not in counters]
    return listing, counters | await status(wire, unknown)


async def _listing(
    wire: Wire, returning: bytes, told: dict[bytes, StatusOf]
) -> list[ListedMailbox]:
    if not wire.offers.isdisjoint({"LIST-EXTENDED", "LIST-STATUS", "IMAP4REV2"}):
        if not wire.offers.isdisjoint({"SPECIAL-USE", "IMAP4REV2"}):
            returning = b"SPECIAL-USE " + returning
        try:
            return await _extended(wire, returning, told)
        except Unavailable:
            raise
        except Refused:
            pass  # offered, but not understood: the plain way tells the same mailboxes
    return await _plain(wire)


async def _extended(
    wire: Wire, returning: bytes, told: dict[bytes, StatusOf]
) -> list[ListedMailbox]:
    listed: dict[bytes, ListedMailbox] = {}
    async with wire.exchange() as exchange:
        await exchange.send("LIST", b'""', b'"*"', b"RETURN (" + returning + b")")
        async for answer in exchange.answers():
            match answer:
                case Untagged(kind="LIST" | "XLIST"):
                    _hear(listed, answer, wire.spelling)
                case Untagged(kind="STATUS"):
                    hear_counters(told, answer, wire.spelling)
                case _:
                    exchange.overhear(answer)
    return list(listed.values())


async def _plain(wire: Wire) -> list[ListedMailbox]:
    """LIST, and LSUB for what it cannot tell; where LSUB is refused, all count as subscribed."""
    listed: dict[bytes, ListedMailbox] = {}
    subscribed: set[bytes] = set()
    refused: dict[str, Refused] = {}
    async with wire.exchange() as exchange:
        listing = await exchange.send("LIST", b'""', b'"*"')
        subscriptions = await exchange.send("LSUB", b'""', b'"*"')
        while exchange.owed:
            match answer := await exchange.next():
                case Untagged(kind="LIST" | "XLIST"):
                    _hear(listed, answer, wire.spelling)
                case Untagged(kind="LSUB") if len(subscribed) < MAX_MAILBOXES:
                    with suppress(Garbled):  # the mailbox is listed all the same
                        subscribed.add(listed_name(answer, wire.spelling))
                case Status(tag=str(tag), status="NO" | "BAD"):
                    refused[tag] = exchange.refusal(answer)
                case _:
                    exchange.overhear(answer)
    if listing in refused:
        raise refused[listing]
    if subscriptions in refused:
        subscribed |= listed.keys()
    return [
        replace(one, subscribed=one.subscribed or one.raw_name in subscribed)
        for one in listed.values()
    ]


def _hear(listed: dict[bytes, ListedMailbox], answer: Untagged, spelling: Spelling) -> None:
    mailbox = _listed(answer, spelling)
    if b"\0" in mailbox.raw_name or len(mailbox.raw_name) > MAX_NAME_BYTES:
        log.warning("imap_mailbox_without_usable_name", name_bytes=len(mailbox.raw_name))
        return
    known = listed.get(mailbox.raw_name)
    if known is not None:  # told in two halves, or twice
        mailbox = replace(
            known,
            delimiter=known.delimiter or mailbox.delimiter,
            flags=known.flags | mailbox.flags,
            role=known.role or mailbox.role,
            subscribed=known.subscribed or mailbox.subscribed,
        )
    elif len(listed) >= MAX_MAILBOXES:
        raise Garbled("more mailboxes than there can be")
    listed[mailbox.raw_name] = mailbox


def _listed(answer: Untagged, spelling: Spelling) -> ListedMailbox:
    match answer.values():
        case [list() as attributes, delimiter, name, *_] if (raw := as_string(name)) is not None:
            flags = frozenset(flag.lower() for flag in as_words(attributes))
            raw = heard_name(raw, spelling)
            separator = as_string(delimiter)
            return ListedMailbox(
                path=decode_name(raw),
                raw_name=raw,
                delimiter=as_text(separator)[:1] if separator else None,
                flags=flags,
                role=MailboxRole.INBOX if raw == b"INBOX" else _role(flags),
                subscribed="\\subscribed" in flags,
            )
        case _:
            raise Garbled("a mailbox that cannot be read in a listing")


def _role(flags: frozenset[str]) -> MailboxRole | None:
    return next((_ROLES[flag] for flag in sorted(flags) if flag in _ROLES), None)
