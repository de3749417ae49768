"""Limits at the door: who asks, of which kind of request, and what answers say of it.

`RateLimit` and `RateLimit-Policy` are as draft-ietf-httpapi-ratelimit-headers-10 has them.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from services.api.domain.limits import Limit, Standing
from services.api.domain.refusals import Refused, TooManyAttempts, TooManyOfTenant, TooManyRequests
from services.api.metrics import LIMITED
from services.api.settings import Settings
from services.api.world import World

#: What a handler's `opt` says of its kind; without it, reads read and others write.
KIND = "limit"
_STANDINGS = "postbus_standings"
_READING = frozenset({"GET", "HEAD"})
_HOUR = 3600
#: What the whole tenant may ask, where the operator has set that.
TENANT = "tenant"


class Policies:
    """The limits as the operator has set them, by name."""

    def __init__(self, settings: Settings) -> None:
        def per_minute(name: str, most: int) -> Limit:
            return Limit(name=name, most=most, seconds=60)

        limits = (
            per_minute("client", settings.client_requests_per_minute),
            per_minute("read", settings.reads_per_minute),
            per_minute("write", settings.writes_per_minute),
            per_minute("search", settings.searches_per_minute),
            per_minute("test", settings.account_tests_per_minute),
            per_minute("discover", settings.discoveries_per_minute),
            per_minute("connect", settings.account_tests_per_minute * 3),
            per_minute("image", settings.images_per_minute),
            per_minute("login", settings.sign_ins_per_minute),
            per_minute("login-client", settings.client_sign_ins_per_minute),
            per_minute("register", settings.registrations_per_minute),
            Limit(name="send", most=settings.sends_per_hour, seconds=_HOUR),
        )
        self._limits = {limit.name: limit for limit in limits}

    def __getitem__(self, name: str) -> Limit:
        return self._limits[name]


async def within_limits(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Before anything else: no client asks for more than many people behind one address would."""
    world, policies = _at(connection)
    _note(connection, await world.limits.spend(policies["client"], client_of(connection)))


async def spend_as(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler, person: str
) -> None:
    """Count this request among this person's of its kind."""
    world, policies = _at(connection)
    scope: Any = connection.scope
    kind = handler.opt.get(KIND) or ("read" if scope["method"] in _READING else "write")
    limit = policies[kind]
    _note(connection, await world.limits.spend(limit, person))


async def spend_of_tenant(
    connection: ASGIConnection[Any, Any, Any, Any], tenant: str, most: int
) -> None:
    """Count this request among all of its tenant's, which the operator has set a limit to."""
    world, _ = _at(connection)
    limit = Limit(name=TENANT, most=most, seconds=60)
    _note(connection, await world.limits.spend(limit, tenant), TooManyOfTenant)


def standing_of(connection: ASGIConnection[Any, Any, Any, Any], name: str) -> Standing | None:
    """How this request found a limit that it was counted in."""
    scope: Any = connection.scope
    standings: list[Standing] = scope.get(_STANDINGS, [])
    return next((one for one in standings if one.limit.name == name), None)


async def spend_sending(connection: ASGIConnection[Any, Any, Any, Any], person: str) -> None:
    """Count a message among those this person sends, once it is known to be asked well."""
    world, policies = _at(connection)
    _note(connection, await world.limits.spend(policies["send"], person))


async def spend_as_client(connection: ASGIConnection[Any, Any, Any, Any], kind: str) -> None:
    """Count this request among its client's of a kind."""
    world, policies = _at(connection)
    standing = await world.limits.spend(policies[kind], client_of(connection))
    _note(connection, standing, TooManyAttempts)


async def attempt(
    connection: ASGIConnection[Any, Any, Any, Any], kind: str, *, at: str = ""
) -> None:
    """Count an attempt of this client at something; exact over all replicas."""
    world, policies = _at(connection)
    standing = await world.limits.spend_exactly(
        policies[kind], f"{client_of(connection)} {at}".strip()
    )
    _note(connection, standing, TooManyAttempts)


def headers_of(scope: Any) -> list[tuple[bytes, bytes]]:
    """What an answer says of the limits that its request was counted in."""
    standings: list[Standing] | None = scope.get(_STANDINGS)
    if not standings:
        return []
    policy = ", ".join(
        f'"{one.limit.name}";q={one.limit.most};w={one.limit.seconds}' for one in standings
    )
    left = ", ".join(
        f'"{one.limit.name}";r={one.left};t={one.retry_after_seconds}' for one in standings
    )
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]


def client_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Who asks, as far as the network tells: an IPv6 host has a whole /64 to choose from."""
    return _client_at(connection.client.host if connection.client else "")


@lru_cache(maxsize=8192)
def _client_at(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return host


def _at(connection: ASGIConnection[Any, Any, Any, Any]) -> tuple[World, Policies]:
    state = connection.app.state
    return state.world, state.policies


def _note(
    connection: ASGIConnection[Any, Any, Any, Any],
    standing: Standing,
    refused: type[Refused] = TooManyRequests,
) -> None:
    scope: Any = connection.scope
    scope.setdefault(_STANDINGS, []).append(standing)
    if not standing.allowed:
        LIMITED.labels(standing.limit.name).inc()
        raise refused(retry_after_seconds=standing.retry_after_seconds)
