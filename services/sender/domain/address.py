"""Addresses as the envelope and the header need them (RFC 5321 §4.1.2, RFC 6531 §3.3)."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

LONGEST_OCTETS = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets
_ATOM = r"[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f.]+"
_ATOMS = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ASCII_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


class NotAnAddress(ValueError):
    """This can be nobody's address."""


@dataclass(frozen=True, slots=True)
class EnvelopeAddress:
    """Somebody's address: the domain as DNS knows it, the local part as its owner wrote it."""

    local: str  # without quotes
    domain: str  # ASCII (RFC 5890 §2.3.2.1), or an address literal

    @property
    def spec(self) -> str:
        """As written on the wire; the local part quoted where it must be (RFC 5322 §3.2.4)."""
        if _ATOMS.fullmatch(self.local):
            return f"{self.local}@{self.domain}"
        escaped = re.sub(r'(["\\])', r"\\\1", self.local)
        return f'"{escaped}"@{self.domain}'

    @property
    def needs_smtputf8(self) -> bool:
        return not self.local.isascii()

    @property
    def key(self) -> tuple[str, str]:
        """What makes two spellings one recipient; a local part's case is its server's affair."""
        return self.local, self.domain.lower()


def address_of(email: str) -> EnvelopeAddress:
    """Read an address somebody typed; raises NotAnAddress for what no server could be told."""
    if any(not character.isprintable() for character in email):
        raise NotAnAddress(f"{email!r} contains characters no address has")
    local, at, domain = email.strip().rpartition("@")
    if not at or not local or not domain:
        raise NotAnAddress(f"{email!r} is not of the form name@domain")
    quoted = _QUOTED.fullmatch(local)
    if quoted:
        local = re.sub(r"\\(.)", r"\1", quoted[1])
    elif re.search(r'[\s"(),:;<>@\[\\\]]', local):
        raise NotAnAddress(f"the part before @ in {email!r} is not an address's")
    address = EnvelopeAddress(local, _domain(domain))
    if not local or len(address.spec.encode("utf-8")) > LONGEST_OCTETS:
        raise NotAnAddress("the address is empty or too long")
    return address


def _domain(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        return _literal(text[1:-1])
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode("ascii")
        except idna.IDNAError as no_domain:
            raise NotAnAddress(f"{text!r} is not a domain") from no_domain
    if len(text) > 253 or not all(_ASCII_LABEL.fullmatch(label) for label in text.split(".")):
        raise NotAnAddress(f"{text!r} is not a domain")
    return text


def _literal(inside: str) -> str:
    """An address literal (RFC 5321 §4.1.3)."""
    try:
        if inside[:5].lower() == "ipv6:":
            return f"[IPv6:{IPv6Address(inside[5:])}]"
        return f"[{IPv4Address(inside)}]"
    except AddressValueError as no_literal:
        raise NotAnAddress(f"[{inside}] is not an address literal") from no_literal
