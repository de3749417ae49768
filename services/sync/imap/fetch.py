"""What a server tells of messages, and reading them whole (UID FETCH, RFC 9051 §6.4.5, §7.5.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from services.sync.imap.framing import Cut
from services.sync.imap.gathering import Told, gather
from services.sync.imap.identity import identity_in, identity_items
from services.sync.imap.parser import as_date_time, as_modseq, as_number, as_string, as_words
from services.sync.imap.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A message without its words."""

    uid: int
    flags: frozenset[str]
    size: int  # as the server counts (RFC822.SIZE)
    internal_date: datetime | None  # UTC; None when the server does not say anything sensible
    modseq: int | None
    email_id: str | None  # EMAILID, or "gm:" and Gmail's number
    gm_thread: str | None
    gm_labels: frozenset[str] | None  # None: the server has no labels
    # Message-ID, Date, From, Subject, as they stand
    fields: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched(Head):
    """A whole message as the server keeps it; its size is not always the length of `raw`."""

    raw: bytes = field(repr=False)
    whole: bool = True  # False: it was larger than wanted, and nothing of it was kept


class FlagsOf(NamedTuple):
    """How a message is marked."""

    uid: int
    flags: frozenset[str]
    modseq: int | None


def fetch(
    wire: Wire, uids: Sequence[int], *, at_most: int | None, batch: int, in_flight: int
) -> AsyncGenerator[Fetched]:
    """Whole messages as they come; what is not there does not come."""
    items = b"(UID FLAGS INTERNALDATE RFC822.SIZE" + identity_items(wire.offers) + b" BODY.PEEK[])"
    spelling = wire.spelling

    def read(uid: int, told: Told) -> Fetched | None:
        raw = as_string(told.get("BODY[]", told.get("RFC822")))
        if raw is None or "FLAGS" not in told:
            return None  # not all told yet, or the server cannot read it (NIL)
        size = as_number(told.get("RFC822.SIZE"))
        cut = isinstance(raw, Cut)
        if cut:  # whatever size was told
            raw, size = b"", max(raw.size, size or 0)
        email_id, gm_thread, gm_labels = identity_in(told, spelling)
        return Fetched(
            uid=uid,
            flags=frozenset(as_words(told["FLAGS"])),
            internal_date=as_date_time(told.get("INTERNALDATE")),
            size=len(raw) if size is None else size,
            modseq=as_modseq(told.get("MODSEQ")),
            email_id=email_id,
            gm_thread=gm_thread,
            gm_labels=gm_labels,
            raw=raw,
            whole=not cut,
        )

    return gather(wire, uids, items, read, batch=batch, in_flight=in_flight, cut_at=at_most)
