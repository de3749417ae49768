"""Keep a message while it is being written."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.drafting import COPY_AFTER_SECONDS, held, said, use_uploads
from services.api.domain.logbook import EventType
from services.api.domain.refusals import NotFound
from services.api.domain.writing import Written
from services.api.store import accounts, drafts, log
from services.api.store.drafts import Draft
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def create_draft(
    pool: Pool,
    caller: Caller,
    person_id: UUID,
    account_id: UUID,
    written: Written,
    *,
    replaces: UUID | None = None,
) -> tuple[Draft, dict[UUID, int]]:
    """A new draft, or the one in which the message is edited already; raises NotFound.

    And how far the log grew.
    """
    now = datetime.now(UTC)
    new = Draft(
        tenant_id=caller.tenant_id,
        draft_id=uuid7(),
        account_id=account_id,
        created_by=person_id,
        version=1,
        written=written,
        replaces=replaces,
        created_at=now,
        updated_at=now,
    )
    async with tenant_transaction(pool, caller) as connection:
        if not await accounts.hold_living(connection, [(caller.tenant_id, account_id)]):
            raise NotFound("There is no such account.", pointers=("/account_id",))
        if not await drafts.add(connection, caller.tenant_id, new, COPY_AFTER_SECONDS):
            assert replaces is not None
            known = await drafts.of_message(connection, caller.tenant_id, replaces)
            if known is None:
                raise NotFound
            return known, {}
        await use_uploads(connection, caller, person_id, new.draft_id, written)
        return new, await log.append(connection, [said(EventType.DRAFT_CREATED, new)])


async def save_draft(
    pool: Pool,
    caller: Caller,
    person_id: UUID,
    draft_id: UUID,
    changed: Callable[[Written], Written],
    *,
    versions: frozenset[int] | None,
) -> tuple[Draft, dict[UUID, int]]:
    """Its next version, made of one of these versions; raises NotFound, ChangedMeanwhile.

    And how far the log grew.
    """
    async with tenant_transaction(pool, caller) as connection:
        before = await held(connection, caller, draft_id, versions)
        written = changed(before.written)
        if written == before.written:
            return before, {}
        await drafts.save(
            connection,
            caller.tenant_id,
            draft_id,
            written,
            datetime.now(UTC),
            COPY_AFTER_SECONDS,
        )
        await use_uploads(connection, caller, person_id, draft_id, written)
        after = await drafts.by_id(connection, caller.tenant_id, draft_id)
        assert after is not None, "held"
        return after, await log.append(connection, [said(EventType.DRAFT_UPDATED, after)])
