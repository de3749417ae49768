"""What people wanted has come to its end: show what sync told, and say what became of it."""

from collections.abc import Sequence
from uuid import UUID

from services.api.actions.job_entries import entry_of
from services.api.actions.showing import overlay
from services.api.domain import logbook
from services.api.domain.told import Told, one_each, tally
from services.api.store import accounts, changeable, intents, jobs, labels, log, mailboxes, messages
from services.api.store.intents import Kept
from services.api.store.jobs import Job
from shared.contracts.intent import CreateMailbox, IntentSettled, Outcome
from shared.contracts.mail import MessagesVanished, VanishedMessage
from shared.db import Connection, Pool, in_transaction


async def settle_intents(pool: Pool, events: Sequence[IntentSettled]) -> dict[UUID, int]:
    """Let messages be as told with the end of each intent; returns how far logs grew."""
    grew: dict[UUID, int] = {}
    for event in events:

        async def work(connection: Connection, event: IntentSettled = event) -> dict[UUID, int]:
            return await _settle(connection, event)

        grew |= await in_transaction(pool, work)
    return grew


async def _settle(connection: Connection, event: IntentSettled) -> dict[UUID, int]:
    tenant_id = event.tenant_id
    if not await accounts.hold_living(connection, [(tenant_id, event.account_id)]):
        return {}
    intent = await intents.by_id(connection, tenant_id, event.intent_id)
    if intent is None or intent.account_id != event.account_id:
        return {}
    ids = {one for step in intent.steps for one in step.message_ids}
    # Whoever settles another intent of the job at the same time must see this one settled, or
    # neither would see the last.
    await jobs.hold(connection, tenant_id, intent.job_id)
    await intents.hold(connection, tenant_id, event.account_id, ids)
    if not await intents.settle(connection, tenant_id, event.intent_id):
        return {}
    told = [one for one in one_each([event]) if one.message.message_id in ids]
    became = dict(await messages.mark(connection, told))
    gone = _vanished(event, ids)
    became |= await messages.bury(connection, gone)
    became = dict(await overlay(connection, became, [(tenant_id, one) for one in sorted(ids)]))
    await mailboxes.count(connection, tally(became.values()))
    await labels.follow(connection, became.values())
    if intent.mailbox is not None:
        mailbox_id = intent.mailbox.mailbox_id
        await changeable.show_pending(connection, tenant_id, mailbox_id)
        if isinstance(intent.mailbox, CreateMailbox) and event.outcome is not Outcome.DONE:
            await changeable.drop_unmade(connection, tenant_id, mailbox_id)
    job = await _count(connection, event, intent, len(ids))
    entries = logbook.of_shown(
        event.event_id,
        event.occurred_at,
        [became[key] for key in sorted(became)],
        first=len(event.vanished),
    )
    entries += logbook.of_vanished(gone, became)
    if job is not None:
        entries.append(
            entry_of(tenant_id, job, event_id=event.event_id, occurred_at=event.occurred_at)
        )
    return await log.append(connection, await log.unlogged(connection, entries))


def _vanished(event: IntentSettled, ids: set[UUID]) -> list[Told[VanishedMessage]]:
    """The messages that went; what else is logged of the event is numbered after them."""
    page = MessagesVanished(
        event_id=event.event_id,
        tenant_id=event.tenant_id,
        occurred_at=event.occurred_at,
        account_id=event.account_id,
        messages=tuple(one for one in event.vanished if one.message_id in ids),
    )
    return one_each([page])


async def _count(
    connection: Connection, event: IntentSettled, intent: Kept, messages_in: int
) -> Job | None:
    whole = intent.message_count or messages_in or 1
    if event.outcome is Outcome.DONE:
        failed = min(len(event.exempt), whole)
    elif event.outcome is Outcome.CANCELED:
        failed = 0
    else:
        failed = whole
    reason = event.reason or next((one.reason for one in event.exempt), None)
    return await jobs.count(
        connection,
        event.tenant_id,
        intent.job_id,
        done=0 if event.outcome is Outcome.CANCELED else whole - failed,
        failed=failed,
        reason=reason,
        server_said=event.server_said,
    )
