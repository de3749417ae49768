"""An account had trouble with its server: who waits, and for how long."""

import random
from dataclasses import dataclass

from services.sync.domain.backoff import next_pause
from services.sync.domain.trouble import Trouble
from services.sync.settings import Settings
from services.sync.store import connections, hosts, standing
from services.sync.store.accounts import Account
from services.sync.store.connections import Slot
from shared.contracts.account import AccountState
from shared.db import Connection, Pool, in_transaction


@dataclass(frozen=True, slots=True)
class Rested:
    """How long an account waits, and whether that is worth telling."""

    seconds: float
    worth_telling: bool


async def rest_account(
    account: Account, trouble: Trouble, slot: Slot | None, settings: Settings, pool: Pool
) -> Rested:
    """Let the account wait, and all who use its server where they would find the same.

    `slot` is that of the connection that had the trouble. Kept as rows: a replica that starts
    anew, or takes the account over, waits as long.
    """
    luck = random.random()  # noqa: S311 - spreads load, guards nothing
    endpoint = account.endpoint

    def pause(failures: int) -> float:
        return next_pause(
            failures,
            luck=luck,
            first=settings.retry_seconds,
            longest=settings.retry_longest_seconds,
            limit=trouble.limit,
        )

    async def work(connection: Connection) -> Rested:
        rest = await standing.rest_of(connection, account.account_id, account.version)
        failures = rest.failures + 1
        if trouble.is_an_ending and failures == 1:
            rested = Rested(luck, worth_telling=False)
        elif trouble.state in (AccountState.AUTH_FAILED, AccountState.REAUTH_REQUIRED):
            # Each try with a password that is refused may bring the account nearer to a lock.
            rested = Rested(settings.auth_retry_seconds * (0.9 + luck / 5), worth_telling=True)
        else:
            rested = Rested(pause(failures), worth_telling=True)
        await standing.put_rest(
            connection,
            account.account_id,
            account.tenant_id,
            account.version,
            seconds=rested.seconds,
            reason=trouble.reason,
            asked_by_server=trouble.asked_by_server,
            failures=failures,
        )
        if trouble.refuses_connection and slot is not None:
            await connections.learn(connection, slot, account.tenant_id, account.version)
        if trouble.of_host:
            host = await hosts.rests(connection, endpoint.host, endpoint.port)
            await hosts.note_trouble(
                connection,
                endpoint.host,
                endpoint.port,
                reason=trouble.reason,
                pause_seconds=pause((host.failures if host else 0) + 1),
            )
        return rested

    return await in_transaction(pool, work)
