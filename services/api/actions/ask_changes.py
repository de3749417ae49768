"""Somebody wants messages or a mailbox changed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.gathering import GATHERED_AT_ONCE, gather
from services.api.actions.intending import intend, steps_for
from services.api.actions.job_entries import entry_of
from services.api.domain.changes import Asked
from services.api.domain.logbook import Entry
from services.api.domain.refusals import NotFound
from services.api.store import accounts, audit_log, changeable, intents, jobs, log
from services.api.store.audit_log import AuditEntry
from services.api.store.jobs import Job, NewJob, Selection
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.contracts.intent import INTENT_MESSAGES, Copy, CreateMailbox, Move
from shared.db import Connection, Pool, tenant_work


async def change_messages(
    pool: Pool,
    caller: Caller,
    person_id: UUID,
    message_ids: Sequence[UUID],
    wanted: Mapping[UUID, Asked],
    hold_back: timedelta,
) -> tuple[list[Job], dict[UUID, int]]:
    """A job for each account that has some of these messages; all of them or, NotFound, none.

    `wanted` is by account. `hold_back`: so long what nothing brings back is not carried out.
    """

    async def work(connection: Connection) -> tuple[list[Job], dict[UUID, int]]:
        tenant_id = caller.tenant_id
        whose = await changeable.accounts_of(connection, tenant_id, message_ids)
        if len(whose) < len(set(message_ids)):
            raise NotFound("There is no such message, or not in any mailbox.")
        await accounts.hold_living(connection, [(tenant_id, one) for one in whose.values()])
        made: list[UUID] = []
        entries: list[Entry] = []
        for account_id in sorted(set(whose.values())):
            asked = wanted.get(account_id)
            if asked is None:
                raise NotFound("A message went to another account meanwhile.")
            ids = sorted(one for one, account in whose.items() if account == account_id)
            await _check_targets(connection, tenant_id, account_id, asked)
            held = await intents.hold(connection, tenant_id, account_id, ids)
            if len(held) < len(ids):
                raise NotFound("A message went meanwhile.")
            job = NewJob(
                job_id=uuid7(),
                account_id=account_id,
                created_by=person_id,
                asked=asked,
                total=len(held),
            )
            await jobs.add(connection, tenant_id, job, gathered=True)
            await _write_down(connection, caller, job, count=len(ids))
            made.append(job.job_id)
            kept = sorted(held)
            for start in range(0, len(kept), INTENT_MESSAGES):
                intended = await intend(
                    connection,
                    tenant_id,
                    account_id,
                    job.job_id,
                    steps=steps_for(asked.changes, kept[start : start + INTENT_MESSAGES]),
                    not_before=_not_before(asked, hold_back),
                )
                entries += intended.entries
        found = [await _job(connection, tenant_id, one) for one in made]
        return found, await log.append(connection, entries)

    return await tenant_work(pool, caller, work)


async def change_selection(
    pool: Pool,
    caller: Caller,
    person_id: UUID,
    account_id: UUID,
    selection: Selection,
    asked: Asked,
    hold_back: timedelta,
    found: Sequence[UUID],
) -> tuple[Job, dict[UUID, int]]:
    """One job for all these messages: the first thousand at once, the others by and by.

    `found`: of a selection among what was found, that.
    """

    async def work(connection: Connection) -> tuple[Job, dict[UUID, int]]:
        tenant_id = caller.tenant_id
        if not await accounts.hold_living(connection, [(tenant_id, account_id)]):
            raise NotFound
        await _check_targets(connection, tenant_id, account_id, asked)
        new = NewJob(
            job_id=uuid7(),
            account_id=account_id,
            created_by=person_id,
            asked=asked,
            selection=selection,
        )
        await jobs.add(connection, tenant_id, new, gathered=False)
        mailbox_id, thread_id = selection.mailbox_id, selection.thread_id
        await _write_down(
            connection,
            caller,
            new,
            mailbox_id=mailbox_id and shown(Kind.MAILBOX, mailbox_id),
            thread_id=thread_id and shown(Kind.THREAD, thread_id),
            label=selection.label,
            found=len(found) if selection.found else None,
        )
        await jobs.put_found(connection, tenant_id, account_id, new.job_id, found)
        entries: list[Entry] = []
        for _ in range(GATHERED_AT_ONCE):
            job = await _job(connection, tenant_id, new.job_id)
            if job.gathered:
                break
            entries += await gather(connection, tenant_id, job, hold_back)
        job = await _job(connection, tenant_id, new.job_id)
        return job, await log.append(connection, entries)

    return await tenant_work(pool, caller, work)


async def change_mailbox(
    pool: Pool,
    caller: Caller,
    person_id: UUID,
    account_id: UUID,
    asked: Asked,
    hold_back: timedelta,
) -> tuple[Job, dict[UUID, int]]:
    """A job for a mailbox; that something is wanted of it is shown."""
    assert asked.mailbox is not None
    change = asked.mailbox

    async def work(connection: Connection) -> tuple[Job, dict[UUID, int]]:
        tenant_id = caller.tenant_id
        if not await accounts.hold_living(connection, [(tenant_id, account_id)]):
            raise NotFound
        new = NewJob(
            job_id=uuid7(), account_id=account_id, created_by=person_id, asked=asked, total=1
        )
        await jobs.add(connection, tenant_id, new, gathered=True)
        await _write_down(
            connection, caller, new, mailbox_id=shown(Kind.MAILBOX, change.mailbox_id)
        )
        if isinstance(change, CreateMailbox):
            await changeable.add_unmade(connection, tenant_id, account_id, change)
        intended = await intend(
            connection,
            tenant_id,
            account_id,
            new.job_id,
            mailbox=change,
            not_before=_not_before(asked, hold_back),
        )
        job = await _job(connection, tenant_id, new.job_id)
        created = entry_of(
            tenant_id,
            job,
            event_id=intended.command.event_id,
            occurred_at=intended.command.occurred_at,
        )
        return job, await log.append(connection, [created])

    return await tenant_work(pool, caller, work)


async def _check_targets(
    connection: Connection, tenant_id: UUID, account_id: UUID, asked: Asked
) -> None:
    """Messages go to mailboxes of their own account that hold messages, or it is refused."""
    for change in asked.changes:
        if isinstance(change, Move | Copy):
            target = await changeable.mailbox(connection, tenant_id, change.mailbox_id)
            if target is None or target.account_id != account_id or not target.selectable:
                raise NotFound("There is no such mailbox in the messages' account.")


async def _write_down(connection: Connection, caller: Caller, job: NewJob, **which: object) -> None:
    """What nothing brings back is in the audit: no event is anybody's doing when it has gone."""
    if not job.asked.is_final:
        return
    entry = AuditEntry(
        tenant_id=caller.tenant_id,
        occurred_at=datetime.now(UTC),
        action="messages.destroyed" if job.asked.mailbox is None else "mailbox.destroyed",
        person_id=job.created_by,
        token_id=caller.token_id,
        request_id=caller.request_id,
        account_id=job.account_id,
        subject=shown(Kind.JOB, job.job_id),
        details={name: value for name, value in which.items() if value is not None},
    )
    await audit_log.note(connection, entry)


def _not_before(asked: Asked, hold_back: timedelta) -> datetime | None:
    return datetime.now(UTC) + hold_back if asked.is_final and hold_back else None


async def _job(connection: Connection, tenant_id: UUID, job_id: UUID) -> Job:
    job = await jobs.by_id(connection, tenant_id, job_id)
    assert job is not None, "made in this transaction"
    return job
