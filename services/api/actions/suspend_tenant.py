"""Shut a tenant for a while, or open it again."""

from datetime import UTC, datetime
from uuid import UUID

from services.api.store import audit_log, deletions
from services.api.store.audit_log import AuditEntry
from shared.bus import tell
from shared.contracts.account import HoldSender
from shared.contracts.standing import PauseSync, ResumeSync
from shared.db import Connection, Pool, in_transaction


async def suspend_tenant(pool: Pool, tenant_id: UUID, why: str | None) -> bool:
    """Nobody in it is answered, and its mail servers are left alone; None opens it again.

    What was to be sent waits, and accounts that somebody had paused stay paused. False when there
    is no such tenant.
    """
    now = datetime.now(UTC)
    order = ResumeSync if why is None else PauseSync

    async def work(connection: Connection) -> bool:
        changed = await deletions.suspend(connection, tenant_id, why, None if why is None else now)
        if changed is None:
            return False
        await tell(
            connection,
            *(
                order(tenant_id=tenant_id, account_id=account_id, version=version)
                for account_id, version in changed.paused
            ),
            *(
                HoldSender(
                    tenant_id=tenant_id,
                    account_id=account_id,
                    version=changed.version,
                    held=why is not None,
                )
                for account_id in changed.account_ids
            ),
        )
        action = "tenant.resumed" if why is None else "tenant.suspended"
        await audit_log.note(
            connection, AuditEntry(tenant_id=tenant_id, occurred_at=now, action=action, subject=why)
        )
        return True

    return await in_transaction(pool, work)
