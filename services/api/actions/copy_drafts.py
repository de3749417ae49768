"""Let the account's mailbox for drafts follow what is written here."""

from uuid import UUID

import structlog

from services.api.actions.composing import message_of
from services.api.actions.drafting import remove_replaced
from services.api.domain.logbook import Entry
from services.api.domain.refusals import Refused
from services.api.store import accounts, drafts, identities, log
from services.api.store.drafts import Draft
from shared.bus import TooLarge, tell
from shared.contracts.draft import KeepDraft
from shared.contracts.envelope import Caller
from shared.db import Connection, Pool, in_transaction

logger = structlog.get_logger()

_AT_A_TIME = 20


async def copy_drafts(pool: Pool) -> dict[UUID, int] | None:
    """Ask for the copies that are due; None when none is. Returns how far logs grew."""

    async def work(connection: Connection) -> dict[UUID, int] | None:
        due = await drafts.take_due(connection, _AT_A_TIME)
        if not due:
            return None
        entries: list[Entry] = []
        for draft in due:
            entries += await _copy(connection, draft)
        return await log.append(connection, entries)

    return await in_transaction(pool, work)


async def _copy(connection: Connection, draft: Draft) -> list[Entry]:
    key = (draft.tenant_id, draft.account_id)
    account = await accounts.by_id(connection, *key)
    if account is None or not await accounts.hold_living(connection, [key]):
        return []
    caller = Caller(tenant_id=draft.tenant_id, account_ids=(draft.account_id,))
    try:
        message = await message_of(
            connection,
            caller,
            draft.created_by,
            account,
            await identities.of_account(connection, draft.tenant_id, account),
            draft.written,
            submission_id=draft.draft_id,
        )
        await tell(
            connection,
            KeepDraft(
                tenant_id=draft.tenant_id,
                account_id=draft.account_id,
                draft_id=draft.draft_id,
                version=draft.version,
                message=message,
            ),
        )
    except (Refused, TooLarge) as refused:
        # It is safe here; whoever sends it is told what is wrong.
        logger.info("draft not copied", draft_id=str(draft.draft_id), reason=str(refused))
        return []
    return await remove_replaced(connection, draft)
