"""Hold what can be found against what sync proved, and have it told again where something lacks."""

from collections.abc import Sequence

import structlog
from uuid_utils.compat import uuid7

from services.indexer.domain.told import Account
from services.indexer.metrics import AUDITS
from services.indexer.store import audits
from services.indexer.store.accounts import share_accounts
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


async def compare_audits(events: Sequence[MailboxAudited], pool: Pool) -> None:
    """A difference is looked at twice; one that lasts has the account told again."""
    for event in events:
        result = await _compare(event, pool)
        if result is not None:
            AUDITS.labels(result).inc()


async def _compare(audit: MailboxAudited, pool: Pool) -> str | None:
    account = Account(account_id=audit.account_id, tenant_id=audit.tenant_id)

    async def work(connection: Connection) -> str | None:
        if not await share_accounts(connection, [account]):
            return None
        differing = apart(audit, await audits.buckets(connection, account, audit.mailbox_id))
        known = await audits.differences(connection, audit.mailbox_id)
        undecided = (
            await audits.moving(connection, account, audit.as_of_revision, differing)
            if differing
            else set[int]()
        )
        found, lasts = weigh(audit, [one for one in differing if one not in undecided], known)
        if found or known:
            await audits.put_differences(connection, account, audit.mailbox_id, found, undecided)
        if lasts:
            if await audits.take_retell(connection, account):
                log.warning("told again, because something lacks", account_id=str(audit.account_id))
                await tell(
                    connection,
                    RetellAccount(
                        tenant_id=audit.tenant_id,
                        listener="indexer",
                        generation=uuid7(),
                        account_id=audit.account_id,
                    ),
                )
                return "retold"
        elif found:
            await tell(
                connection,
                AuditMailbox(
                    tenant_id=audit.tenant_id,
                    account_id=audit.account_id,
                    mailbox_id=audit.mailbox_id,
                    wait_seconds=second_look_seconds(audit, found),
                ),
            )
        return "differs" if found else "agrees"

    return await in_transaction(pool, work)
