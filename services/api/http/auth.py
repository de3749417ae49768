"""/auth: register, sign in, stay signed in, sign out."""

from typing import Annotated, Any, Literal

from litestar import Request, Router, post
from litestar.params import JSONBody
from msgspec import Struct
from pydantic import Field, SecretStr

from services.api.actions.register_person import register_person
from services.api.actions.renew_session import renew_session
from services.api.actions.sessions import SignedIn
from services.api.actions.sign_in import sign_in
from services.api.actions.sign_out import sign_out
from services.api.domain.addresses import NotAnAddress, address_spec
from services.api.domain.refusals import RegistrationClosed, SignInRefused, TooManyAttempts
from services.api.http.bodies import Body, EmailAddress, Name
from services.api.http.limits import attempt
from services.api.http.signed_in import Asking, signed_in, world_of
from services.api.metrics import SIGN_INS
from shared.contracts.ids import Kind, shown

_LONGEST_BODY = 16 * 1024  # anybody may send one

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


@post("/register", summary="Register: a new tenant with you as its owner")
async def register(request: Request[Any, Any, Any], data: JSONBody[Registration]) -> Tokens:
    world = world_of(request)
    if world.settings.registration == "closed":
        raise RegistrationClosed
    await attempt(request, "register")
    return _tokens(
        await register_person(
            world.pool,
            world.issuer,
            email=data.email,
            name=data.name,
            password=data.password.get_secret_value(),
        )
    )


@post("/login", status_code=200, summary="Sign in")
async def login(request: Request[Any, Any, Any], data: JSONBody[Credentials]) -> Tokens:
    world = world_of(request)
    try:
        await attempt(request, "login-client")
        # One bucket for an address, however it is written.
        email = address_spec(data.email)
        await attempt(request, "login", at=email.casefold())
        signed = await sign_in(
            world.pool, world.issuer, email=email, password=data.password.get_secret_value()
        )
    except TooManyAttempts:
        SIGN_INS.labels("throttled").inc()
        raise
    except (SignInRefused, NotAnAddress) as error:
        SIGN_INS.labels("refused").inc()
        raise SignInRefused from error
    SIGN_INS.labels("ok").inc()
    return _tokens(signed)


@post("/refresh", status_code=200, summary="New tokens for a refresh token, which is used up")
async def refresh(request: Request[Any, Any, Any], data: JSONBody[Renewal]) -> Tokens:
    world = world_of(request)
    return _tokens(
        await renew_session(
            world.pool, world.issuer, refresh_token=data.refresh_token.get_secret_value()
        )
    )


@post("/logout", status_code=204, guards=[signed_in], summary="Sign out: end this session")
async def logout(request: Asking) -> None:
    await sign_out(world_of(request).pool, request.user.claims)


def router() -> Router:
    return Router(
        "/auth",
        route_handlers=[register, login, refresh, logout],
        request_max_body_size=_LONGEST_BODY,
        tags=["auth"],
    )


def _tokens(signed: SignedIn) -> Tokens:
    person = signed.person
    return Tokens(
        access_token=signed.access_token,
        token_type="Bearer",  # noqa: S106 - RFC 6750
        expires_in=signed.expires_in_seconds,
        refresh_token=signed.refresh_token,
        user=Named(id=shown(Kind.USER, person.person_id), name=person.name, email=person.email),
        tenant=Named(id=shown(Kind.TENANT, person.tenant_id), name=person.tenant_name),
    )
