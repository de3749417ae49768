"""/me: who one is, where one is signed in, and one's password."""

from datetime import UTC, datetime

from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from pydantic import Field, SecretStr

from services.api.actions.change_password import change_password
from services.api.actions.follow_mailed_link import ask_verification
from services.api.domain.refusals import NotFound, SystemMailOff, TokenRefused
from services.api.domain.rights import Role, Scope
from services.api.http.auth import Password, guess_again
from services.api.http.bodies import Body, Name
from services.api.http.limits import attempt
from services.api.http.moments import Moment
from services.api.http.scopes import needs, needs_session
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import audit_log, people, sessions
from services.api.store.sessions import Session
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction


class Belonging(Struct, frozen=True, kw_only=True):
    """A tenant you belong to, and as what."""

    id: str
    name: str
    role: Role


class Me(Struct, frozen=True, kw_only=True):
    """Who you are, and what you may do here and now."""

    id: str
    email: str
    email_verified: bool
    name: str
    tenant: Belonging  # the one that this session or token speaks for
    tenants: list[Belonging]  # sign in with `tenant_id` for another one
    scopes: list[Scope]
    token_id: str | None  # where an API token asks


class ShownSession(Struct, frozen=True, kw_only=True):
    """Somewhere you are signed in."""

    id: str
    current: bool
    client: str  # as the program called itself
    address: str  # from where it signed in
    created_at: Moment
    used_at: Moment
    expires_at: Moment  # unless it is used before


class Sessions(Struct, frozen=True, kw_only=True):
    """Wherever you are signed in, the one used last first."""

    items: list[ShownSession]


class ChangedPassword(Body):
    """A new password, and the one that it replaces."""

    current_password: SecretStr
    new_password: Password
    end_api_tokens: bool = Field(
        default=False, description="Also your API tokens prove nothing any more, in any tenant."
    )


class ChangedMe(Body):
    """What is to be different about yourself."""

    name: Name


@get("", security=needs(), summary="Who you are, and what you may do")
async def me(request: Asking) -> Me:
    return await _me(request)


@patch("", security=needs_session(), summary="Say what you are called")
async def change_me(request: Asking, data: JSONBody[ChangedMe]) -> Me:
    """In every tenant you belong to; identities of accounts have names of their own."""
    who = request.user.claims
    async with world_of(request).pool.acquire() as connection, connection.transaction():
        await people.rename(connection, who.person_id, data.name)
        await audit_log.note(connection, who.did("person.renamed"))
    return await _me(request)


async def _me(request: Asking) -> Me:
    who = request.user.claims
    async with world_of(request).pool.acquire() as connection:
        person = await people.member(connection, who.tenant_id, who.person_id)
        belongings = await people.tenants_of(connection, who.person_id)
    if person is None:
        raise TokenRefused
    tenants = [
        Belonging(id=shown(Kind.TENANT, each.tenant_id), name=each.name, role=Role(each.role))
        for each in belongings
    ]
    here = shown(Kind.TENANT, who.tenant_id)
    return Me(
        id=shown(Kind.USER, person.person_id),
        email=person.email,
        email_verified=person.email_verified_at is not None,
        name=person.name,
        tenant=Belonging(id=here, name=person.tenant_name, role=request.user.role),
        # A token speaks for one tenant, and tells of no other.
        tenants=[each for each in tenants if each.id == here or not request.user.by_token],
        scopes=sorted(request.user.scopes),
        token_id=who.token_id and shown(Kind.TOKEN, who.token_id),
    )


@get("/sessions", security=needs_session(), summary="Wherever you are signed in")
async def list_sessions(request: Asking) -> Sessions:
    who = request.user.claims
    async with tenant_transaction(world_of(request).request_pool, request.user.caller) as each:
        found = await sessions.all_of(each, who.tenant_id, who.person_id, datetime.now(UTC))
    return Sessions(items=[_session(session, request) for session in found])


@delete(
    "/sessions/{session_id:str}",
    security=needs_session(),
    status_code=204,
    summary="Sign out somewhere else",
)
async def end_session(request: Asking, session_id: FromPath[str]) -> None:
    who = request.user.claims
    ended = id_of(Kind.SESSION, session_id)
    async with tenant_transaction(world_of(request).request_pool, request.user.caller) as each:
        if not await sessions.revoke(each, who.tenant_id, who.person_id, ended, datetime.now(UTC)):
            raise NotFound
        await audit_log.note(each, who.did("session.ended", subject=session_id))


@post(
    "/password",
    security=needs_session(),
    status_code=204,
    summary="Change your password; every other session of yours ends",
)
async def password(request: Asking, data: JSONBody[ChangedPassword]) -> None:
    who = request.user.claims
    await guess_again(request)
    world = world_of(request)
    await change_password(
        world.pool,
        world.hashing,
        who,
        current=data.current_password.get_secret_value(),
        new=data.new_password.get_secret_value(),
        end_tokens=data.end_api_tokens,
    )


@post(
    "/verify-email",
    security=needs_session(),
    status_code=202,
    summary="Have the link sent again by which you show that your address is yours",
)
async def verify_again(request: Asking) -> None:
    world = world_of(request)
    if world.settings.system_server is None:
        raise SystemMailOff
    person_id = request.user.claims.person_id
    await attempt(request, "login", at=str(person_id))
    await ask_verification(world.pool, person_id)
    world.to_mail.set()


def router() -> Router:
    return Router(
        "/me",
        route_handlers=[me, change_me, list_sessions, end_session, password, verify_again],
        tags=["me"],
    )


def _session(session: Session, request: Asking) -> ShownSession:
    return ShownSession(
        id=shown(Kind.SESSION, session.session_id),
        current=session.session_id == request.user.claims.session_id,
        client=session.client,
        address=session.address,
        created_at=session.created_at,
        used_at=session.used_at,
        expires_at=session.expires_at,
    )
