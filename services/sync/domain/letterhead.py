"""What only the header tells, worked out when somebody opens the message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from services.sync.domain.authentication import authentication_of
from services.sync.domain.autocrypt import autocrypt_of
from services.sync.domain.mailing_list import mailing_list_of
from services.sync.domain.mime.addresses import parse_addresses
from services.sync.domain.mime.dates import parse_date
from services.sync.domain.mime.words import decode_words
from shared.contracts.content import AuthenticationResult, Autocrypt, MailingList


class Letterhead(Struct, frozen=True, kw_only=True):
    """How a message came, and what it offers."""

    stamped_at: datetime | None
    mailing_list: MailingList | None
    authentication: tuple[AuthenticationResult, ...]
    autocrypt: Autocrypt | None


def letterhead_of(fields: Sequence[tuple[str, bytes]]) -> Letterhead:
    """Read it from the fields as they came; never raises."""
    first: dict[str, bytes] = {}
    for name, value in fields:
        first.setdefault(name.lower(), value)
    senders = parse_addresses(first.get("from", b""))
    return Letterhead(
        stamped_at=_stamped_at(first),
        mailing_list=mailing_list_of(first),
        authentication=authentication_of(fields),
        autocrypt=autocrypt_of(fields, senders[0].email) if len(senders) == 1 else None,
    )


def _stamped_at(first: Mapping[str, bytes]) -> datetime | None:
    """When the last server says it took the message (RFC 5321 §4.4).

    INTERNALDATE says so too, unless some program copied the message to where it now is.
    """
    stamp, semicolon, when = first.get("received", b"").rpartition(b";")
    return parse_date(decode_words(when).strip()) if stamp and semicolon else None
