"""Opening a mailbox (SELECT and EXAMINE, RFC 9051 §6.3.2, RFC 7162 §3.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

from aioimaplib.aioimaplib import AUTH, SELECTED

from services.sync.imap.errors import Garbled
from services.sync.imap.names import MailboxName, name_argument, wire_name
from services.sync.imap.news import listed_name
from services.sync.imap.parser import Status, Untagged, Value, as_count, as_id, as_number, as_words
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
    name = wire_name(mailbox)
    command = "EXAMINE" if readonly else "SELECT"
    parts = [name_argument(mailbox, wire.spelling)]
    if not wire.offers.isdisjoint({"CONDSTORE", "QRESYNC"}):
        parts.append(b"(CONDSTORE)")
    async with wire.exchange() as exchange:
        wire.news.turn_page()
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
                        wire.news.turn_page()
                    told[code] = answer
                    exchange.overhear(answer)
                case Untagged(kind="LIST") if listed_name(answer, wire.spelling) == name:
                    pass  # its name once more (RFC 9051 §6.3.2), which is no news
                case _:
                    exchange.overhear(answer)
        wire.state = SELECTED

    uidvalidity = as_number(_value(told.get("UIDVALIDITY")))
    if uidvalidity is None:
        raise Garbled("a mailbox without UIDVALIDITY: its messages have no lasting numbers")
    permanent = told.get("PERMANENTFLAGS")
    highestmodseq = as_number(_value(told.get("HIGHESTMODSEQ"))) or None
    return Selected(
        uidvalidity=uidvalidity,
        uidnext=as_count(_value(told.get("UIDNEXT"))) or None,
        exists=exists,
        highestmodseq=None if "NOMODSEQ" in told else highestmodseq,
        flags=flags,
        # Not told means that all flags can be changed for good (RFC 9051 §6.3.2).
        permanent_flags=frozenset(as_words(_value(permanent))) if permanent else flags,
        readonly=readonly or "READ-ONLY" in told,
        mailbox_id=as_id(_value(told.get("MAILBOXID"))),
    )


def _value(told: Status | None) -> Value:
    return next(iter(told.values()), None) if told else None
