"""Addresses as people type them: `ada@example.org`, or `Ada Lovelace <ada@example.org>`."""

import re

import email_validator

from shared.contracts.mail import Address

# A server of one's own may well be `localhost`, or end in `.test` or `.internal`; the library
# names this list as the place to say so.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')  # RFC 5322 §3.2.4
_QUOTED_PAIR = re.compile(r"\\(.)")
_OUTSIDE_QUOTES = frozenset('<>"')


class NotAnAddress(ValueError):
    """This is not an e-mail address."""


def address_spec(text: str) -> str:
    """An address in its normal form (RFC 5321 §4.1.2); IDN domains as they go over the wire."""
    try:
        found = email_validator.validate_email(
            text.strip(),
            check_deliverability=False,
            allow_quoted_local=True,
            allow_domain_literal=True,
            globally_deliverable=False,
        )
    except email_validator.EmailNotValidError as error:
        raise NotAnAddress(str(error)) from None
    return found.ascii_email or found.normalized


def address(text: str) -> Address:
    """A recipient as typed: RFC 5322 §3.4 name-addr as people write it, or the address alone.

    Taken apart from its end, so that no text, however odd, takes more than one look.
    """
    text = text.strip()
    before, bracket, email = text.removesuffix(">").rpartition("<")
    if not bracket or not text.endswith(">"):
        return Address("", address_spec(text))
    name = before.strip()
    if quoted := _QUOTED.fullmatch(name):
        name = _QUOTED_PAIR.sub(r"\1", quoted[1]).strip()
    elif not _OUTSIDE_QUOTES.isdisjoint(name):
        raise NotAnAddress("The name has characters that need quotes.")
    return Address(name, address_spec(email))


def has_line_break(text: str) -> bool:
    """Whether this text, in a header, would begin another header (RFC 5322 §2.2)."""
    return "\r" in text or "\n" in text
