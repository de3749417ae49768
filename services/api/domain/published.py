"""Settings that domains publish as XML, for Thunderbird (autoconfig) and Outlook (autodiscover).

Strangers write it, so nothing in it is believed further than it goes: a host is a host or is left
out, an unprotected server is left out, text is cut, and a document with a DTD is none of ours.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from services.api.domain.discovery import DiscoverySource, Found, MailAddress, Place, Protocol
from services.api.domain.hosts import host_of
from shared.contracts.account import Security
from shared.dial.providers import SignIn, Step, StepKind

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST_SERVERS = 8
_MOST_STEPS = 5
_LONGEST_TEXT = 300
_LONGEST_USERNAME = 320
_LONGEST_LINK = 500

_SECURITY = {"ssl": Security.TLS, "starttls": Security.STARTTLS}
_SIGN_IN = {
    "oauth2": SignIn.OAUTH2,
    "password-cleartext": SignIn.PASSWORD,
    "password-encrypted": SignIn.PASSWORD,
    "plain": SignIn.PASSWORD,  # as earlier versions of the format said
    "secure": SignIn.PASSWORD,
}
_OUTLOOK_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
_OUTLOOK_ANSWER = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


class NotSettings(ValueError):
    """This document says nothing about mail servers."""


def read_autoconfig(document: bytes, address: MailAddress, *, is_vouched: bool) -> list[Found]:
    """The servers of a `clientConfig`, as its domain prefers them; raises NotSettings."""
    root = _root(document)
    if _name(root) != "clientConfig":
        raise NotSettings("It is no clientConfig.")
    provider = root.find("emailProvider")
    if provider is None:
        raise NotSettings("It has no emailProvider.")
    first = tuple(_steps(provider))[:_MOST_STEPS]
    found: list[Found] = []
    for protocol, tag in ((Protocol.IMAP, "incomingServer"), (Protocol.SMTP, "outgoingServer")):
        for server in provider.findall(tag)[:_MOST_SERVERS]:
            if server.get("type") != protocol.value:
                continue
            place = _place(
                protocol,
                _filled(_text(server, "hostname"), address),
                _text(server, "port"),
                _SECURITY.get(_text(server, "socketType").lower()),
            )
            ways = [
                _SIGN_IN[said]
                for each in server.findall("authentication")
                if (said := (each.text or "").strip().lower()) in _SIGN_IN
            ]
            if place is None or (server.find("authentication") is not None and not ways):
                continue
            found.append(
                Found(
                    place=place,
                    source=DiscoverySource.AUTOCONFIG,
                    is_vouched=is_vouched,
                    username=_username(_filled(_text(server, "username"), address)),
                    sign_in=tuple(dict.fromkeys(ways)),
                    first=first,
                )
            )
    return found


def autodiscover_request(address: MailAddress) -> bytes:
    """What Outlook asks a domain about an address (MS-OXDISCO, the plain XML form)."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<Autodiscover xmlns="{_OUTLOOK_REQUEST}"><Request>'
        f"<EMailAddress>{escape(address.spec)}</EMailAddress>"
        f"<AcceptableResponseSchema>{_OUTLOOK_ANSWER}</AcceptableResponseSchema>"
        "</Request></Autodiscover>"
    ).encode()


def read_autodiscover(document: bytes, *, is_vouched: bool) -> list[Found]:
    """The IMAP and SMTP servers of an answer; raises NotSettings."""
    root = _root(document)
    if _name(root) != "Autodiscover":
        raise NotSettings("It is no answer of autodiscover.")
    found: list[Found] = []
    for protocol in [each for each in root.iter() if _name(each) == "Protocol"][:_MOST_SERVERS]:
        said = {_name(each): (each.text or "").strip() for each in protocol}
        kind = said.get("Type", "").lower()
        if kind not in (Protocol.IMAP.value, Protocol.SMTP.value):
            continue
        place = _place(
            Protocol(kind), said.get("Server", ""), said.get("Port", ""), _security(kind, said)
        )
        if place is not None:
            found.append(
                Found(
                    place=place,
                    source=DiscoverySource.AUTODISCOVER,
                    is_vouched=is_vouched,
                    username=_username(said.get("LoginName", "")),
                )
            )
    return found


def _security(kind: str, said: Mapping[str, str]) -> Security | None:
    """How the line is protected: by `Encryption`, which outweighs `SSL`, whose default is on."""
    match said.get("Encryption", "").lower():
        case "ssl":
            return Security.TLS
        case "tls":  # STARTTLS, as Outlook means it
            return Security.STARTTLS
        case "none":
            return None
        case _:
            pass
    if said.get("SSL", "on").lower() == "off":
        return None
    return Security.STARTTLS if said.get("Port") in ("143", "587", "25") else Security.TLS


def _root(document: bytes) -> "Element":
    try:
        return ElementTree.fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise NotSettings("It is no XML that we read.") from error


def _name(element: "Element") -> str:
    return element.tag.rpartition("}")[2]


def _text(element: "Element", tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _filled(text: str, address: MailAddress) -> str:
    return (
        text.replace("%EMAILADDRESS%", address.spec)
        .replace("%EMAILLOCALPART%", address.local_part)
        .replace("%EMAILDOMAIN%", address.domain)
    )


def _place(protocol: Protocol, host: str, port: str, security: Security | None) -> Place | None:
    if security is None or not (port.isascii() and port.isdigit() and len(port) <= 5):
        return None
    try:
        name = host_of(host)
    except ValueError:
        return None
    return Place(protocol, name, int(port), security) if 0 < int(port) < 65536 else None


def _username(text: str) -> str | None:
    """A user name; one with a placeholder that nobody can fill is none."""
    is_one = text and "%" not in text and text.isprintable() and len(text) <= _LONGEST_USERNAME
    return text if is_one else None


def _steps(provider: "Element") -> Iterator[Step]:
    """What the domain says has to be done first, in English where it says so in English."""
    for enable in provider.findall("enable"):
        told = {
            each.get("lang", "en"): " ".join((each.text or "").split())
            for each in enable.findall("instruction")
        }
        text = told.get("en") or next(iter(told.values()), "")
        if text and text.isprintable():
            yield Step(
                kind=StepKind.ENABLE_IMAP,
                text=text[:_LONGEST_TEXT],
                link=_link(enable.get("visiturl", "")),
            )


def _link(url: str) -> str | None:
    is_one = url.startswith("https://") and url.isprintable() and len(url) <= _LONGEST_LINK
    return url if is_one else None
