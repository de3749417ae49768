"""The messages of a job, some hundreds at a time: each page of them is an intent."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec.structs import replace
from uuid_utils.compat import uuid7

from services.api.actions.intending import intend, steps_for
from services.api.actions.job_entries import entry_of
from services.api.domain.changes import steps_back
from services.api.domain.logbook import Entry
from services.api.store import intents, jobs
from services.api.store.jobs import Job
from shared.contracts.intent import INTENT_MESSAGES
from shared.db import Connection

GATHERED_AT_ONCE = 2  # pages, in the request that asks


async def gather(
    connection: Connection, tenant_id: UUID, job: Job, hold_back: timedelta
) -> list[Entry]:
    """Make the next intent of this job, or find that there is none; what the log has to say."""
    if job.undoes is not None:
        return await _gather_undoing(connection, tenant_id, job, job.undoes)
    assert job.selection is not None
    ids = await jobs.select(
        connection,
        tenant_id,
        job.account_id,
        job.job_id,
        job.selection,
        job.gathered_up_to,
        INTENT_MESSAGES,
    )
    all_of_them = len(ids) < INTENT_MESSAGES
    held = sorted(await intents.hold(connection, tenant_id, job.account_id, ids))
    await jobs.put_gathered(
        connection,
        tenant_id,
        job.job_id,
        messages=len(held),
        up_to=ids[-1] if ids else None,
        all_of_them=all_of_them,
    )
    if all_of_them and job.selection.found:
        await jobs.forget_found(connection, tenant_id, job.job_id)
    if not held:
        return await ended_by_now(connection, tenant_id, job)
    final = job.asked.is_final and hold_back
    intended = await intend(
        connection,
        tenant_id,
        job.account_id,
        job.job_id,
        steps=steps_for(job.asked.changes, held),
        not_before=datetime.now(UTC) + hold_back if final else None,
    )
    progressed = entry_of(
        tenant_id,
        replace(job, total=job.total + len(held)),
        event_id=intended.command.event_id,
        occurred_at=intended.command.occurred_at,
    )
    return [*intended.entries, progressed]


async def _gather_undoing(
    connection: Connection, tenant_id: UUID, job: Job, undoes: UUID
) -> list[Entry]:
    """Undo the last intent of a job that is not undone yet."""
    intent = await intents.last_before(connection, tenant_id, undoes, job.gathered_up_to)
    if intent is None:
        await jobs.put_gathered(
            connection, tenant_id, job.job_id, messages=0, up_to=None, all_of_them=True
        )
        return await ended_by_now(connection, tenant_id, job)
    was = await intents.was(connection, tenant_id, intent.intent_id)
    await intents.hold(connection, tenant_id, job.account_id, list(was))
    left = await intents.last_before(connection, tenant_id, undoes, intent.intent_id)
    await jobs.put_gathered(
        connection,
        tenant_id,
        job.job_id,
        messages=len(was) or 1,
        up_to=intent.intent_id,
        all_of_them=left is None,
    )
    undone = await jobs.by_id(connection, tenant_id, undoes)
    intended = await intend(
        connection,
        tenant_id,
        job.account_id,
        job.job_id,
        steps=steps_back(intent.steps, was),
        mailbox=undone.asked.mailbox_back if undone is not None else None,
        undoes=intent.intent_id,
        message_count=len(was) or 1,
    )
    return intended.entries


async def ended_by_now(connection: Connection, tenant_id: UUID, job: Job) -> list[Entry]:
    """No more of a pending job is gathered: if all of it is settled as well, it has ended."""
    now = await jobs.count(
        connection,
        tenant_id,
        job.job_id,
        done=0,
        failed=0,
        reason=None,
        server_said=None,
    )
    if now is None or now.state == "pending":
        return []
    return [entry_of(tenant_id, now, event_id=uuid7(), occurred_at=datetime.now(UTC))]
