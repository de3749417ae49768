"""/oauth-providers: where people may consent to their mail being read and sent."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from litestar import Router, delete, get, put
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from services.api.actions.configure_provider import configure_provider, remove_provider
from services.api.domain.consents import is_web_address
from services.api.domain.refusals import NotFound, PlaintextRefused
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, Host, Line
from services.api.http.repeating import UNKEPT
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, world_of
from services.api.store import oauth_providers
from services.api.store.oauth_providers import OwnProvider
from shared.contracts.account import Security
from shared.contracts.oauth import MailServer, Provider
from shared.db import tenant_transaction


def _web_address(url: str) -> str:
    if not is_web_address(url):
        raise ValueError("This is not an https address.")
    return url


WebUrl = Annotated[
    Line, StringConstraints(min_length=1, max_length=1000), AfterValidator(_web_address)
]
_Text = Annotated[Line, StringConstraints(min_length=1, max_length=500)]


class ProviderServer(Body):
    """A mail server that takes this provider's access tokens."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    security: Security = Security.TLS


class NewOAuthProvider(Body):
    """A client of yours at a provider."""

    label: Annotated[Line, StringConstraints(min_length=1, max_length=100)] = Field(
        description="What people call it."
    )
    client_id: _Text
    client_secret: Annotated[SecretStr, Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="Never shown again. Left out, the one it has stays, as long as `client_id` and"
        " `token_endpoint` do.",
    )
    authorization_endpoint: WebUrl
    token_endpoint: WebUrl
    scopes: Annotated[list[_Text], Field(min_length=1, max_length=30)]
    imap: ProviderServer
    smtp: ProviderServer
    parameters: Annotated[dict[_Text, _Text], Field(max_length=10)] = Field(
        default_factory=dict, description="More that its authorization endpoint wants."
    )
    client_authentication: Literal["post", "basic"] = "post"
    revocation_endpoint: WebUrl | None = Field(
        default=None,
        description="Where it ends a consent (RFC 7009) when an account is removed.",
    )


class ShownProviderServer(Struct, frozen=True, kw_only=True):
    """A mail server that takes this provider's access tokens."""

    host: str
    port: int
    security: Security


class OAuthProvider(Struct, frozen=True, kw_only=True):
    """Where people may consent. `own`: the tenant's client, and not the installation's."""

    name: str
    label: str
    own: bool
    client_id: str
    has_secret: bool | None  # null: the installation's affair
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str | None
    scopes: list[str]
    imap: ShownProviderServer
    smtp: ShownProviderServer


class OAuthProviders(Struct, frozen=True, kw_only=True):
    """All that may be used in this tenant."""

    items: list[OAuthProvider]


@get("", summary="List OAuth2 providers", security=needs(Scope.ACCOUNT_ADMIN))
async def list_all(request: Asking) -> OAuthProviders:
    """Those of the installation, and the tenant's own, which stand in their place."""
    world, caller = world_of(request), request.user.caller
    async with tenant_transaction(world.request_pool, caller) as connection:
        own = await oauth_providers.all_of(connection, caller.tenant_id)
    shown = {name: _shown(one, None) for name, one in world.settings.oauth_installed.items()}
    shown |= {name: _shown(one.provider, one) for name, one in own.items()}
    return OAuthProviders(items=[shown[name] for name in sorted(shown)])


@put(
    "/{name:str}",
    summary="Configure a client of yours at an OAuth2 provider",
    security=needs(Scope.TENANT_ADMIN),
    opt={UNKEPT: True},
)
async def configure(
    request: Asking, name: FromPath[str], data: JSONBody[NewOAuthProvider]
) -> OAuthProvider:
    """`name` is yours to choose: lower-case letters, digits and hyphens. One that is called as the
    installation's stands in its place.
    """
    if not _is_name(name):
        raise NotFound
    world = world_of(request)
    in_the_clear = [
        f"/{protocol}/security"
        for protocol, server in (("imap", data.imap), ("smtp", data.smtp))
        if server.security is Security.NONE
    ]
    if in_the_clear and not world.settings.allow_plaintext_passwords:
        raise PlaintextRefused(pointers=tuple(in_the_clear))
    own = await configure_provider(
        world.request_pool,
        request.user.caller,
        world.seals.sync,
        Provider(
            name=name,
            label=data.label,
            client_id=data.client_id,
            authorization_endpoint=data.authorization_endpoint,
            token_endpoint=data.token_endpoint,
            scopes=tuple(data.scopes),
            imap=_server(data.imap),
            smtp=_server(data.smtp),
            parameters=dict(data.parameters),
            client_authentication=data.client_authentication,
            revocation_endpoint=data.revocation_endpoint,
        ),
        data.client_secret.get_secret_value() if data.client_secret else None,
        datetime.now(UTC),
    )
    await world.committed({}, told=True)
    return _shown(own.provider, own)


@delete(
    "/{name:str}",
    status_code=204,
    summary="Remove a client of yours; accounts that use it have to consent anew",
    security=needs(Scope.TENANT_ADMIN),
)
async def remove(request: Asking, name: FromPath[str]) -> None:
    world = world_of(request)
    await remove_provider(world.request_pool, request.user.caller, name, datetime.now(UTC))
    await world.committed({}, told=True)


def router() -> Router:
    return Router(
        "/oauth-providers", route_handlers=[list_all, configure, remove], tags=["accounts"]
    )


def _is_name(name: str) -> bool:
    return (
        0 < len(name) <= 32
        and name.isascii()
        and all(c.islower() or c.isdigit() or c == "-" for c in name)
        and not name.startswith("-")
    )


def _server(given: ProviderServer) -> MailServer:
    return MailServer(host=given.host, port=given.port, security=given.security)


def _shown(provider: Provider, own: OwnProvider | None) -> OAuthProvider:
    return OAuthProvider(
        name=provider.name,
        label=provider.label,
        own=own is not None,
        client_id=provider.client_id,
        has_secret=own.has_secret if own else None,
        authorization_endpoint=provider.authorization_endpoint,
        token_endpoint=provider.token_endpoint,
        revocation_endpoint=provider.revocation_endpoint,
        scopes=list(provider.scopes),
        imap=_shown_server(provider.imap),
        smtp=_shown_server(provider.smtp),
    )


def _shown_server(server: MailServer) -> ShownProviderServer:
    return ShownProviderServer(host=server.host, port=server.port, security=server.security)
