"""/discover: where the mail servers of an address are, and what has to be done first."""

import asyncio

from litestar import Router, post
from litestar.params import JSONBody
from msgspec import Struct

from services.api.actions.discover_servers import (
    AddressDoubt,
    Asked,
    AskedResult,
    Discovered,
    Means,
    discover_servers,
)
from services.api.domain.discovery import Candidate, Confidence, DiscoverySource, Protocol
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, EmailAddress
from services.api.http.limits import KIND
from services.api.http.repeating import UNKEPT
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking
from services.api.settings import Settings
from shared.contracts.account import Security
from shared.dial.providers import Provider, SignIn, Step, StepKind


class AddressToDiscover(Body):
    """Whose servers are looked for."""

    email: EmailAddress


class FirstStep(Struct, frozen=True, kw_only=True):
    """Something that must be done before, by the person or by who administers their account."""

    kind: StepKind
    text: str
    link: str | None
    only_for: SignIn | None  # where one signs in in this way; null: in any


class DiscoveredServer(Struct, frozen=True, kw_only=True):
    """As `imap` or `smtp` of an account has it; the password is to be added."""

    host: str
    port: int
    security: Security
    username: str | None  # null: the provider gives one that nobody can guess


class ServerCandidate(Struct, frozen=True, kw_only=True):
    """A server that may be the one."""

    server: DiscoveredServer
    source: DiscoverySource
    also: list[DiscoverySource]  # who says the same
    confidence: Confidence
    answered: bool | None  # whether a mail server with a valid certificate was heard there
    to_confirm: bool  # of another domain, by a source that could be forged: ask the person
    provider: str | None
    sign_in: list[SignIn]  # best first
    oauth2: str | None  # whose OAuth2 to use for it
    first: list[FirstStep]


class KnownProvider(Struct, frozen=True, kw_only=True):
    """A provider that is known here. Without any `sign_in` it lets no programs in."""

    name: str
    title: str
    sign_in: list[SignIn]
    oauth2: str | None
    first: list[FirstStep]


class AskedSource(Struct, frozen=True, kw_only=True):
    """Who was asked, and what came of it."""

    source: DiscoverySource
    result: AskedResult
    milliseconds: int


class Discovery(Struct, frozen=True, kw_only=True):
    """What was found for an address: candidates, best first."""

    email: str
    provider: KnownProvider | None
    warning: AddressDoubt | None
    imap: list[ServerCandidate]
    smtp: list[ServerCandidate]
    asked: list[AskedSource]


@post(
    "",
    status_code=200,
    security=needs(Scope.ACCOUNT_ADMIN),
    summary="Find the mail servers of an address",
    description="Looks into a table of large providers, the settings that the domain publishes"
    " (autoconfig, autodiscover), its MX and SRV records, and at usual host names; says who found"
    " what, how far it is believed, how to sign in, and what has to be done first. No credential"
    " is asked for or sent. The `server` of a candidate, with a password, can be tested by"
    " `POST /accounts:test` and connected by `POST /accounts`.",
    opt={KIND: "discover", UNKEPT: True},
)
async def discover(request: Asking, data: JSONBody[AddressToDiscover]) -> Discovery:
    found = await discover_servers(data.email, request.app.state.discovery_means)
    return _shown(data.email, found)


def means(settings: Settings) -> Means:
    """With what is looked, as the operator says."""
    return Means(
        slots=asyncio.Semaphore(settings.discoveries),
        policy=settings.dial_policy,
        name_servers=[
            text for part in settings.discovery_name_servers.split(",") if (text := part.strip())
        ],
        seconds=settings.discovery_seconds,
    )


def router() -> Router:
    return Router("/discover", route_handlers=[discover], tags=["accounts"])


def _shown(email: str, found: Discovered) -> Discovery:
    def of(protocol: Protocol) -> list[ServerCandidate]:
        return [_candidate(one) for one in found.candidates if one.place.protocol is protocol]

    return Discovery(
        email=email,
        provider=None if found.provider is None else _provider(found.provider),
        warning=found.doubt,
        imap=of(Protocol.IMAP),
        smtp=of(Protocol.SMTP),
        asked=[_asked(one) for one in found.asked],
    )


def _candidate(one: Candidate) -> ServerCandidate:
    return ServerCandidate(
        server=DiscoveredServer(
            host=one.place.host,
            port=one.place.port,
            security=one.place.security,
            username=one.username,
        ),
        source=one.source,
        also=list(one.also),
        confidence=one.confidence,
        answered=one.answered,
        to_confirm=one.to_confirm,
        provider=one.provider,
        sign_in=list(one.sign_in),
        oauth2=one.oauth2,
        first=[_step(step) for step in one.first],
    )


def _provider(provider: Provider) -> KnownProvider:
    return KnownProvider(
        name=provider.name,
        title=provider.title,
        sign_in=list(provider.sign_in),
        oauth2=provider.oauth2,
        first=[_step(step) for step in provider.first],
    )


def _step(step: Step) -> FirstStep:
    return FirstStep(kind=step.kind, text=step.text, link=step.link, only_for=step.only_for)


def _asked(one: Asked) -> AskedSource:
    return AskedSource(source=one.source, result=one.result, milliseconds=one.milliseconds)
