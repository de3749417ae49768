"""Copying, moving and removing messages (UID COPY, MOVE, EXPUNGE: RFC 4315, RFC 6851, RFC 9051)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.sync.imap.arguments import uid_set
from services.sync.imap.errors import Garbled
from services.sync.imap.gathering import UIDS_PER_COMMAND
from services.sync.imap.names import MailboxName, name_argument
from services.sync.imap.numbers import bounds
from services.sync.imap.parser import Status, as_number, as_string
from services.sync.imap.wire import Wire


@dataclass(frozen=True, slots=True)
class Landed:
    """Where messages went, as far as the server says (COPYUID, RFC 4315 §3)."""

    uidvalidity: int | None = None
    uids: dict[int, int] = field(default_factory=dict[int, int])  # old UID → new UID

    def and_then(self, later: Landed) -> Landed:
        """Both, of which the later one says where the mailbox stands, if it says anything."""
        validity = self.uidvalidity if later.uidvalidity is None else later.uidvalidity
        return Landed(validity, {**self.uids, **later.uids})


async def copy(wire: Wire, uids: Sequence[int], mailbox: MailboxName) -> Landed:
    """Copy these messages; those that are gone are passed over by the server."""
    return await _transfer(wire, "UID COPY", uids, mailbox)


async def move(wire: Wire, uids: Sequence[int], mailbox: MailboxName) -> Landed:
    """Move these messages (RFC 6851); a server does all of it or, for each message, nothing."""
    return await _transfer(wire, "UID MOVE", uids, mailbox)


async def expunge(wire: Wire, uids: Sequence[int]) -> None:
    """Remove those of these that are marked \\Deleted, and no other (RFC 4315 §2.1)."""
    for start in range(0, len(uids), UIDS_PER_COMMAND):
        async with wire.exchange() as exchange:
            await exchange.send("UID EXPUNGE", uid_set(uids[start : start + UIDS_PER_COMMAND]))
            await exchange.finish()


async def _transfer(wire: Wire, command: str, uids: Sequence[int], mailbox: MailboxName) -> Landed:
    landed = Landed()
    for start in range(0, len(uids), UIDS_PER_COMMAND):
        some = uids[start : start + UIDS_PER_COMMAND]
        async with wire.exchange() as exchange:
            await exchange.send(command, uid_set(some), name_argument(mailbox, wire.spelling))
            async for answer in exchange.answers():
                # In an untagged OK where the server expunges before it is done (RFC 6851 §4.3).
                if isinstance(answer, Status) and answer.code == "COPYUID":
                    uidvalidity, told = _copyuid(answer)
                    if landed.uidvalidity not in (None, uidvalidity):
                        raise Garbled("a mailbox that was renumbered while messages went there")
                    landed = Landed(uidvalidity, {**landed.uids, **told})
                else:
                    exchange.overhear(answer)
    return landed


def _copyuid(answer: Status) -> tuple[int | None, dict[int, int]]:
    match answer.values():
        case [validity, source, target]:
            old, new = _in_order(as_string(source)), _in_order(as_string(target))
            if len(old) == len(new):
                return as_number(validity), dict(zip(old, new, strict=True))
        case _:
            pass
    return None, {}  # what cannot be read is as good as not said


def _in_order(words: bytes | None) -> list[int]:
    """UIDs in the order in which they are told, which pairs them."""
    found: list[int] = []
    for first, last in bounds(words or b"", 0, len(words or b"")):
        if last - first > 1_000_000:
            raise Garbled("more messages than were moved")
        found.extend(range(first, last + 1))
    return found
