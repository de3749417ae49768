"""Opening a mailbox (SELECT and EXAMINE, RFC 9051 §6.3.2, RFC 7162 §3.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

from aioimaplib.aioimaplib import AUTH, SELECTED

from services.sync.imap.arguments import string
from services.sync.imap.errors import Garbled
from services.sync.imap.names import MailboxName, wire_name
from services.sync.imap.parser import Status, Untagged, as_number, as_text, as_words
from services.sync.imap.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A mailbox as it was at the moment of opening."""

    uidvalidity: int
    uidnext: int | None  # some servers do not say
    exists: int
    highestmodseq: int | None  # None: no CONDSTORE for this mailbox (NOMODSEQ)
    flags: frozenset[str]
    permanent_flags: frozenset[str]  # with "\\*": keywords of our own are kept too
    readonly: bool
    mailbox_id: str | None  # RFC 8474


async def select(wire: Wire, mailbox: MailboxName, *, readonly: bool) -> Selected:
    """Open a mailbox; whatever was told about the one before is forgotten."""
    told: dict[str, Status] = {}
    exists = 0
    flags: frozenset[str] = frozenset()
    command = "EXAMINE" if readonly else "SELECT"
    parts = [string(wire_name(mailbox))]
    if "CONDSTORE" in wire.offers:
        parts.append(b"(CONDSTORE)")
    async with wire.exchange() as exchange:
        wire.news.take()
        await exchange.send(command, *parts)
        wire.state = AUTH  # a refusal leaves nothing selected (RFC 9051 §6.3.2)
        async for answer in exchange.answers():
            match answer:
                case Untagged(kind="EXISTS", number=int(exists)):
                    pass
                case Untagged(kind="FLAGS"):
                    values = answer.values()
                    flags = frozenset(as_words(values[0])) if values else flags
                case Status(code=str(code)):
                    if code == "CLOSED":  # all before this was about the mailbox before
                        told.clear()
                        wire.news.take()
                    told[code] = answer
                case _:
                    exchange.overhear(answer)
        wire.state = SELECTED

    uidvalidity = _number(told.get("UIDVALIDITY"))
    if uidvalidity is None:
        raise Garbled("a mailbox without UIDVALIDITY: its messages have no lasting numbers")
    permanent = told.get("PERMANENTFLAGS")
    return Selected(
        uidvalidity=uidvalidity,
        uidnext=_number(told.get("UIDNEXT")) or None,
        exists=exists,
        highestmodseq=None if "NOMODSEQ" in told else _number(told.get("HIGHESTMODSEQ")) or None,
        flags=flags,
        # Not told means that all flags can be changed for good (RFC 9051 §6.3.2).
        permanent_flags=frozenset(as_words(next(iter(permanent.values()), None)))
        if permanent
        else flags,
        readonly=readonly or "READ-ONLY" in told,
        mailbox_id=_mailbox_id(told.get("MAILBOXID")),
    )


def _number(told: Status | None) -> int | None:
    if told is None:
        return None
    return as_number(next(iter(told.values()), None))


def _mailbox_id(told: Status | None) -> str | None:
    return as_text(told.arguments).strip("() ") or None if told else None
