"""Somebody knows an account's servers better than we do."""

from datetime import UTC, datetime

from services.sender import store
from shared.bus import Retry
from shared.contracts.standing import SetSenderProfile
from shared.db import Connection, Pool, in_transaction


async def set_profile(command: SetSenderProfile, pool: Pool) -> None:
    """Go by what was said, unless a newer word came before; raises Retry for an unknown account.

    Where more may go in a day, what waits for one may go now.
    """
    tenant_id, account_id = command.tenant_id, command.account_id

    async def work(connection: Connection) -> None:
        if await store.say_profile(connection, tenant_id, account_id, command.version, command.own):
            today = datetime.now(UTC).date()
            await store.give_back_days(connection, tenant_id, account_id, after=today)
        elif not await store.account_is_known(connection, tenant_id, account_id):
            raise Retry("the account is not connected yet", after_seconds=1.0)

    await in_transaction(pool, work)
