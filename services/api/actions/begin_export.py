"""Let somebody take their mail along."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.identify_caller import Who
from services.api.domain import logbook
from services.api.domain.refusals import ExportsFull
from services.api.store import audit_log, exports, log
from services.api.store.exports import Export
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.db import Pool, tenant_transaction

_MOST = 10


async def begin_export(
    pool: Pool,
    caller: Caller,
    who: Who,
    *,
    account_ids: Sequence[UUID],
    format: str,
    lives: timedelta,
) -> tuple[Export, dict[UUID, int]]:
    """What is in these accounts now, in volumes that wait to be fetched; how far the log grew.

    Raises ExportsFull.
    """
    now = datetime.now(UTC)
    new = exports.NewExport(
        export_id=uuid7(),
        account_ids=account_ids,
        format=format,
        created_at=now,
        expires_at=now + lives,
    )
    async with tenant_transaction(pool, caller) as connection:
        if await exports.count(connection, caller.tenant_id, who.person_id, now) >= _MOST:
            raise ExportsFull
        volumes = await exports.add(connection, caller.tenant_id, who.person_id, new)
        begun = who.did(
            "export.made",
            subject=shown(Kind.EXPORT, new.export_id),
            details={"accounts": [shown(Kind.ACCOUNT, each) for each in account_ids]},
        )
        await audit_log.note(connection, begun)
        grew = await log.append(
            connection,
            logbook.of_export(
                tenant_id=caller.tenant_id,
                export_id=new.export_id,
                account_ids=account_ids,
                event_id=uuid7(),
                occurred_at=now,
                more={"format": format, "expires_at": new.expires_at},
            ),
        )
    export = Export(
        export_id=new.export_id,
        account_ids=account_ids,
        format=format,
        created_at=now,
        expires_at=new.expires_at,
        tenant_id=caller.tenant_id,
        person_id=who.person_id,
        volumes=volumes,
    )
    return export, grew
