"""Counters of mailboxes without opening them (STATUS, RFC 9051 §6.3.11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.sync.imap.arguments import Literal, string
from services.sync.imap.errors import Garbled
from services.sync.imap.names import MailboxName, wire_name
from services.sync.imap.parser import Status, Untagged, Value, as_number, as_string
from services.sync.imap.wire import Exchange, Wire

#: How many are asked for at once; more might fill both ends' buffers while neither reads.
IN_FLIGHT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOf:
    """A mailbox in numbers. What the server does not tell is None."""

    uidvalidity: int | None
    uidnext: int | None
    messages: int | None
    highestmodseq: int | None


async def status(wire: Wire, mailboxes: Sequence[MailboxName]) -> dict[MailboxName, StatusOf]:
    """Counters of these mailboxes; one that is gone or cannot be opened is left out."""
    items = b"(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
    if "CONDSTORE" not in wire.offers:
        items = b"(MESSAGES UIDNEXT UIDVALIDITY)"
    told: dict[bytes, StatusOf] = {}
    waiting = list(dict.fromkeys(wire_name(mailbox) for mailbox in mailboxes))
    async with wire.exchange() as exchange:
        for raw in waiting:
            argument = string(raw)
            if len(exchange.owed) >= IN_FLIGHT or isinstance(argument, Literal):
                await _read(exchange, told)
            await exchange.send("STATUS", argument, items)
        await _read(exchange, told)
    return {
        mailbox: told[wire_name(mailbox)] for mailbox in mailboxes if wire_name(mailbox) in told
    }


async def _read(exchange: Exchange, told: dict[bytes, StatusOf]) -> None:
    while exchange.owed:
        match answer := await exchange.next():
            case Untagged(kind="STATUS"):
                name, counters = _status(answer.values())
                told[name] = counters
            case Status(tag=str(), status="BAD"):
                raise exchange.refusal(answer)
            case _:
                exchange.overhear(answer)


def _status(values: list[Value]) -> tuple[bytes, StatusOf]:
    match values:
        case [name, list() as items, *_] if (raw := as_string(name)) is not None:
            told = {
                item.upper(): as_number(value)
                for item, value in zip(items[::2], items[1::2], strict=False)
                if isinstance(item, str)
            }
            return wire_name(raw), StatusOf(
                uidvalidity=told.get("UIDVALIDITY"),
                uidnext=told.get("UIDNEXT"),
                messages=told.get("MESSAGES"),
                highestmodseq=told.get("HIGHESTMODSEQ"),
            )
        case _:
            raise Garbled("counters that cannot be read")
