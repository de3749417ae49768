"""Who is known to be at the other end: large mail providers, and what each of them is like.

The table itself is `providers.toml`, read once. It says how an address becomes servers, what a
person must do before a program may sign in, and what the provider allows and does once it has.
Discovery, sync and sender all go by it, and it is said nowhere else.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from shared.contracts.account import Security


class SignIn(StrEnum):
    """How a program may prove whose mail it asks for."""

    OAUTH2 = "oauth2"  # the provider asks the person, and gives the program a token
    APP_PASSWORD = "app_password"  # noqa: S105 - a password made for one program
    PASSWORD = "password"  # noqa: S105 - the one that the person has


class UsernameForm(StrEnum):
    """As whom to sign in."""

    ADDRESS = "address"
    LOCAL_PART = "local_part"  # what stands before the @
    OTHER = "other"  # the provider gave its own; nobody can guess it


class StepKind(StrEnum):
    """What a person, or who rules over their account, has to do first."""

    TWO_STEP = "two_step"  # switch on signing in in two steps: no app passwords without
    APP_PASSWORD = "app_password"  # noqa: S105 - make one
    MAIL_PASSWORD = "mail_password"  # noqa: S105 - set the password that is for mail programs only
    ENABLE_IMAP = "enable_imap"
    ADMIN_CONSENT = "admin_consent"  # an administrator has to allow it
    PLAN = "plan"  # only with a plan that is paid for
    BRIDGE = "bridge"  # run the provider's own program, which speaks IMAP
    NO_IMAP = "no_imap"  # nothing helps: it does not let programs in
    NOTE = "note"  # nothing to do, but good to know


class Quirk(StrEnum):
    """What a provider does otherwise than its servers' capabilities say."""

    FLEET = "fleet"  # many machines: what one says to one account tells nothing of the others
    WANTS_ID = "wants_id"  # opens no mailbox for a program that has not introduced itself (ID)
    LABELS = "labels"  # mailboxes are labels: a message is in several of them
    SENDER_IS_LOGIN = "sender_is_login"  # takes mail only from the account's own addresses


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that must be done before an account can be connected."""

    kind: StepKind
    text: str  # in words for whoever has to do it
    link: str | None = None  # where it is done, or explained
    only_for: SignIn | None = None  # where one signs in in this way; None: in any


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server of a provider."""

    host: str
    port: int
    security: Security = Security.TLS
    username: UsernameForm = UsernameForm.ADDRESS


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider allows one account, and what it does by itself. None: it does not say."""

    connections: int | None = None  # at a time, the owner's other devices left room for
    bytes_per_day: int | None = None
    commands_per_day: int | None = None
    messages_per_day: int | None = None  # that it takes for sending
    idle_seconds: int | None = None  # IDLE is to be renewed within
    files_sent: bool | None = None  # what is handed to its SMTP server comes to Sent by itself
    quirks: frozenset[Quirk] = frozenset()


class Provider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider of mail accounts."""

    name: str  # stable, e.g. "google"
    title: str
    domains: tuple[str, ...] = ()  # of addresses; each with all below it
    mx: tuple[str, ...] = ()  # its MX hosts are these or below
    hosts: tuple[str, ...] = ()  # its IMAP and SMTP servers are these or below
    server_ids: tuple[str, ...] = ()  # the `name` its IMAP servers give to ID (RFC 2971)
    capabilities: tuple[str, ...] = ()  # that nobody else's IMAP servers offer
    imap: tuple[Server, ...] = ()  # best first; none: there is no IMAP
    smtp: tuple[Server, ...] = ()
    sign_in: tuple[SignIn, ...] = (SignIn.PASSWORD,)  # best first
    oauth2: str | None = None  # the name under which its OAuth2 is configured
    first: tuple[Step, ...] = ()  # in this order
    profile: Profile = Profile()

    def has(self, quirk: Quirk) -> bool:
        return quirk in self.profile.quirks


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    provider: tuple[Provider, ...]


class ProvidersUnreadable(Exception):
    """The operator's table of providers cannot be read."""


_OF_THE_OPERATOR: list[Provider] = []


def know_providers(path: Path | None) -> None:
    """Let an operator's table count before ours, for this process; raises ProvidersUnreadable.

    A provider of the same name takes the place of ours, and of a domain or a host that both
    have, the operator's word counts.
    """
    own = () if path is None else _read(path)
    _OF_THE_OPERATOR[:] = own
    for table in (providers, _by_domain, _by_mx, _by_host):
        table.cache_clear()


@cache
def providers() -> tuple[Provider, ...]:
    """All that are known, the operator's last."""
    own = {provider.name for provider in _OF_THE_OPERATOR}
    ours = _read(Path(__file__).with_name("providers.toml"))
    return (*(each for each in ours if each.name not in own), *_OF_THE_OPERATOR)


def _read(path: Path) -> tuple[Provider, ...]:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Table).provider
    except (OSError, ValueError) as error:  # also no TOML, no UTF-8, and no table of providers
        raise ProvidersUnreadable(f"{path}: {error}") from error


def provider_named(name: str) -> Provider | None:
    """The provider of this name."""
    return next((each for each in providers() if each.name == name), None)


def provider_by_signs(server_name: str, capabilities: Collection[str]) -> Provider | None:
    """Whose servers call themselves so, or offer what nobody else does."""
    for provider in providers():
        if server_name.lower() in (each.lower() for each in provider.server_ids):
            return provider
        if any(each in capabilities for each in provider.capabilities):
            return provider
    return None


def provider_of_domain(domain: str) -> Provider | None:
    """Whose addresses end in this domain, in ASCII."""
    return _nearest(_by_domain(), domain)


def provider_of_mx(exchange: str) -> Provider | None:
    """Who takes mail in at this host, the target of an MX record."""
    return _nearest(_by_mx(), exchange)


def provider_of_host(host: str) -> Provider | None:
    """Who runs this IMAP or SMTP server, by its name."""
    return _nearest(_by_host(), host)


def _nearest(table: Mapping[str, Provider], name: str) -> Provider | None:
    """The provider of this name, or of the nearest above it."""
    return next((table[each] for each in _up_from(name) if each in table), None)


def _up_from(name: str) -> Iterator[str]:
    labels = name.lower().rstrip(".").split(".")
    return (".".join(labels[first:]) for first in range(len(labels)))


@cache
def _by_domain() -> dict[str, Provider]:
    return {domain: provider for provider in providers() for domain in provider.domains}


@cache
def _by_mx() -> dict[str, Provider]:
    return {name: provider for provider in providers() for name in provider.mx}


@cache
def _by_host() -> dict[str, Provider]:
    named = {name: provider for provider in providers() for name in provider.hosts}
    for provider in reversed(providers()):
        for server in (*provider.imap, *provider.smtp):
            if server.username is not UsernameForm.OTHER:  # one's own machine, where a bridge runs
                named.setdefault(server.host, provider)
    return named
