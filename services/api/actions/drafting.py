"""Drafts as they are saved, sent and thrown away."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.intending import intend, steps_for
from services.api.domain import logbook
from services.api.domain.changes import Asked
from services.api.domain.logbook import Entry, EventType
from services.api.domain.refusals import ChangedMeanwhile, NotFound
from services.api.domain.writing import Written, draft_of_copy
from services.api.store import changeable, drafts, intents, jobs, reading, uploads
from services.api.store.drafts import Draft
from services.api.store.jobs import NewJob
from shared.bus import tell
from shared.contracts.draft import KeepDraft
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.contracts.intent import Destroy
from shared.db import Connection, Pool, tenant_transaction

#: A copy is made of what was written so long ago, not of each key pressed.
COPY_AFTER_SECONDS = 10.0


async def held(
    connection: Connection, caller: Caller, draft_id: UUID, versions: frozenset[int] | None
) -> Draft:
    """The draft, if it is of one of these versions; None: of any."""
    draft = await drafts.hold(connection, caller.tenant_id, draft_id)
    if draft is None:
        raise NotFound
    if versions is not None and draft.version not in versions:
        raise ChangedMeanwhile
    return draft


async def find_draft(pool: Pool, caller: Caller, draft_id: UUID) -> Draft:
    """The draft as it was saved last; raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        draft = await drafts.by_id(connection, caller.tenant_id, draft_id)
    if draft is None:
        raise NotFound
    return draft


async def find_copied(pool: Pool, caller: Caller, message_id: UUID) -> Draft | None:
    """The draft that this message in a mailbox for drafts is our own copy of, if it is one."""
    async with tenant_transaction(pool, caller) as connection:
        message = await reading.by_id(connection, caller.tenant_id, message_id)
        draft_id = message and draft_of_copy(message.rfc_message_id)
        draft = draft_id and await drafts.by_id(connection, caller.tenant_id, draft_id)
    return draft if message and draft and draft.account_id == message.account_id else None


async def use_uploads(
    connection: Connection, caller: Caller, person_id: UUID, draft_id: UUID, written: Written
) -> None:
    """Keep what is attached, and let go what no longer is; raises NotFound."""
    files = [one.upload_id for one in written.attached]
    found = await uploads.use(connection, caller.tenant_id, person_id, files, draft_id)
    for number, upload_id in enumerate(files):
        if upload_id not in found:
            raise NotFound(
                "There is no such upload.", pointers=(f"/attachments/{number}/upload_id",)
            )
    await uploads.release(connection, caller.tenant_id, draft_id, keeping=files)


def said(kind: EventType, draft: Draft) -> Entry:
    """A draft as the log tells of it."""
    return logbook.of_draft(
        kind,
        tenant_id=draft.tenant_id,
        account_id=draft.account_id,
        draft_id=draft.draft_id,
        event_id=uuid7(),
        occurred_at=draft.updated_at,
        more={"version": draft.version, "subject": draft.written.subject[:300]},
    )


async def remove_replaced(connection: Connection, draft: Draft) -> list[Entry]:
    """The message that the draft was read from goes: what it said is in the draft."""
    if draft.replaces is None:
        return []
    await drafts.put_replaced(connection, draft.tenant_id, draft.draft_id)
    whose = await changeable.accounts_of(connection, draft.tenant_id, [draft.replaces])
    held = await intents.hold(connection, draft.tenant_id, draft.account_id, list(whose))
    if not held:
        return []
    asked = Asked(changes=(Destroy(),))
    job = NewJob(
        job_id=uuid7(),
        account_id=draft.account_id,
        created_by=draft.created_by,
        asked=asked,
        total=1,
    )
    await jobs.add(connection, draft.tenant_id, job, gathered=True)
    intended = await intend(
        connection,
        draft.tenant_id,
        draft.account_id,
        job.job_id,
        steps=steps_for(asked.changes, list(held)),
        not_before=datetime.now(UTC),
    )
    return intended.entries


async def discard(
    connection: Connection, draft: Draft, *, became: UUID | None = None
) -> list[Entry]:
    """Nobody writes it any more: its copies go, and its uploads are let go."""
    removed = await remove_replaced(connection, draft)
    await drafts.remove(connection, draft.tenant_id, draft.draft_id)
    await uploads.release(connection, draft.tenant_id, draft.draft_id)
    await tell(
        connection,
        KeepDraft(
            tenant_id=draft.tenant_id,
            account_id=draft.account_id,
            draft_id=draft.draft_id,
            version=draft.version + 1,
        ),
    )
    return [
        *removed,
        logbook.of_draft(
            EventType.DRAFT_DELETED,
            tenant_id=draft.tenant_id,
            account_id=draft.account_id,
            draft_id=draft.draft_id,
            event_id=uuid7(),
            occurred_at=datetime.now(UTC),
            more={"submission_id": became and shown(Kind.SUBMISSION, became)},
        ),
    ]
