"""Somebody wants undone what they asked for."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.gathering import GATHERED_AT_ONCE, ended_by_now, gather
from services.api.domain.changes import Asked
from services.api.domain.logbook import Entry
from services.api.domain.refusals import AlreadyUndone, MailboxNotEmpty, NotFound, TooLateToUndo
from services.api.store import accounts, changeable, jobs, log
from services.api.store.jobs import Job, NewJob
from shared.contracts.envelope import Caller
from shared.contracts.intent import DeleteMailbox
from shared.db import Connection, Pool, tenant_work


async def undo_job(
    pool: Pool, caller: Caller, person_id: UUID, job_id: UUID, window: timedelta
) -> tuple[Job, dict[UUID, int]]:
    """The job that undoes it. Raises NotFound, TooLateToUndo, AlreadyUndone.

    What was not begun is not carried out; the rest is taken back, last first.
    """

    async def work(connection: Connection) -> tuple[Job, dict[UUID, int]]:
        tenant_id = caller.tenant_id
        undone = await jobs.by_id(connection, tenant_id, job_id)
        if undone is None:
            raise NotFound
        await accounts.hold_living(connection, [(tenant_id, undone.account_id)])
        undone = await jobs.hold(connection, tenant_id, job_id)
        if undone is None:
            raise NotFound
        if datetime.now(UTC) - undone.created_at > window:
            raise TooLateToUndo
        await _refuse_destroying(connection, tenant_id, undone)
        await _refuse_destroying_after_all(connection, tenant_id, undone)
        new = NewJob(
            job_id=uuid7(),
            account_id=undone.account_id,
            created_by=person_id,
            asked=Asked(),
            undoes=job_id,
        )
        if not await jobs.put_undone(connection, tenant_id, job_id, new.job_id):
            raise AlreadyUndone
        await jobs.add(connection, tenant_id, new, gathered=False)
        entries: list[Entry] = []
        if undone.state == "pending":
            entries += await ended_by_now(connection, tenant_id, undone)
        job: Job | None = None
        for _ in range(GATHERED_AT_ONCE):
            job = await jobs.by_id(connection, tenant_id, new.job_id)
            assert job is not None, "made in this transaction"
            if job.gathered:
                break
            entries += await gather(connection, tenant_id, job, timedelta())
        job = await jobs.by_id(connection, tenant_id, new.job_id)
        assert job is not None, "made in this transaction"
        return job, await log.append(connection, entries)

    return await tenant_work(pool, caller, work)


async def _refuse_destroying(connection: Connection, tenant_id: UUID, undone: Job) -> None:
    """A mailbox that was made goes again only while nothing is in it: mail is not undone."""
    back = undone.asked.mailbox_back
    if isinstance(back, DeleteMailbox):
        made = await changeable.mailbox(connection, tenant_id, back.mailbox_id)
        if made is not None and made.message_count:
            raise MailboxNotEmpty


async def _refuse_destroying_after_all(
    connection: Connection, tenant_id: UUID, undone: Job
) -> None:
    """What nothing brings back is asked for by its name, and not by undoing an undoing."""
    if undone.undoes is not None:
        first = await jobs.by_id(connection, tenant_id, undone.undoes)
        if first is None or first.asked.is_final:
            raise TooLateToUndo("This was taken back; ask for it anew.")
