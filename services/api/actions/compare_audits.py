"""Hold what is shown against what sync proved, and have it told again where something lacks."""

from collections.abc import Sequence

import structlog
from uuid_utils.compat import uuid7

from services.api.metrics import AUDITS
from services.api.store import accounts, audits
from shared.bus import tell
from shared.contracts.account import RetellAccount
from shared.contracts.audit import (
    AuditMailbox,
    MailboxAudited,
    apart,
    second_look_seconds,
    weigh,
)
from shared.db import Connection, Pool, in_transaction

log = structlog.get_logger()


async def compare_audits(pool: Pool, events: Sequence[MailboxAudited]) -> bool:
    """A difference is looked at twice; one that lasts has the account told again.

    True when sync was commanded something.
    """
    commanded = False
    for event in events:
        result = await _compare(pool, event)
        if result is not None:
            AUDITS.labels(result).inc()
            commanded |= result != "agrees"
    return commanded


async def _compare(pool: Pool, audit: MailboxAudited) -> str | None:
    tenant_id, account_id, mailbox_id = audit.tenant_id, audit.account_id, audit.mailbox_id

    async def work(connection: Connection) -> str | None:
        if not await accounts.hold_living(connection, [(tenant_id, account_id)]):
            return None
        differing = apart(audit, await audits.buckets(connection, tenant_id, mailbox_id))
        known = await audits.differences(connection, tenant_id, mailbox_id)
        undecided = (
            await audits.moving(connection, tenant_id, account_id, audit.as_of_revision, differing)
            if differing
            else set[int]()
        )
        found, lasts = weigh(audit, [one for one in differing if one not in undecided], known)
        if found or known:
            await audits.put_differences(
                connection, tenant_id, account_id, mailbox_id, found, undecided
            )
        if lasts:
            if await audits.take_retelling(connection, tenant_id, account_id):
                log.warning("told again, because something lacks", account_id=str(account_id))
                await tell(
                    connection,
                    RetellAccount(
                        tenant_id=tenant_id,
                        listener="api",
                        generation=uuid7(),
                        account_id=account_id,
                    ),
                )
                return "retold"
        elif found:
            await tell(
                connection,
                AuditMailbox(
                    tenant_id=tenant_id,
                    account_id=account_id,
                    mailbox_id=mailbox_id,
                    wait_seconds=second_look_seconds(audit, found),
                ),
            )
        return "differs" if found else "agrees"

    return await in_transaction(pool, work)
