"""/accounts/{account_id}/sharing: who sees a mail account beside whom it belongs to."""

from typing import Annotated
from uuid import UUID

from litestar import Router, get, put
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from pydantic import Field, StringConstraints

from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.bodies import Body
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import audit_log, members
from shared.contracts.ids import Kind, NotAnId, read, shown
from shared.db import tenant_transaction

_MOST_MEMBERS = 500


class ChangedSharing(Body):
    """With whom an account is shared from now on. Nobody: it is private."""

    everyone: bool = Field(default=False, description="Every member of the tenant.")
    members: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=64)], ...],
        Field(max_length=_MOST_MEMBERS),
    ] = ()


class Sharing(Struct, frozen=True, kw_only=True):
    """Whose an account is, and who else sees it; what they may do there, their role says."""

    owner: str | None  # null: they have left, and the tenant's owners see it
    everyone: bool
    members: list[str]


@get("/{account_id:str}/sharing", security=needs(Scope.MAIL_READ), summary="Who sees an account")
async def sharing(request: Asking, account_id: FromPath[str]) -> Sharing:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await members.sharing_of(
            connection, caller.tenant_id, id_of(Kind.ACCOUNT, account_id)
        )
    if found is None:
        raise NotFound
    return _sharing(found)


@put(
    "/{account_id:str}/sharing",
    security=needs(Scope.ACCOUNT_ADMIN),
    summary="Share an account with members, or make it private",
)
async def share(
    request: Asking, account_id: FromPath[str], data: JSONBody[ChangedSharing]
) -> Sharing:
    caller = request.user.caller
    shared = id_of(Kind.ACCOUNT, account_id)
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        there = {each.person_id for each in await members.all_of(connection, caller.tenant_id)}
        chosen: list[UUID] = []
        errors: list[FieldProblem] = []
        for place, text in enumerate(data.members):
            try:
                person_id = read(Kind.USER, text)
            except NotAnId:
                person_id = None
            if person_id is not None and person_id in there:
                chosen.append(person_id)
            else:
                errors.append(
                    FieldProblem(
                        pointer=f"/members/{place}",
                        message="There is no such member.",
                        code="not_found",
                    )
                )
        if errors:
            raise Invalid(errors)
        if not await members.share(
            connection,
            caller.tenant_id,
            shared,
            everyone=data.everyone,
            members=sorted(set(chosen)),
        ):
            raise NotFound
        found = await members.sharing_of(connection, caller.tenant_id, shared)
        done = request.user.claims.did(
            "account.shared",
            account_id=shared,
            subject=account_id,
            details={"everyone": data.everyone, "members": list(data.members)},
        )
        await audit_log.note(connection, done)
    if found is None:
        raise NotFound
    return _sharing(found)


def router() -> Router:
    return Router("/accounts", route_handlers=[sharing, share], tags=["accounts"])


def _sharing(found: members.Sharing) -> Sharing:
    return Sharing(
        owner=found.owner_id and shown(Kind.USER, found.owner_id),
        everyone=found.everyone,
        members=[shown(Kind.USER, person_id) for person_id in found.members],
    )
