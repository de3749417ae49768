"""Go on with a job of many messages."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from services.api.actions.gathering import gather
from services.api.store import accounts, jobs, log
from shared.db import Connection, Pool, in_transaction


async def gather_some(pool: Pool, hold_back: timedelta) -> dict[UUID, int] | None:
    """Make the next intent of the oldest job that is not all gathered; how far logs grew.

    None when there is no such job.
    """

    async def work(connection: Connection) -> dict[UUID, int] | None:
        waiting = await jobs.to_gather(connection)
        if waiting is None:
            return None
        tenant_id, job_id = waiting
        job = await jobs.by_id(connection, tenant_id, job_id)
        if job is None:
            return {}
        # In the order in which all who write an account's mail take what they need.
        living = await accounts.hold_living(connection, [(tenant_id, job.account_id)])
        job = await jobs.hold(connection, tenant_id, job_id)
        if job is None or job.gathered:
            return {}
        if not living:
            # Its account was removed meanwhile, and the job goes with it.
            await jobs.put_gathered(
                connection, tenant_id, job_id, messages=0, up_to=None, all_of_them=True
            )
            return {}
        entries = await gather(connection, tenant_id, job, hold_back)
        return await log.append(connection, [replace(entry, actor=job.actor) for entry in entries])

    return await in_transaction(pool, work)
