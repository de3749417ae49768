"""What a server tells of messages, and reading them whole (UID FETCH, RFC 9051 §6.4.5, §7.5.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from services.sync.imap.gathering import Told, gather
from services.sync.imap.identity import identity_in, identity_items
from services.sync.imap.parser import as_date_time, as_modseq, as_number, as_string, as_words
from services.sync.imap.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A whole message as the server keeps it."""

    uid: int
    flags: frozenset[str]
    internal_date: datetime | None  # UTC; None when the server does not say anything sensible
    size: int  # as the server counts (RFC822.SIZE), which is not always the length of `raw`
    modseq: int | None
    raw: bytes = field(repr=False)
    email_id: str | None = None  # EMAILID, or "gm:" and Gmail's number
    gm_thread: str | None = None
    gm_labels: frozenset[str] | None = None  # None: the server has no labels


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
    fields: bytes | None = field(repr=False)  # Message-ID, Date, From, Subject, as they stand


class FlagsOf(NamedTuple):
    """How a message is marked."""

    uid: int
    flags: frozenset[str]
    modseq: int | None


def fetch(
    wire: Wire, uids: Sequence[int], *, batch: int, in_flight: int
) -> AsyncGenerator[Fetched]:
    """Whole messages as they come; what is not there does not come."""
    items = b"(UID FLAGS INTERNALDATE RFC822.SIZE" + identity_items(wire.offers) + b" BODY.PEEK[])"
    spelling = wire.spelling

    def read(uid: int, told: Told) -> Fetched | None:
        raw = as_string(told.get("BODY[]", told.get("RFC822")))
        if raw is None or "FLAGS" not in told:
            return None  # not all told yet, or the server cannot read it (NIL)
        size = as_number(told.get("RFC822.SIZE"))
        email_id, gm_thread, gm_labels = identity_in(told, spelling)
        return Fetched(
            uid=uid,
            flags=frozenset(as_words(told["FLAGS"])),
            internal_date=as_date_time(told.get("INTERNALDATE")),
            size=len(raw) if size is None else size,
            modseq=as_modseq(told.get("MODSEQ")),
            raw=raw,
            email_id=email_id,
            gm_thread=gm_thread,
            gm_labels=gm_labels,
        )

    return gather(wire, uids, items, read, batch=batch, in_flight=in_flight)
