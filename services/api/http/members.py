"""/members and /invitations: who belongs to a tenant, and who is asked to."""

from datetime import UTC, datetime
from typing import Annotated

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct
from pydantic import Field

from services.api.actions.change_member import appoint, let_go
from services.api.actions.invite_person import invite_person
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Role, Scope, may_appoint
from services.api.http.bodies import Body, EmailAddress
from services.api.http.moments import Moment
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.repeating import UNKEPT
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import audit_log
from services.api.store import members as store
from services.api.store.members import Invitation, Member
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction


class NewInvitation(Body):
    """Somebody to ask."""

    email: EmailAddress
    role: Role = Role.MEMBER


class ChangedMember(Body):
    """What a member is from now on."""

    role: Role = Field(description="Only an owner makes owners; one owner always stays.")


class ShownMember(Struct, frozen=True, kw_only=True):
    """Somebody who belongs to the tenant."""

    id: str
    email: str
    name: str
    role: Role
    joined_at: Moment


class Members(Struct, frozen=True, kw_only=True):
    """Everybody who belongs to the tenant, in the order in which they joined."""

    items: list[ShownMember]


class ShownInvitation(Struct, frozen=True, kw_only=True):
    """Somebody who was asked to join, and has not yet."""

    id: str
    email: str
    role: Role
    invited_by: str
    created_at: Moment
    expires_at: Moment


class Invitations(Struct, frozen=True, kw_only=True):
    """Invitations that are open, the newest first."""

    items: list[ShownInvitation]


class MadeInvitation(Struct, frozen=True, kw_only=True):
    """A new invitation, and the link to give to who is asked: it is shown this once.

    Where the server writes to people by itself, the link is in its mail alone.
    """

    invitation: ShownInvitation
    token: str | None
    link: str | None


@get("", security=needs(), summary="Who belongs to the tenant")
async def list_members(request: Asking) -> Members:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await store.all_of(connection, caller.tenant_id)
    return Members(items=[_member(member) for member in found])


@patch("/{user_id:str}", security=needs(Scope.TENANT_ADMIN), summary="Give a member another role")
async def change(
    request: Asking, user_id: FromPath[str], data: JSONBody[ChangedMember]
) -> ShownMember:
    identity = request.user
    return _member(
        await appoint(
            world_of(request).pool,
            identity.claims,
            identity.role,
            id_of(Kind.USER, user_id),
            data.role,
        )
    )


@delete(
    "/{user_id:str}",
    security=needs(Scope.TENANT_ADMIN),
    status_code=204,
    summary="Let a member go: their sessions and tokens here end",
    description="Their mail accounts are disconnected: our copy goes, the server's stays."
    " `accounts_to` gives them to another member instead.",
)
async def remove(
    request: Asking,
    user_id: FromPath[str],
    accounts_to: Annotated[
        str | None, QueryParameter(description="Who the accounts belong to from now on.")
    ] = None,
) -> None:
    world, identity = world_of(request), request.user
    grew = await let_go(
        world.pool,
        identity.claims,
        identity.role,
        id_of(Kind.USER, user_id),
        accounts_to=None if accounts_to is None else id_of(Kind.USER, accounts_to),
    )
    await world.committed(grew, told=True)
    world.to_forget.set()


@post(
    "",
    security=needs(Scope.TENANT_ADMIN),
    summary="Ask somebody to join",
    opt={UNKEPT: True},
    description="Whoever was asked before is asked anew, and the earlier link is good no more.",
)
async def invite(request: Asking, data: JSONBody[NewInvitation]) -> Response[MadeInvitation]:
    world, identity = world_of(request), request.user
    if not may_appoint(identity.role, data.role):
        message = "Only an owner makes somebody an owner."
        raise Invalid([FieldProblem(pointer="/role", message=message, code="not_permitted")])
    by_mail = world.settings.system_server is not None
    invitation, token = await invite_person(
        world.pool,
        identity.claims,
        email=data.email,
        role=data.role.value,
        lives=world.settings.invitation_lives,
        by_mail=by_mail,
    )
    if by_mail:
        world.to_mail.set()
    made = MadeInvitation(
        invitation=_invitation(invitation),
        token=None if by_mail else token,
        link=None if by_mail else world.settings.link("invitation", token),
    )
    return Response(made, status_code=201)


@get("", security=needs(Scope.TENANT_ADMIN), summary="Invitations that are open")
async def list_invitations(request: Asking) -> Invitations:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await store.invitations(connection, caller.tenant_id, datetime.now(UTC))
    return Invitations(items=[_invitation(invitation) for invitation in found])


@delete(
    "/{invitation_id:str}",
    security=needs(Scope.TENANT_ADMIN),
    status_code=204,
    summary="Withdraw an invitation: its link is good no more",
)
async def withdraw(request: Asking, invitation_id: FromPath[str]) -> None:
    caller = request.user.caller
    asked = id_of(Kind.INVITATION, invitation_id)
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        email = await store.withdraw(connection, caller.tenant_id, asked)
        if email is None:
            raise NotFound
        withdrawn = request.user.claims.did("invitation.withdrawn", subject=email)
        await audit_log.note(connection, withdrawn)


def routers() -> list[Router]:
    return [
        Router("/members", route_handlers=[list_members, change, remove], tags=["tenant"]),
        Router(
            "/invitations", route_handlers=[invite, list_invitations, withdraw], tags=["tenant"]
        ),
    ]


def _member(member: Member) -> ShownMember:
    return ShownMember(
        id=shown(Kind.USER, member.person_id),
        email=member.email,
        name=member.name,
        role=Role(member.role),
        joined_at=member.joined_at,
    )


def _invitation(invitation: Invitation) -> ShownInvitation:
    return ShownInvitation(
        id=shown(Kind.INVITATION, invitation.invitation_id),
        email=invitation.email,
        role=Role(invitation.role),
        invited_by=shown(Kind.USER, invitation.invited_by),
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
    )
