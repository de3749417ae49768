"""Filing a message (APPEND, RFC 9051 §6.3.12; UIDPLUS, RFC 4315)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.sync.imap.arguments import Literal, Part, date_time, flag_list
from services.sync.imap.names import MailboxName, name_argument
from services.sync.imap.parser import Status, as_number
from services.sync.imap.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where the message went."""

    uidvalidity: int
    uid: int


async def append(
    wire: Wire, mailbox: MailboxName, raw: bytes, *, flags: Iterable[str], date: datetime | None
) -> Appended | None:
    """File a message; None when the server does not say where it went.

    NoSuchMailbox is raised before a byte of the message was sent when the server waits to be
    asked (a synchronising literal), which is why large messages are always sent that way.
    """
    parts: list[Part] = [name_argument(mailbox, wire.spelling), flag_list(flags)]
    if date is not None:
        parts.append(date_time(date))
    async with wire.exchange() as exchange:
        tag = await exchange.send("APPEND", *parts, _body(raw, wire.enabled))
        async for answer in exchange.answers():
            match answer:
                case Status(tag=str(), code="APPENDUID") if answer.tag == tag:
                    match [as_number(value) for value in answer.values()]:
                        case [int(uidvalidity), int(uid)]:
                            return Appended(uidvalidity=uidvalidity, uid=uid)
                        case _:
                            return None
                case _:
                    exchange.overhear(answer)
    return None


def _body(raw: bytes, enabled: frozenset[str]) -> Literal:
    """The message; said to be one when its header is UTF-8 and that was agreed (RFC 6855 §4)."""
    if "UTF8=ACCEPT" in enabled and not raw.partition(b"\r\n\r\n")[0].isascii():
        return Literal(raw, before=b"UTF8 (~", after=b")")
    return Literal(raw)
