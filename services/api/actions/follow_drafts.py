"""Let drafts follow what other programs make of their copies."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import structlog
from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.actions.drafting import COPY_AFTER_SECONDS, said, use_uploads
from services.api.actions.passing_on import Writer
from services.api.domain.elsewhere import WrittenOn, written_on
from services.api.domain.logbook import EventType
from services.api.domain.refusals import (
    AttachmentUnavailable,
    ContentUnavailable,
    Refused,
)
from services.api.domain.writing import Written
from services.api.store import accounts, drafts, log
from services.api.store.drafts import Draft
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction

logger = structlog.get_logger()

_AGAIN_SECONDS = 30.0


async def follow_drafts(
    pool: Pool, writer_for: Callable[[Caller, UUID], Writer]
) -> dict[UUID, int] | None:
    """Hold the drafts of an account against its mailbox for drafts; None when none is due.

    Returns how far logs grew.
    """
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        changed = await drafts.changed_longest_ago(connection)
        if changed is None:
            return None
        tenant_id, account_id, seen = changed
        here = await drafts.here(connection, tenant_id, account_id)
        there = await drafts.there(connection, tenant_id, account_id)
        found = {
            one.draft_id: await drafts.by_id(connection, tenant_id, one.draft_id) for one in here
        }
    grew: dict[UUID, int] = {}
    whole = True
    for one in written_on(here, there):
        draft = found[one.draft_id]
        if draft is None:
            continue
        caller = Caller(tenant_id=tenant_id, account_ids=(account_id,))
        writer = writer_for(caller, draft.created_by)
        try:
            _, written = await writer.made_elsewhere(one.message_id)
            grew |= await _keep(writer, draft, one, written)
        except (ContentUnavailable, AttachmentUnavailable, asyncpg.UniqueViolationError) as error:
            logger.info("draft not followed yet", draft_id=str(one.draft_id), reason=str(error))
            whole = False
        except Refused as refused:
            # It is safe in its mailbox, and the draft is safe here.
            logger.info("draft not followed", draft_id=str(one.draft_id), reason=str(refused))

    async with pool.acquire() as connection, connection.transaction():
        if whole:
            await drafts.put_compared(connection, tenant_id, account_id, seen)
        else:
            await drafts.compare_later(connection, tenant_id, account_id, _AGAIN_SECONDS)
    return grew


async def _keep(writer: Writer, draft: Draft, news: WrittenOn, written: Written) -> dict[UUID, int]:
    """What another program wrote is the draft's next version.

    Where the draft was changed here as well, by now at the latest, it becomes a draft of its own:
    neither is lost, and a person decides.
    """
    caller = writer.caller
    async with tenant_transaction(writer.pool, caller) as connection:
        if not await accounts.hold_living(connection, [(caller.tenant_id, draft.account_id)]):
            return {}
        held = await drafts.hold(connection, caller.tenant_id, draft.draft_id)
        if held is None:
            return {}
        if not news.here_too and held.version == news.version:
            await drafts.follow(
                connection,
                caller.tenant_id,
                held.draft_id,
                _continued(held.written, written),
                news.message_id,
            )
            await use_uploads(connection, caller, held.created_by, held.draft_id, written)
            after = await drafts.by_id(connection, caller.tenant_id, held.draft_id)
            assert after is not None, "held"
            return await log.append(connection, [said(EventType.DRAFT_UPDATED, after)])
        await drafts.put_replaced(connection, caller.tenant_id, held.draft_id)
        now = datetime.now(UTC)
        beside = structs.replace(
            held,
            draft_id=uuid7(),
            version=1,
            written=_continued(held.written, written),
            replaces=news.message_id,
            created_at=now,
            updated_at=now,
        )
        if not await drafts.add(connection, caller.tenant_id, beside, COPY_AFTER_SECONDS):
            return {}  # somebody has just begun to write on there
        await use_uploads(connection, caller, held.created_by, beside.draft_id, beside.written)
        return await log.append(connection, [said(EventType.DRAFT_CREATED, beside)])


def _continued(before: Written, written: Written) -> Written:
    """What no message tells, or not as we know it, stays as it was."""
    return structs.replace(
        written,
        in_reply_to=before.in_reply_to,
        forward_of=before.forward_of,
        headers=before.headers,
        read_receipt=before.read_receipt,
    )
