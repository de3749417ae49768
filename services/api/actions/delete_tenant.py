"""Delete a tenant, or oneself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from services.api.actions.disconnecting import disconnect
from services.api.actions.identify_caller import Who
from services.api.domain.logbook import Entry
from services.api.domain.refusals import LastOwner
from services.api.domain.rights import Role
from services.api.store import audit_log, deletions, log, members, people
from services.api.store.deletions import Deletion
from shared.db import Connection, Pool, in_transaction


async def delete_tenant(pool: Pool, tenant_id: UUID) -> Deletion | None:
    """Gone at once for everybody in it; its rows go in the background. None: gone already."""
    now = datetime.now(UTC)

    async def work(connection: Connection) -> Deletion | None:
        return await _bury(connection, tenant_id, now)

    return await in_transaction(pool, work)


async def delete_person(pool: Pool, who: Who) -> tuple[Sequence[Deletion], dict[UUID, int]]:
    """Nobody here any more: what was theirs in every tenant goes, and a tenant of theirs alone.

    Returns a deletion for each tenant, and how far logs grew. Raises LastOwner where others would
    be left without an owner.
    """
    now = datetime.now(UTC)

    async def work(connection: Connection) -> tuple[Sequence[Deletion], dict[UUID, int]]:
        made: list[Deletion] = []
        entries: list[Entry] = []
        for belonging in sorted(
            await people.tenants_of(connection, who.person_id), key=lambda each: each.tenant_id
        ):
            tenant_id = belonging.tenant_id
            await members.hold_tenant(connection, tenant_id)
            others = [
                each
                for each in await members.all_of(connection, tenant_id)
                if each.person_id != who.person_id
            ]
            if not others:
                if buried := await _bury(connection, tenant_id, now):
                    made.append(buried)
                continue
            if all(each.role != Role.OWNER for each in others):
                raise LastOwner(f"“{belonging.name}” would have no owner; make somebody one first.")
            accounts = await members.accounts_of(connection, tenant_id, who.person_id)
            entries += await disconnect(connection, tenant_id, accounts, now)
            deletion = Deletion(
                deletion_id=uuid4(),
                tenant_id=tenant_id,
                person_id=who.person_id,
                asked_at=now,
                account_ids=accounts,
            )
            await deletions.add(connection, deletion)
            await members.remove(connection, tenant_id, who.person_id)
            if tenant_id == who.tenant_id:
                await audit_log.note(connection, who.did("member.left"))
            made.append(deletion)
        return made, await log.append(connection, entries)

    return await in_transaction(pool, work)


async def _bury(connection: Connection, tenant_id: UUID, now: datetime) -> Deletion | None:
    if not await deletions.bury_tenant(connection, tenant_id, now):
        return None
    accounts = await deletions.accounts_of_tenant(connection, tenant_id)
    # Its log goes, too: nobody is left to read what it would say of them.
    await disconnect(connection, tenant_id, accounts, now)
    deletion = Deletion(
        deletion_id=uuid4(), tenant_id=tenant_id, person_id=None, asked_at=now, account_ids=accounts
    )
    await deletions.add(connection, deletion)
    return deletion
