"""/auth: register, sign in, stay signed in, sign out."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, Router, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody
from msgspec import Struct
from pydantic import Field, SecretStr

from services.api.actions.accept_invitation import accept_invitation
from services.api.actions.follow_mailed_link import ask_reset, reset_password, verify_address
from services.api.actions.identify_caller import CookieShown
from services.api.actions.open_browser_session import open_browser_session
from services.api.actions.register_person import register_person
from services.api.actions.renew_session import renew_session
from services.api.actions.sessions import SignedIn
from services.api.actions.sign_in import sign_in
from services.api.actions.sign_out import sign_out, sign_out_everywhere
from services.api.domain.addresses import NotAnAddress, address_spec
from services.api.domain.refusals import (
    RegistrationClosed,
    SignInRefused,
    SystemMailOff,
    TooManyAttempts,
)
from services.api.http.bodies import Body, EmailAddress, Name
from services.api.http.client import described_client
from services.api.http.limits import attempt, client_of
from services.api.http.scopes import OPEN, needs_session
from services.api.http.signed_in import (
    COOKIE,
    LOOPBACK_COOKIE,
    Asking,
    is_loopback,
    refuse_foreign,
    signed_in,
    tenant_named,
    world_of,
)
from services.api.metrics import SIGN_INS
from services.api.store.people import Person
from shared.contracts.ids import Kind, shown

_LONGEST_BODY = 16 * 1024  # anybody may send one
_COOKIE_SECONDS = 400 * 24 * 3600  # the longest that browsers keep one

Password = Annotated[SecretStr, Field(min_length=8, max_length=1024)]


class Registration(Body):
    """Somebody who wants to begin."""

    email: EmailAddress
    password: Password
    name: Name = ""


class Credentials(Body):
    """Address and password."""

    email: Annotated[str, Field(max_length=320)]
    password: Annotated[SecretStr, Field(max_length=1024)]
    tenant_id: Annotated[str | None, Field(max_length=64)] = Field(
        default=None,
        description="Where somebody belongs to several: at which. Else the one that the tenant"
        " header names, the default one, or the first.",
    )


class Acceptance(Body):
    """What an invitation's link carries, and a password: one's own, or a new one."""

    token: Annotated[SecretStr, Field(max_length=200)]
    password: Password
    name: Name = ""


class ForgottenPassword(Body):
    """Whose password is forgotten."""

    email: Annotated[str, Field(max_length=320)]


class NewPassword(Body):
    """What the link carries that was sent, and the password from now on."""

    token: Annotated[SecretStr, Field(max_length=200)]
    password: Password
    end_api_tokens: bool = Field(
        default=False, description="Also your API tokens prove nothing any more, in any tenant."
    )


class Verification(Body):
    """What the link carries that was sent."""

    token: Annotated[SecretStr, Field(max_length=200)]


class Renewal(Body):
    """A refresh token, good once."""

    refresh_token: Annotated[SecretStr, Field(max_length=200)]


class Named(Struct, frozen=True, kw_only=True):
    """A person or a tenant."""

    id: str
    name: str
    email: str | None = None


class Tokens(Struct, frozen=True, kw_only=True):
    """What proves who you are."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int  # seconds
    refresh_token: str
    user: Named
    tenant: Named


class OpenedSession(Struct, frozen=True, kw_only=True):
    """Who has signed in; what proves it is in a cookie."""

    user: Named
    tenant: Named


@post("/register", security=OPEN, summary="Register: a new tenant with you as its owner")
async def register(request: Request[Any, Any, Any], data: JSONBody[Registration]) -> Tokens:
    world = world_of(request)
    if world.settings.registration != "open":
        raise RegistrationClosed
    await attempt(request, "register")
    registered = _tokens(
        await register_person(
            world.pool,
            world.hashing,
            world.issuer,
            email=data.email,
            name=data.name,
            password=data.password.get_secret_value(),
            client=described_client(request),
            allowed=world.settings.quotas,
            verify=world.settings.system_server is not None,
        )
    )
    world.to_mail.set()
    return registered


@post("/login", security=OPEN, status_code=200, summary="Sign in")
async def login(request: Request[Any, Any, Any], data: JSONBody[Credentials]) -> Tokens:
    world = world_of(request)
    async with _guessing(request, data) as (email, tenant_id):
        signed = await sign_in(
            world.pool,
            world.hashing,
            world.issuer,
            email=email,
            password=data.password.get_secret_value(),
            client=described_client(request),
            tenant_id=tenant_id,
            rather=world.settings.default_tenant_id,
            tell=world.settings.system_server is not None,
        )
    world.to_mail.set()
    return _tokens(signed)


@post(
    "/session",
    security=OPEN,
    status_code=200,
    summary="Sign in a browser: the session is in a cookie that no page can read",
)
async def open_session(
    request: Request[Any, Any, Any], data: JSONBody[Credentials]
) -> Response[OpenedSession]:
    # Else another site could sign somebody in as somebody else, and read what they then write.
    refuse_foreign(request)
    world = world_of(request)
    async with _guessing(request, data) as (email, tenant_id):
        opened = await open_browser_session(
            world.pool,
            world.hashing,
            email=email,
            password=data.password.get_secret_value(),
            client=described_client(request),
            lives=world.issuer.refresh_lives,
            tenant_id=tenant_id,
            rather=world.settings.default_tenant_id,
            tell=world.settings.system_server is not None,
        )
    world.to_mail.set()
    user, tenant = _named(opened.person)
    answer = Response(OpenedSession(user=user, tenant=tenant))
    answer.set_cookie(_cookie(request, opened.secret, _COOKIE_SECONDS))
    return answer


@post(
    "/refresh",
    security=OPEN,
    status_code=200,
    summary="New tokens for a refresh token, which is used up",
)
async def refresh(request: Request[Any, Any, Any], data: JSONBody[Renewal]) -> Tokens:
    world = world_of(request)
    return _tokens(
        await renew_session(
            world.pool, world.issuer, refresh_token=data.refresh_token.get_secret_value()
        )
    )


@post(
    "/logout",
    security=needs_session(),
    status_code=204,
    guards=[signed_in],
    summary="Sign out: end this session",
)
async def logout(request: Asking) -> Response[None]:
    await sign_out(world_of(request).pool, request.user.claims)
    answer = Response(None, status_code=204)
    if isinstance(request.user.proof, CookieShown):
        answer.set_cookie(_cookie(request, "", 0))
    return answer


@post(
    "/logout-everywhere",
    security=needs_session(),
    status_code=204,
    guards=[signed_in],
    summary="Sign out everywhere: end every session of yours, this one too",
)
async def logout_everywhere(request: Asking) -> Response[None]:
    await sign_out_everywhere(world_of(request).pool, request.user.claims)
    answer = Response(None, status_code=204)
    if isinstance(request.user.proof, CookieShown):
        answer.set_cookie(_cookie(request, "", 0))
    return answer


def router() -> Router:
    return Router(
        "/auth",
        route_handlers=[
            register,
            accept,
            forgot_password,
            reset,
            verify,
            login,
            open_session,
            refresh,
            logout,
            logout_everywhere,
        ],
        request_max_body_size=_LONGEST_BODY,
        tags=["auth"],
    )


def _tokens(signed: SignedIn) -> Tokens:
    user, tenant = _named(signed.person)
    return Tokens(
        access_token=signed.access_token,
        token_type="Bearer",  # noqa: S106 - RFC 6750
        expires_in=signed.expires_in_seconds,
        refresh_token=signed.refresh_token,
        user=user,
        tenant=tenant,
    )


def _named(person: Person) -> tuple[Named, Named]:
    return (
        Named(id=shown(Kind.USER, person.person_id), name=person.name, email=person.email),
        Named(id=shown(Kind.TENANT, person.tenant_id), name=person.tenant_name),
    )


def _cookie(request: Request[Any, Any, Any], secret: str, seconds: int) -> Cookie:
    """The session's cookie. How long it is kept matters little: the session decides."""
    bare = is_loopback(request) and request.url.scheme == "http"
    return Cookie(
        key=LOOPBACK_COOKIE if bare else COOKIE,
        value=secret,
        max_age=seconds,
        path="/",
        secure=not bare,
        httponly=True,
        samesite="strict",
    )


@post(
    "/accept-invitation",
    security=OPEN,
    status_code=200,
    summary="Join a tenant that you were invited to",
    description="Somebody new chooses a password; who has registered already gives theirs.",
)
async def accept(request: Request[Any, Any, Any], data: JSONBody[Acceptance]) -> Tokens:
    world = world_of(request)
    await attempt(request, "login-client")
    return _tokens(
        await accept_invitation(
            world.pool,
            world.hashing,
            world.issuer,
            token=data.token.get_secret_value(),
            name=data.name,
            password=data.password.get_secret_value(),
            client=described_client(request),
            new_people=world.settings.registration != "closed",
            mailed=world.settings.system_server is not None,
        )
    )


@post(
    "/forgot-password",
    security=OPEN,
    status_code=202,
    summary="Have a link sent to choose a new password",
    description="The answer is the same whether somebody has this address or not.",
)
async def forgot_password(
    request: Request[Any, Any, Any], data: JSONBody[ForgottenPassword]
) -> None:
    world = world_of(request)
    if world.settings.system_server is None:
        raise SystemMailOff
    await attempt(request, "login-client")
    try:
        email = address_spec(data.email)
    except NotAnAddress:
        return  # nobody's, and that is not said either
    await attempt(request, "login", at=email.casefold())
    await ask_reset(world.pool, email)
    world.to_mail.set()


@post(
    "/reset-password",
    security=OPEN,
    status_code=204,
    summary="Choose a new password by the link that was sent; every session of yours ends",
)
async def reset(request: Request[Any, Any, Any], data: JSONBody[NewPassword]) -> None:
    await attempt(request, "login-client")
    world = world_of(request)
    await reset_password(
        world.pool,
        world.hashing,
        token=data.token.get_secret_value(),
        password=data.password.get_secret_value(),
        end_tokens=data.end_api_tokens,
        address=client_of(request),
    )


@post(
    "/verify-email",
    security=OPEN,
    status_code=204,
    summary="Show, by the link that was sent, that an address is yours",
)
async def verify(request: Request[Any, Any, Any], data: JSONBody[Verification]) -> None:
    await attempt(request, "login-client")
    await verify_address(world_of(request).pool, data.token.get_secret_value())


@asynccontextmanager
async def _guessing(
    request: Request[Any, Any, Any], data: Credentials
) -> AsyncGenerator[tuple[str, UUID | None]]:
    """Within it somebody tries a password: slowed down, counted, and refused in one way only."""
    try:
        await attempt(request, "login-client")
        # One bucket for an address, however it is written.
        email = address_spec(data.email)
        await attempt(request, "login", at=email.casefold())
        named = data.tenant_id or request.headers.get(world_of(request).settings.tenant_header)
        yield email, None if named is None else tenant_named(named, SignInRefused)
    except TooManyAttempts:
        SIGN_INS.labels("throttled").inc()
        raise
    except (SignInRefused, NotAnAddress) as error:
        SIGN_INS.labels("refused").inc()
        raise SignInRefused from error
    SIGN_INS.labels("ok").inc()


async def guess_again(request: Asking) -> None:
    """Somebody signed in tries their password: slowed down as who signs in; TooManyAttempts."""
    await attempt(request, "login-client")
    await attempt(request, "login", at=str(request.user.claims.person_id))
