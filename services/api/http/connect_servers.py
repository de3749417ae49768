"""What the page for connecting a mailbox shows of servers that were found, or are known."""

from msgspec import Struct

from services.api.actions.discover_servers import Discovered
from services.api.domain.discovery import Candidate, Protocol
from shared.contracts.account import Security
from shared.dial.providers import Provider, Server, SignIn, Step, provider_of_domain

_PORTS = {"imap_port": "993", "smtp_port": "465"}


class Servers(Struct, frozen=True, kw_only=True):
    """Fields of the form as they are filled in; None: to be found for an address first."""

    fields: dict[str, str] | None = None
    first: tuple[Step, ...] = ()
    wrong: str | None = None


def known_servers(email: str) -> Servers:
    """What is known without asking anybody: who only opens a page makes nobody look."""
    domain = email.rpartition("@")[2]
    known = provider_of_domain(domain) if domain else None
    if known is None or not (known.imap and known.smtp):
        return Servers()
    fields = {**_place("imap", known.imap[0]), **_place("smtp", known.smtp[0])}
    return Servers(fields=fields, first=_before_passwords(known.first))


def servers_in(found: Discovered, email: str) -> Servers:
    """The best of what was found, to be looked at by the person whose mailbox it is."""
    fields = {**_PORTS, "username": email}
    chosen = [
        best
        for protocol in Protocol
        if (best := next((one for one in found.candidates if one.place.protocol is protocol), None))
    ]
    for one in chosen:
        fields |= _found(one)
    first = found.provider.first if found.provider else ()
    if not first and chosen:
        first = chosen[0].first
    return Servers(
        fields=fields, first=_before_passwords(first), wrong=_doubt(found.provider, chosen)
    )


def _doubt(provider: Provider | None, chosen: list[Candidate]) -> str | None:
    if provider is not None and not provider.sign_in:
        return "no_programs"
    if len(chosen) < len(Protocol):
        return "servers_not_found"
    return "to_confirm" if any(one.to_confirm for one in chosen) else None


def _before_passwords(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(one for one in steps if one.only_for is not SignIn.OAUTH2)


def _found(one: Candidate) -> dict[str, str]:
    fields = _fields(one.place.protocol.value, one.place.host, one.place.port, one.place.security)
    return fields | ({"username": one.username} if one.username else {})


def _place(protocol: str, server: Server) -> dict[str, str]:
    return _fields(protocol, server.host, server.port, server.security)


def _fields(protocol: str, host: str, port: int, security: Security) -> dict[str, str]:
    return {
        f"{protocol}_host": host,
        f"{protocol}_port": str(port),
        f"{protocol}_security": security.value,
    }
