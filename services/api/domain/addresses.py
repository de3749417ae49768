"""Addresses as people type them: `ada@example.org`, or `Ada Lovelace <ada@example.org>`."""

import re

import email_validator

from shared.contracts.mail import Address

# A server of one's own may well be `localhost`, or end in `.test` or `.internal`; the library
# names this list as the place to say so.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

# RFC 5322 §3.4 name-addr, as people write it: a name with or without quotes, then the address.
_NAMED = re.compile(
    r'^\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<name>[^<>"]*?))\s*<(?P<email>[^<>]+)>\s*$'
)
_QUOTED_PAIR = re.compile(r"\\(.)")


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
    """A recipient as typed."""
    named = _NAMED.match(text)
    if named is None:
        return Address("", address_spec(text))
    quoted = named["quoted"]
    name = (named["name"] or "") if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
    return Address(name.strip(), address_spec(named["email"]))


def has_line_break(text: str) -> bool:
    """Whether this text, in a header, would begin another header (RFC 5322 §2.2)."""
    return "\r" in text or "\n" in text
