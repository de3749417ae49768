"""Show what became of submissions, and what it means for what they were written in answer to."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.intending import intend, steps_for
from services.api.domain import logbook
from services.api.domain.changes import Asked
from services.api.domain.logbook import Entry
from services.api.domain.told import newest_each
from services.api.store import accounts, changeable, intents, jobs, log, submissions, uploads
from services.api.store.jobs import NewJob
from services.api.store.submissions import Followed
from shared.contracts.intent import Mark
from shared.contracts.submission import SubmissionChanged, SubmissionState
from shared.db import Connection, Pool, in_transaction

_REACHED_SOMEBODY = {SubmissionState.ACCEPTED, SubmissionState.PARTIALLY_ACCEPTED}
_ENDED = {*_REACHED_SOMEBODY, SubmissionState.FAILED, SubmissionState.CANCELED}


async def keep_submission_states(
    pool: Pool, events: Sequence[SubmissionChanged]
) -> tuple[dict[UUID, int], bool]:
    """Let these submissions be as told; returns how far logs grew, and whether others are told.

    Once a message was accepted, the one it answers is marked as answered, or as forwarded, and
    that is carried to its server as any other mark. Once its bytes are with sender, the uploads
    they were made of are let go.
    """
    newest = newest_each(
        events,
        key=lambda event: (event.tenant_id, event.submission_id),
        revision=lambda event: event.revision,
    )

    async def work(connection: Connection) -> tuple[dict[UUID, int], bool]:
        living = await accounts.hold_living(
            connection, [(event.tenant_id, event.account_id) for event in events]
        )
        told = [event for event in newest if (event.tenant_id, event.account_id) in living]
        if not told:
            return {}, False
        # A state is news once, by its revision: no need to ask what the log holds already.
        put = {
            one.key: one
            for one in await submissions.put_states(connection, told, reached=_REACHED_SOMEBODY)
        }
        news = [
            (event, one)
            for event in told
            if (one := put.get((event.tenant_id, event.submission_id))) is not None
        ]
        entries = [logbook.of_submission_state(event) for event, one in news if one.differs]
        for event, one in news:
            if one.has_uploads and (event.size_bytes or event.state in _ENDED):
                await uploads.release(connection, event.tenant_id, event.submission_id)
        followed = [one.followed for _, one in news if one.followed is not None]
        entries += await _mark_originals(connection, followed)
        return await log.append(connection, entries), bool(followed)

    return await in_transaction(pool, work)


async def _mark_originals(connection: Connection, followed: Iterable[Followed]) -> list[Entry]:
    entries: list[Entry] = []
    for one in followed:
        for message_id, keyword in ((one.answers, "\\Answered"), (one.forwards, "$Forwarded")):
            if message_id is not None:
                entries += await _mark(connection, one, message_id, keyword)
    return entries


async def _mark(
    connection: Connection, followed: Followed, message_id: UUID, keyword: str
) -> list[Entry]:
    """Wanted by who sent the message; nothing where the original is gone, or marked already."""
    tenant_id = followed.tenant_id
    whose = await changeable.accounts_of(connection, tenant_id, [message_id])
    if message_id not in whose:
        return []
    account_id = whose[message_id]
    if not await accounts.hold_living(connection, [(tenant_id, account_id)]):
        return []
    held = await intents.hold(connection, tenant_id, account_id, [message_id])
    if not held or keyword in held[message_id].keywords:
        return []
    asked = Asked(changes=(Mark(add=frozenset({keyword})),))
    job = NewJob(
        job_id=uuid7(),
        account_id=account_id,
        created_by=followed.created_by,
        asked=asked,
        total=1,
    )
    await jobs.add(connection, tenant_id, job, gathered=True)
    intended = await intend(
        connection, tenant_id, account_id, job.job_id, steps=steps_for(asked.changes, list(held))
    )
    return intended.entries
