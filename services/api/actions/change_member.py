"""Make a member something else in their tenant, or let them go."""

from datetime import UTC, datetime
from uuid import UUID

from services.api.actions.disconnecting import disconnect
from services.api.actions.identify_caller import Who
from services.api.domain.logbook import Entry
from services.api.domain.refusals import LastOwner, NotFound, NotPermitted
from services.api.domain.rights import Role, may_appoint
from services.api.store import audit_log, log, members
from services.api.store.members import Member
from shared.contracts.ids import Kind, shown
from shared.db import Connection, Pool, in_transaction


async def appoint(pool: Pool, who: Who, by: Role, person_id: UUID, role: Role) -> Member:
    """The member with another role, from their next request on.

    Raises NotFound, NotPermitted, LastOwner.
    """

    tenant_id = who.tenant_id

    async def work(connection: Connection) -> Member:
        member = await _held(connection, tenant_id, person_id, by)
        if not may_appoint(by, role):
            raise NotPermitted("Only an owner makes somebody an owner.")
        if role is not Role.OWNER:
            await _keep_an_owner(connection, tenant_id, member)
        await members.change_role(connection, tenant_id, person_id, role)
        appointed = who.did(
            "member.appointed",
            subject=shown(Kind.USER, person_id),
            details={"role": role.value, "was": member.role},
        )
        await audit_log.note(connection, appointed)
        changed = await members.by_id(connection, tenant_id, person_id)
        assert changed is not None, "held above"
        return changed

    return await in_transaction(pool, work)


async def let_go(
    pool: Pool, who: Who, by: Role, person_id: UUID, *, accounts_to: UUID | None
) -> dict[UUID, int]:
    """They belong to the tenant no more, and nothing they were given there is good.

    Their accounts go to somebody else, or are disconnected. Returns how far the log grew. Raises
    NotFound, NotPermitted, LastOwner.
    """
    now = datetime.now(UTC)
    tenant_id = who.tenant_id

    async def work(connection: Connection) -> dict[UUID, int]:
        member = await _held(connection, tenant_id, person_id, by)
        await _keep_an_owner(connection, tenant_id, member)
        entries: list[Entry] = []
        if accounts_to is not None:
            if await members.by_id(connection, tenant_id, accounts_to) is None:
                raise NotFound("There is no such member to give the accounts to.")
            await members.hand_accounts_on(connection, tenant_id, person_id, accounts_to)
        else:
            gone = await members.accounts_of(connection, tenant_id, person_id)
            entries = await disconnect(connection, tenant_id, gone, now)
        await members.remove(connection, tenant_id, person_id)
        gone_member = who.did(
            "member.removed",
            subject=shown(Kind.USER, person_id),
            details={"email": member.email},
        )
        await audit_log.note(connection, gone_member)
        return await log.append(connection, entries)

    return await in_transaction(pool, work)


async def _held(connection: Connection, tenant_id: UUID, person_id: UUID, by: Role) -> Member:
    await members.hold_tenant(connection, tenant_id)
    member = await members.by_id(connection, tenant_id, person_id)
    if member is None:
        raise NotFound
    if not may_appoint(by, Role(member.role)):
        raise NotPermitted("Only an owner changes what an owner is.")
    return member


async def _keep_an_owner(connection: Connection, tenant_id: UUID, member: Member) -> None:
    if member.role == Role.OWNER and await members.owners(connection, tenant_id) == 1:
        raise LastOwner
