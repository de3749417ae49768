"""Say what is kept of a mailbox that was compared with its server and of which nothing is owed."""

from uuid import UUID

import structlog

from services.sync.store import accounts, audits, leases
from services.sync.store.leases import Lease
from shared.bus import Bus, heard_until, tell
from shared.contracts.audit import MailboxAudited, pack_buckets
from shared.db import Connection, Pool, in_transaction

log = structlog.get_logger()


async def prove_mailbox(
    lease: Lease, mailbox_id: UUID, server_count: int, pool: Pool, bus: Bus
) -> None:
    """Remember the proof and tell it, so that each listener compares its rows with it.

    The revision is taken for the proof alone: what is counted is exactly what holds as of it, and
    no two audits of an account are of the same one.
    """
    heard = await heard_until(bus, pool)

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        revision = await accounts.next_revision(connection, lease.account_id)
        proof = await audits.prove(connection, lease, mailbox_id, server_count, revision)
        if proof is None:
            return
        if server_count != proof.kept + proof.quarantined:
            log.warning(
                "mailbox is not proven",
                account_id=str(lease.account_id),
                mailbox_id=str(mailbox_id),
                server=server_count,
                kept=proof.kept,
                quarantined=proof.quarantined,
            )
        await tell(
            connection,
            MailboxAudited(
                tenant_id=lease.tenant_id,
                account_id=lease.account_id,
                mailbox_id=mailbox_id,
                as_of_revision=revision,
                server=server_count,
                kept=proof.kept,
                quarantined=proof.quarantined,
                buckets=pack_buckets(await audits.buckets(connection, mailbox_id)),
                audited_at=proof.proven_at,
                heard_until=heard,
            ),
        )

    await in_transaction(pool, work)
