"""A mailbox in numbers, as STATUS tells it (RFC 9051 §7.3.4, RFC 7162 §3.1.7)."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.sync.imap.errors import Garbled
from services.sync.imap.names import Spelling, heard_name
from services.sync.imap.parser import Untagged, Value, as_count, as_number, as_string

log = structlog.get_logger()

#: More than anybody has.
MAX_MAILBOXES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOf:
    """A mailbox in numbers. What the server does not tell is None."""

    uidvalidity: int | None
    uidnext: int | None
    messages: int | None
    highestmodseq: int | None

    def updated(self, later: StatusOf) -> StatusOf:
        """With what was told later, which may be less than all."""

        def newer(before: int | None, after: int | None) -> int | None:
            return before if after is None else after

        return StatusOf(
            uidvalidity=newer(self.uidvalidity, later.uidvalidity),
            uidnext=newer(self.uidnext, later.uidnext),
            messages=newer(self.messages, later.messages),
            highestmodseq=newer(self.highestmodseq, later.highestmodseq),
        )


def counter_items(offers: frozenset[str]) -> bytes:
    """What to ask of each mailbox.

    Not its MAILBOXID (RFC 8474 §4.3), which SELECT tells: Cyrus 3.6 answers with whatever lies in
    its memory, and that may be any byte.
    """
    items = b"(MESSAGES UIDNEXT UIDVALIDITY"
    if not offers.isdisjoint({"CONDSTORE", "QRESYNC"}):
        items += b" HIGHESTMODSEQ"
    return items + b")"


def hear_counters(
    told: dict[bytes, StatusOf], answer: Untagged, spelling: Spelling
) -> bytes | None:
    """Take in a STATUS answer; which mailbox it is about, or None when it cannot be read.

    What cannot be read was not told: whoever asked sees what is missing.
    """
    try:
        name, counters = status_of(answer, spelling)
    except Garbled:
        log.warning("imap_status_garbled")
        return None
    before = told.get(name)
    if before is None and len(told) >= MAX_MAILBOXES:
        raise Garbled("more mailboxes than there can be")
    told[name] = counters if before is None else before.updated(counters)
    return name


def status_of(answer: Untagged, spelling: Spelling) -> tuple[bytes, StatusOf]:
    """Which mailbox a STATUS answer is about, and its counters."""
    match answer.values():
        case [name, list() as items, *_] if (raw := as_string(name)) is not None:
            told: dict[str, Value] = {
                item.upper(): value
                for item, value in zip(items[::2], items[1::2], strict=False)
                if isinstance(item, str)
            }
            return heard_name(raw, spelling), StatusOf(
                uidvalidity=as_number(told.get("UIDVALIDITY")),
                uidnext=as_count(told.get("UIDNEXT")),
                messages=as_count(told.get("MESSAGES")),
                highestmodseq=as_number(told.get("HIGHESTMODSEQ")),
            )
        case _:
            raise Garbled("counters that cannot be read")
