"""/tenant and /deletions: the tenant itself, and the end of it or of oneself in it."""

from datetime import timedelta
from typing import Annotated, Any

from litestar import Request, Response, Router, get, patch, post, put
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from pydantic import Field, SecretStr

from services.api.actions.change_password import prove_own_password
from services.api.actions.delete_tenant import delete_person, delete_tenant
from services.api.actions.prove_deletion import Proof, prove_deletion
from services.api.domain.refusals import NotFound, NotPermitted
from services.api.domain.rights import Role, Scope
from services.api.http.auth import guess_again
from services.api.http.bodies import Body, Name
from services.api.http.limits import TENANT, standing_of
from services.api.http.moments import Moment
from services.api.http.oauth_providers import WebUrl
from services.api.http.scopes import OPEN, needs, needs_session
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import quotas, tenants
from services.api.store.deletions import Deletion
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction


class ChangedTenant(Body):
    """What is to be different about the tenant."""

    name: Name


class ReturnUrls(Body):
    """Where connect links may lead people at their end, whatever the query."""

    urls: Annotated[list[WebUrl], Field(max_length=50)]


class Farewell(Body):
    """One's password: that it is really you who asks."""

    password: SecretStr


class Tenant(Struct, frozen=True, kw_only=True):
    """The tenant that a session or token speaks for."""

    id: str
    name: str
    created_at: Moment


class ShownReturnUrls(Struct, frozen=True, kw_only=True):
    """Where connect links may lead people at their end."""

    urls: list[str]


class Share(Struct, frozen=True, kw_only=True):
    """What is used of something; `limit` null: there is none."""

    used: int
    limit: int | None


class Usage(Struct, frozen=True, kw_only=True):
    """What the tenant has of what it may have."""

    accounts: Share
    storage_bytes: Share  # mail and uploads
    storage_counted_at: Moment | None  # counted now and then; null: not yet
    sends_per_day: Share  # within the last 24 hours
    requests_per_minute: Share | None  # of everybody together; null: it has no limit of its own


class AskedDeletion(Struct, frozen=True, kw_only=True):
    """What was asked to be forgotten. Keep `id`: it shows what is left, without signing in."""

    id: str
    asked_at: Moment
    tenant_id: str
    user_id: str | None  # null: the whole tenant
    proof: str


class AskedDeletions(Struct, frozen=True, kw_only=True):
    """What was asked to be forgotten, in each tenant."""

    items: list[AskedDeletion]


class ShownDeletion(Struct, frozen=True, kw_only=True):
    """What is left of what was deleted, counted now."""

    id: str
    asked_at: Moment
    tenant_id: str
    user_id: str | None
    done: bool
    rows: dict[str, int | None]  # by service; null: it did not answer
    dead_letters: int | None  # on the bus; null where a tenant goes on
    backups_until: Moment  # so long, backups of the database still hold it


@get("", security=needs(), summary="The tenant that this session or token speaks for")
async def read(request: Asking) -> Tenant:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        return _tenant(await tenants.by_id(connection, caller.tenant_id))


@get("/usage", security=needs(), summary="What the tenant has of what it may have")
async def read_usage(request: Asking) -> Usage:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await quotas.usage(connection, caller.tenant_id)
    asked = standing_of(request, TENANT)
    return Usage(
        accounts=Share(used=found.accounts, limit=found.quotas.accounts),
        storage_bytes=Share(used=found.storage_bytes, limit=found.quotas.storage_bytes),
        storage_counted_at=found.storage_counted_at,
        sends_per_day=Share(used=found.sends_per_day, limit=found.quotas.sends_per_day),
        requests_per_minute=asked
        and Share(used=asked.limit.most - asked.left, limit=asked.limit.most),
    )


@patch("", security=needs(Scope.TENANT_ADMIN), summary="Give the tenant another name")
async def change(request: Asking, data: JSONBody[ChangedTenant]) -> Tenant:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        renamed = request.user.claims.did("tenant.renamed", subject=data.name)
        return _tenant(await tenants.rename(connection, caller.tenant_id, data.name, renamed))


@get(
    "/connect-return-urls",
    security=needs(Scope.ACCOUNT_ADMIN),
    summary="Where connect links may lead people at their end",
)
async def read_return_urls(request: Asking) -> ShownReturnUrls:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        return ShownReturnUrls(urls=await tenants.return_urls(connection, caller.tenant_id))


@put(
    "/connect-return-urls",
    security=needs(Scope.TENANT_ADMIN),
    summary="Say where connect links may lead people at their end",
)
async def put_return_urls(request: Asking, data: JSONBody[ReturnUrls]) -> ShownReturnUrls:
    caller = request.user.caller
    said = request.user.claims.did("tenant.return_urls_changed", details={"urls": data.urls})
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        await tenants.put_return_urls(connection, caller.tenant_id, data.urls, said)
    return ShownReturnUrls(urls=data.urls)


@post(
    "/deletion",
    security=needs_session(Scope.TENANT_ADMIN),
    status_code=202,
    summary="Delete the tenant, with everybody and everything in it",
    description="Only an owner. At once nobody signs in there; every service then deletes what it"
    " has. What is on the mail servers stays there.",
)
async def end_tenant(request: Asking, data: JSONBody[Farewell]) -> Response[AskedDeletion]:
    world, identity = world_of(request), request.user
    if identity.role is not Role.OWNER:
        raise NotPermitted("Only an owner deletes a tenant.")
    await guess_again(request)
    password = data.password.get_secret_value()
    await prove_own_password(world.pool, world.hashing, identity.claims, password, "/password")
    deletion = await delete_tenant(world.pool, identity.claims.tenant_id)
    if deletion is None:
        raise NotFound
    await world.committed({}, told=True)
    world.to_forget.set()
    asked = _asked(deletion)
    return Response(asked, status_code=202, headers={"Location": asked.proof})


@post(
    "/deletion",
    security=needs_session(),
    status_code=202,
    summary="Delete yourself: your accounts, sessions and tokens in every tenant",
    description="A tenant that is yours alone goes with you.",
)
async def end_person(request: Asking, data: JSONBody[Farewell]) -> AskedDeletions:
    world, identity = world_of(request), request.user
    await guess_again(request)
    password = data.password.get_secret_value()
    await prove_own_password(world.pool, world.hashing, identity.claims, password, "/password")
    made, grew = await delete_person(world.pool, identity.claims)
    await world.committed(grew, told=True)
    world.to_forget.set()
    return AskedDeletions(items=[_asked(deletion) for deletion in made])


@get(
    "/{deletion_id:str}",
    security=OPEN,
    summary="What is left of what was deleted, and in backups until when",
)
async def proof(request: Request[Any, Any, Any], deletion_id: FromPath[str]) -> ShownDeletion:
    world = world_of(request)
    found = await prove_deletion(world.pool, world.bus, id_of(Kind.DELETION, deletion_id))
    return _proof(found, timedelta(days=world.settings.backup_days))


def routers() -> list[Router]:
    return [
        Router(
            "/tenant",
            route_handlers=[
                read,
                change,
                read_usage,
                read_return_urls,
                put_return_urls,
                end_tenant,
            ],
            tags=["tenant"],
        ),
        Router("/me", route_handlers=[end_person], tags=["me"]),
    ]


def proofs() -> Router:
    return Router("/deletions", route_handlers=[proof], tags=["tenant"])


def _tenant(found: tenants.Tenant | None) -> Tenant:
    if found is None:
        raise NotFound
    return Tenant(
        id=shown(Kind.TENANT, found.tenant_id), name=found.name, created_at=found.created_at
    )


def _asked(deletion: Deletion) -> AskedDeletion:
    shown_id = shown(Kind.DELETION, deletion.deletion_id)
    return AskedDeletion(
        id=shown_id,
        asked_at=deletion.asked_at,
        tenant_id=shown(Kind.TENANT, deletion.tenant_id),
        user_id=deletion.person_id and shown(Kind.USER, deletion.person_id),
        proof=f"/api/v1/deletions/{shown_id}",
    )


def _proof(found: Proof, backups: timedelta) -> ShownDeletion:
    deletion = found.deletion
    return ShownDeletion(
        id=shown(Kind.DELETION, deletion.deletion_id),
        asked_at=deletion.asked_at,
        tenant_id=shown(Kind.TENANT, deletion.tenant_id),
        user_id=deletion.person_id and shown(Kind.USER, deletion.person_id),
        done=found.is_done,
        rows=found.rows,
        dead_letters=found.dead_letters,
        backups_until=deletion.asked_at + backups,
    )
