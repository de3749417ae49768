"""From an address to the servers of its mail: what was found where, and how far it is believed."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from shared.contracts.account import Security
from shared.dial.providers import (
    Provider,
    SignIn,
    Step,
    UsernameForm,
    provider_of_host,
)


class Protocol(StrEnum):
    """What a server is for."""

    IMAP = "imap"
    SMTP = "smtp"


class DiscoverySource(StrEnum):
    """Who says where the servers are, the most reliable first."""

    PROVIDERS = "providers"  # known here: the domain is a provider's own
    AUTOCONFIG = "autoconfig"  # published by the domain, as Thunderbird reads it
    MX = "mx"  # a provider that is known here takes the domain's mail
    SRV = "srv"  # RFC 6186, RFC 8314
    AUTODISCOVER = "autodiscover"  # published by the domain, as Outlook reads it
    WELL_KNOWN = "well_known"  # guessed by usual names, and found to answer


class Knock(StrEnum):
    """What came of knocking at a server's door."""

    HEARD = "heard"  # a mail server spoke, over a line whose certificate is right
    UNTRUSTED = "untrusted"  # something is there, but its certificate does not vouch for the name
    SILENT = "silent"  # nobody answered, or no mail server
    BARRED = "barred"  # no such name, or a network that nobody may send us to


class Confidence(StrEnum):
    """How far a candidate is believed."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class MailAddress(Struct, frozen=True):
    """An address, taken apart."""

    local_part: str
    domain: str  # in ASCII

    @classmethod
    def of(cls, spec: str) -> "MailAddress":
        local_part, _, domain = spec.rpartition("@")
        return cls(local_part, domain.lower().rstrip("."))

    @property
    def spec(self) -> str:
        return f"{self.local_part}@{self.domain}"

    @property
    def is_literal(self) -> bool:
        """Whether it names a machine, not a domain (RFC 5321 §4.1.3)."""
        return self.domain.startswith("[")


class Place(Struct, frozen=True):
    """Where a server listens, and how a line to it is protected."""

    protocol: Protocol
    host: str
    port: int
    security: Security


class Found(Struct, frozen=True, kw_only=True):
    """A server as one source tells of it."""

    place: Place
    source: DiscoverySource
    is_vouched: bool = False  # said by us, or by the domain itself over TLS all the way
    username: str | None = None  # None: not said
    sign_in: tuple[SignIn, ...] = ()  # empty: not said
    first: tuple[Step, ...] = ()


class Candidate(Struct, frozen=True, kw_only=True):
    """A server that may be the one, and what is needed to use it."""

    place: Place
    username: str | None  # None: the provider gives one that nobody can guess
    source: DiscoverySource
    also: tuple[DiscoverySource, ...]  # sources that say the same
    confidence: Confidence
    answered: bool | None  # None: not asked, for it is known
    to_confirm: bool  # somebody else's server, named over a line that anybody could have changed
    sign_in: tuple[SignIn, ...]
    oauth2: str | None
    provider: str | None
    first: tuple[Step, ...]


def of_provider(provider: Provider, address: MailAddress, source: DiscoverySource) -> list[Found]:
    """A known provider's servers."""
    return [
        Found(
            place=Place(protocol, server.host, server.port, server.security),
            source=source,
            is_vouched=True,
            username=_username(server.username, address),
            sign_in=provider.sign_in,
            first=provider.first,
        )
        for protocol, servers in ((Protocol.IMAP, provider.imap), (Protocol.SMTP, provider.smtp))
        for server in servers
    ]


def candidates(
    found: Sequence[Found], knocked: Mapping[Place, Knock], address: MailAddress
) -> list[Candidate]:
    """What is worth trying, best first. `found` comes in the order each source prefers."""
    by_place: dict[Place, list[Found]] = {}
    for one in found:
        by_place.setdefault(one.place, []).append(one)
    ranked = sorted(
        (_candidate(told, knocked.get(place), address) for place, told in by_place.items()),
        key=_rank,
    )
    return [one for one in ranked if _is_worth_trying(one, knocked.get(one.place))]


def guesses(domain: str) -> list[Place]:
    """Where servers of a domain mostly are, if nobody says."""
    return [
        Place(protocol, host, port, security)
        for protocol, names, ports in (
            (
                Protocol.IMAP,
                ("imap.", "mail.", ""),
                ((993, Security.TLS), (143, Security.STARTTLS)),
            ),
            (
                Protocol.SMTP,
                ("smtp.", "mail.", ""),
                ((465, Security.TLS), (587, Security.STARTTLS)),
            ),
        )
        for port, security in ports
        for host in (f"{name}{domain}" for name in names)
    ]


def is_known(place: Place) -> bool:
    """Whether the server is a known provider's, so that nobody has to knock."""
    return provider_of_host(place.host) is not None


def _candidate(told: Sequence[Found], knock: Knock | None, address: MailAddress) -> Candidate:
    best = min(told, key=lambda one: list(DiscoverySource).index(one.source))
    place = best.place
    provider = provider_of_host(place.host)
    username = best.username or address.spec
    sign_in = best.sign_in or (SignIn.PASSWORD,)
    first = best.first
    if provider is not None and best.source not in (DiscoverySource.PROVIDERS, DiscoverySource.MX):
        # A name that anybody may point at; what signing in there needs is known here.
        username = _username_at(provider, place, address) or username
        sign_in, first = provider.sign_in or sign_in, provider.first
    if best.source in (DiscoverySource.PROVIDERS, DiscoverySource.MX):
        username = best.username
    is_vouched = any(one.is_vouched for one in told)
    is_own = place.host == address.domain or place.host.endswith(f".{address.domain}")
    return Candidate(
        place=place,
        username=username,
        source=best.source,
        also=tuple(dict.fromkeys(one.source for one in told if one.source is not best.source)),
        confidence=_confidence(best.source, knock, username, is_sure=is_vouched or is_own),
        answered=None if knock is None else knock is Knock.HEARD,
        to_confirm=not (is_vouched or is_own or provider is not None),
        sign_in=sign_in,
        oauth2=provider.oauth2 if provider is not None and SignIn.OAUTH2 in sign_in else None,
        provider=None if provider is None else provider.name,
        first=first,
    )


def _confidence(
    source: DiscoverySource, knock: Knock | None, username: str | None, *, is_sure: bool
) -> Confidence:
    if username is None or knock in (Knock.SILENT, Knock.UNTRUSTED):
        return Confidence.LOW
    if source is DiscoverySource.WELL_KNOWN or not is_sure:
        return Confidence.MEDIUM
    return Confidence.HIGH


def _rank(candidate: Candidate) -> tuple[int, int, int]:
    """The surest first, then by source, then those that more sources name; else as they came."""
    return (
        list(Confidence).index(candidate.confidence),
        list(DiscoverySource).index(candidate.source),
        -len(candidate.also),
    )


def _is_worth_trying(candidate: Candidate, knock: Knock | None) -> bool:
    if knock is Knock.BARRED:
        return False
    return candidate.source is not DiscoverySource.WELL_KNOWN or knock is Knock.HEARD


def _username(form: UsernameForm, address: MailAddress) -> str | None:
    match form:
        case UsernameForm.ADDRESS:
            return address.spec
        case UsernameForm.LOCAL_PART:
            return address.local_part
        case UsernameForm.OTHER:
            return None


def _username_at(provider: Provider, place: Place, address: MailAddress) -> str | None:
    """As whom one signs in at this server of a provider; of one not listed, with the address."""
    listed: Iterable[UsernameForm] = (
        server.username for server in (*provider.imap, *provider.smtp) if server.host == place.host
    )
    return _username(next(iter(listed), UsernameForm.ADDRESS), address)
