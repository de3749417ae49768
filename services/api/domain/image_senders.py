"""Whose remote images a reader has said to show, and when that is not to be believed.

Who a message is from is what its sender wrote. An image that is fetched tells somebody that it was
read; so the word of a reader does not count for a message of which the receiving server found that
it is not from whom it says (RFC 8601), nor for junk.
"""

from collections.abc import Collection, Sequence

import idna

from services.api.domain.addresses import NotAnAddress, address_spec
from shared.contracts.content import AuthenticationResult


class NotASender(ValueError):
    """This is neither an address nor a domain."""


def sender_of(text: str) -> str:
    """An address or a domain in the form in which it is compared; raises NotASender."""
    text = text.strip()
    if "@" in text.removeprefix("@"):
        try:
            text = address_spec(text)
        except NotAnAddress as error:
            raise NotASender(str(error)) from None
        local, _, literal = text.rpartition("@")
        if (domain := _ascii(literal)) is None:
            raise NotASender("This is neither an address nor a domain.")
        return f"{local.lower()}@{domain}"
    domain = _ascii(text.removeprefix("@"))
    # All of a top-level domain is nobody's.
    if domain is None or "." not in domain:
        raise NotASender("This is neither an address nor a domain.")
    return domain


def names_for(email: str) -> list[str]:
    """By which allowed senders this address is meant: itself, its domain, and those above it."""
    local, at, domain = email.strip().rpartition("@")
    domain = _ascii(domain)
    if not (local and at and domain):
        return []
    labels = domain.split(".")
    above = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    return [f"{local.lower()}@{domain}", *above]


def is_doubtful(authentication: Sequence[AuthenticationResult], keywords: Collection[str]) -> bool:
    """Whether the receiving server, or whoever marked it, does not believe who it is from."""
    if any(keyword.lower() == "$junk" for keyword in keywords):
        return True
    said = {
        method: {one.result.lower() for one in authentication if one.method.lower() == method}
        for method in ("dmarc", "dkim", "spf")
    }
    if "pass" in said["dmarc"]:
        return False
    if "fail" in said["dmarc"]:
        return True
    either = said["dkim"] | said["spf"]
    return bool(either & {"fail", "softfail", "permerror"}) and "pass" not in either


def _ascii(domain: str) -> str | None:
    """A domain as it goes over the wire (RFC 5890)."""
    domain = domain.strip().lower().removesuffix(".")
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        return None
