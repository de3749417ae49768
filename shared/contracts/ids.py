"""Ids as people and programs outside see them: a prefix that says what, then 26 characters.

Inside, an id is a UUIDv7 (RFC 9562). Outside it is opaque: `msg_` and Crockford's base32 of the
128 bits, lower case, which sorts as the UUID does. Never an IMAP UID.
"""

from enum import StrEnum
from functools import lru_cache
from uuid import UUID

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_LENGTH = 26
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_SHIFTS = range(120, -1, -10)


class Kind(StrEnum):
    """The nouns that have ids outside."""

    TENANT = "ten"
    USER = "usr"
    ACCOUNT = "acc"
    MAILBOX = "mbx"
    MESSAGE = "msg"
    THREAD = "thr"
    ATTACHMENT = "att"
    DRAFT = "drf"
    SUBMISSION = "sub"
    EVENT = "evt"
    WEBHOOK = "whk"
    QUARANTINED = "qtn"
    UPLOAD = "upl"
    JOB = "job"
    SAVED_SEARCH = "sch"
    TOKEN = "tok"  # noqa: S105 - how an id of one begins
    SESSION = "ses"
    IMAGE_SENDER = "ims"
    INVITATION = "inv"
    AUDIT = "aud"
    IDENTITY = "idn"
    DELETION = "del"
    EXPORT = "exp"
    CONNECT_LINK = "cnl"


class NotAnId(ValueError):
    """This is not an id of that kind."""


def shown(kind: Kind, value: UUID) -> str:
    """The id as the outside sees it."""
    return _shown(kind, value)


@lru_cache(maxsize=32 * 1024)  # lists say the same ones again and again
def _shown(kind: Kind, value: UUID) -> str:
    number = value.int
    return f"{kind.value}_{''.join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])}"


def read(kind: Kind, text: str) -> UUID:
    """The UUID behind an id from outside; raises NotAnId for anything else."""
    prefix, _, digits = text.partition("_")
    if prefix != kind.value or len(digits) != _LENGTH:
        raise NotAnId(text[:64])
    number = 0
    for digit in digits:
        value = _VALUE.get(digit)
        if value is None:
            raise NotAnId(text[:64])
        number = number << 5 | value
    if number >> 128:
        raise NotAnId(text[:64])
    return UUID(int=number)
