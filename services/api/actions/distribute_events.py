"""Find what webhooks are to be told."""

from datetime import datetime

from services.api.store import lanes, log, webhooks
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 10_000  # numbers of the log


async def distribute_events(pool: Pool, now: datetime) -> bool:
    """Sort some of the log into the lanes of one webhook; False when all have read all of it.

    Whether it may see an account is asked when it is told: that can change until then.
    """

    async def work(connection: Connection) -> bool:
        found = await webhooks.unread(connection)
        if found is None:
            return False
        # Waited for, not passed over: who tells it something holds it for a moment.
        webhook = await webhooks.hold(connection, *found)
        place = await log.position(connection, found[0])
        if webhook is not None and place is not None and webhook.read_to < place.seq:
            up_to = min(webhook.read_to + _AT_A_TIME, place.seq)
            await lanes.lay(connection, webhook, up_to=up_to, now=now)
            await webhooks.note_read(connection, webhook, up_to, now)
        return True

    return await in_transaction(pool, work)
