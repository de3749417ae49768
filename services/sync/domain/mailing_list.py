"""How to deal with a mailing list, as it says itself (RFC 2369, RFC 2919, RFC 8058)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.sync.domain.mime.words import decode_words, one_line
from shared.contracts.content import MailingList

MAX_ADDRESSES = 10
_MAX_ADDRESS = 2_000
_MAX_NAME = 500

_ADDRESS = re.compile(r"<([^<>]+)>")
_ALLOWED = ("https://", "http://", "mailto:")
_ONE_CLICK = re.compile(rb"\s*List-Unsubscribe\s*=\s*One-Click\s*", re.IGNORECASE)


def mailing_list_of(fields: Mapping[str, bytes]) -> MailingList | None:
    """What the header says of a list; None for a message that came through none."""
    named = one_line(decode_words(fields.get("list-id", b"")))
    found = _ADDRESS.search(named)
    told = MailingList(
        list_id=(found[1] if found else named).strip()[:_MAX_NAME] or None,
        name=(named[: found.start()].strip(' "') if found else "")[:_MAX_NAME],
        unsubscribe=_addresses(fields, "list-unsubscribe"),
        one_click=_one_click(fields),
        post=_addresses(fields, "list-post"),
        archive=_addresses(fields, "list-archive"),
        help=_addresses(fields, "list-help"),
    )
    return None if told == MailingList() else told


def _one_click(fields: Mapping[str, bytes]) -> str | None:
    """Where to POST: only https is allowed, and only where the sender says so."""
    if not _ONE_CLICK.fullmatch(fields.get("list-unsubscribe-post", b"")):
        return None
    for address in _addresses(fields, "list-unsubscribe"):
        if address.lower().startswith("https://"):
            return address
    return None


def _addresses(fields: Mapping[str, bytes], name: str) -> tuple[str, ...]:
    """URLs in angle brackets. Some leave the brackets out; blanks in them come from folding."""
    text = decode_words(fields.get(name, b"")[: MAX_ADDRESSES * _MAX_ADDRESS])
    found = _ADDRESS.findall(text) or text.split(",")
    addresses = ["".join(each.split()) for each in found]
    allowed = [
        each
        for each in addresses
        if each.lower().startswith(_ALLOWED) and len(each) <= _MAX_ADDRESS and each.isprintable()
    ]
    return tuple(dict.fromkeys(allowed))[:MAX_ADDRESSES]
