"""Before an account signs in: may it, and has it a connection left?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from services.sync.domain.budget import budget_of
from services.sync.domain.reason import Reason
from services.sync.settings import Settings
from services.sync.store import accounts, connections, hosts, servers, standing
from services.sync.store.accounts import Account
from services.sync.store.connections import Slot
from shared.db import Connection, Pool, in_transaction

_NO_SLOT_SECONDS = 15.0


class Wait(Struct, frozen=True, kw_only=True):
    """The account does not sign in before this moment."""

    until: datetime
    reason: str  # stable code
    of_host: bool = False  # nobody calls this server now, and of this account that is not told yet
    for_the_only: bool = False  # the only connection the account may have is in use


async def take_turn(
    account: Account,
    role: str,
    replica_id: UUID,
    settings: Settings,
    pool: Pool,
    *,
    alone: bool = False,
) -> Slot | Wait:
    """A slot for one connection, to be given back when it is closed; or how long to wait for one.

    `alone`: this replica has no other connection of the account in this role. What it could not
    give back while the database was away, it gives back now.
    """

    async def work(connection: Connection) -> Slot | Wait:
        rest = await standing.rest_of(connection, account.account_id, account.version)
        if rest.until is not None:
            return Wait(until=rest.until, reason=rest.reason or Reason.UNREACHABLE)
        server = await servers.learnt(
            connection, account.account_id, account.endpoint.host, account.version
        )
        budget = budget_of(
            server.chosen,
            connections=settings.connections_per_account,
            learnt=rest.connections_learnt,
        )
        if alone:
            await connections.release_own(connection, [account.account_id], role, replica_id)
        slot = await connections.claim_slot(
            connection,
            account.account_id,
            account.tenant_id,
            role,
            budget.connections,
            replica_id,
        )
        if slot is None:
            return Wait(
                until=datetime.now(UTC) + timedelta(seconds=_NO_SLOT_SECONDS),
                reason=Reason.TOO_MANY_CONNECTIONS,
                for_the_only=budget.connections == 1,
            )
        waits = await hosts.waits(
            connection,
            account.endpoint.host,
            account.endpoint.port,
            account.account_id,
            try_seconds=settings.command_seconds,
        )
        if waits is not None:
            await connections.release_slot(connection, slot)
            doing = await accounts.doing(connection, account.account_id)
            told = doing is not None and doing.reason == waits.reason
            return Wait(until=waits.until, reason=waits.reason, of_host=not told)
        return slot

    return await in_transaction(pool, work)
