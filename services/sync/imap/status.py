"""Counters of mailboxes without opening them (STATUS, RFC 9051 §6.3.11)."""

from __future__ import annotations

from collections.abc import Sequence

from services.sync.imap.arguments import Literal
from services.sync.imap.counters import StatusOf, counter_items, hear_counters
from services.sync.imap.exchange import Exchange
from services.sync.imap.names import MailboxName, name_argument, wire_name
from services.sync.imap.parser import Status, Untagged
from services.sync.imap.wire import Wire

__all__ = ["StatusOf", "status"]

#: How many are asked for at once; more might fill both ends' buffers while neither reads.
IN_FLIGHT = 32


async def status(wire: Wire, mailboxes: Sequence[MailboxName]) -> dict[MailboxName, StatusOf]:
    """Counters of these mailboxes; one that is gone or cannot be counted is left out."""
    items = counter_items(wire.offers)
    counters = _Counters(set(map(wire_name, mailboxes)))
    async with wire.exchange() as exchange:
        for name in dict.fromkeys(map(wire_name, mailboxes)):
            argument = name_argument(name, wire.spelling)
            if len(exchange.owed) >= IN_FLIGHT or isinstance(argument, Literal):
                await counters.read(exchange)
            await exchange.send("STATUS", argument, items)
        await counters.read(exchange)
    return {
        mailbox: counters.told[name]
        for mailbox in mailboxes
        if (name := wire_name(mailbox)) in counters.told
    }


class _Counters:
    def __init__(self, wanted: set[bytes]) -> None:
        self._wanted = wanted
        self.told: dict[bytes, StatusOf] = {}

    async def read(self, exchange: Exchange) -> None:
        """Read on until nothing more is owed; a mailbox that is refused has no counters."""
        while exchange.owed:
            match answer := await exchange.next():
                case Untagged(kind="STATUS"):
                    name = hear_counters(self.told, answer, exchange.wire.spelling)
                    if name not in self._wanted:
                        exchange.overhear(answer)
                case Status(tag=str(), status="BAD"):
                    raise exchange.refusal(answer)
                case _:
                    exchange.overhear(answer)
