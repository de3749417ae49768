"""After a restore the database is as it was, and the world is not: what follows is done once.

Every service has a table `restoration`. A row is written by the step that brings the database to
this release, when it finds that the database came out of a backup, or by `python -m shared.db
restored`. The service does what a restore asks of it before it serves, under a lock, so that of
several replicas one does it and the others wait for it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from shared.db.pool import Connection, Pool
from shared.db.transactions import in_transaction

log = structlog.get_logger()

# How a restored cluster says so: a setting of its own, written beside the data.
SETTING = "postbus.restored"


async def settle_restoration(
    pool: Pool, settle: Callable[[Connection, datetime], Awaitable[None]]
) -> bool:
    """Do what a restore asks of a service; False when there was none that is not settled.

    `settle` is given the moment since which the restored database is in use: whatever was due
    before it may have been done already, by the platform whose backup this was.
    """

    async def work(connection: Connection) -> bool:
        # Longer than any statement may take elsewhere: everything is looked at, once.
        await connection.execute("SET LOCAL statement_timeout = '15min'")
        await connection.execute("SET LOCAL lock_timeout = '15min'")
        rows = await connection.fetch(
            """
            SELECT restoration_id, noticed_at FROM restoration
             WHERE settled_at IS NULL ORDER BY noticed_at FOR UPDATE
            """
        )
        if not rows:
            return False
        await settle(connection, rows[-1]["noticed_at"])
        await connection.execute(
            "UPDATE restoration SET settled_at = now() WHERE restoration_id = ANY($1)",
            [row["restoration_id"] for row in rows],
        )
        return True

    settled = await in_transaction(pool, work)
    if settled:
        log.warning("the database came out of a backup: what may have been done since is held")
    return settled
