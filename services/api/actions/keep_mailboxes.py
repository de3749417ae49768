"""Show mailboxes as they now are."""

from collections.abc import Sequence
from uuid import UUID

from services.api.domain import logbook
from services.api.domain.told import newest_each
from services.api.store import accounts, log, mailboxes
from services.api.store.mailboxes import ToldMailbox
from shared.contracts.mail import MailboxesSynced
from shared.db import Connection, Pool, in_transaction


async def keep_mailboxes(pool: Pool, events: Sequence[MailboxesSynced]) -> dict[UUID, int]:
    """Let these mailboxes be as told; returns how far logs grew.

    One that is told again and not known here was lost here, not made: the log does not hear of it.
    """
    newest = newest_each(
        ((event, n) for event in events for n in range(len(event.mailboxes))),
        key=lambda told: (told[0].tenant_id, told[0].mailboxes[told[1]].mailbox_id),
        revision=lambda told: told[0].mailboxes[told[1]].revision,
    )

    async def work(connection: Connection) -> dict[UUID, int]:
        living = await accounts.hold_living(
            connection, [(event.tenant_id, event.account_id) for event in events]
        )
        told = [(event, n) for event, n in newest if (event.tenant_id, event.account_id) in living]
        if not told:
            return {}
        became = await mailboxes.put(
            connection,
            [
                ToldMailbox(
                    tenant_id=event.tenant_id,
                    account_id=event.account_id,
                    mailbox=event.mailboxes[n],
                )
                for event, n in told
            ],
        )
        entries = [
            logbook.of_mailbox(
                kind,
                event.mailboxes[n],
                tenant_id=event.tenant_id,
                account_id=event.account_id,
                event_id=event.event_id,
                n=n,
                occurred_at=event.occurred_at,
            )
            for event, n in told
            if (kind := became.get((event.tenant_id, event.mailboxes[n].mailbox_id)))
            and not (event.retold and kind == "created")
        ]
        return await log.append(connection, await log.unlogged(connection, entries))

    return await in_transaction(pool, work)
