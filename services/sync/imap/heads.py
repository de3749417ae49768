"""What there is to know of messages before they are fetched: marks, size, date, identity."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from services.sync.imap.fetch import Head
from services.sync.imap.gathering import Told, gather
from services.sync.imap.identity import identity_in, identity_items
from services.sync.imap.parser import as_date_time, as_modseq, as_number, as_string, as_words
from services.sync.imap.wire import Wire

#: So many are handed over together.
PAGE = 500
_NAMED = b" BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)]"


async def heads(
    wire: Wire, uids: Sequence[int], *, named: bool, modseq: bool
) -> AsyncGenerator[list[Head]]:
    """What the server says of these messages, some hundred at a time; who is gone is left out."""
    items = b"(UID FLAGS RFC822.SIZE INTERNALDATE"
    if modseq:
        items += b" MODSEQ"
    items += identity_items(wire.offers)
    if named:
        items += _NAMED
    spelling = wire.spelling

    def read(uid: int, told: Told) -> Head | None:
        size = as_number(told.get("RFC822.SIZE"))
        header = next((name for name in told if name.startswith("BODY[HEADER.FIELDS")), None)
        if size is None or "FLAGS" not in told or (named and header is None):
            return None  # not all told yet
        email_id, gm_thread, gm_labels = identity_in(told, spelling)
        return Head(
            uid=uid,
            flags=frozenset(as_words(told["FLAGS"])),
            size=size,
            internal_date=as_date_time(told.get("INTERNALDATE")),
            modseq=as_modseq(told.get("MODSEQ")),
            email_id=email_id,
            gm_thread=gm_thread,
            gm_labels=gm_labels,
            fields=as_string(told[header]) if header is not None else None,
        )

    page: list[Head] = []
    async with aclosing(gather(wire, uids, items + b")", read)) as gathered:
        async for head in gathered:
            page.append(head)
            if len(page) >= PAGE:
                yield page
                page = []
    if page:
        yield page
