"""The database came out of a backup: what was on the bus then was heard by nobody."""

from datetime import datetime

from uuid_utils.compat import uuid7

from services.indexer.actions.ask_retell import EVERY_TENANT
from shared.bus import tell
from shared.contracts.account import RetellAccount
from shared.db import Connection


async def settle_restore(connection: Connection, _: datetime) -> None:
    """Have everything told again; until then search finds what was there."""
    await tell(
        connection,
        RetellAccount(tenant_id=EVERY_TENANT, listener="indexer", generation=uuid7()),
    )
