"""A server let an account in."""

from services.sync.domain.profile import Chosen
from services.sync.store import hosts, quarantine, servers
from services.sync.store.accounts import Account
from shared.db import Connection, Pool, in_transaction


async def note_signed_in(
    account: Account, release: str, pool: Pool, *, chosen: Chosen, server_name: str | None
) -> Chosen:
    """The server is well, for all who use it; whether the account is, a round will show.

    Whose it is comes back with what somebody says of it.

    What an older release of this software could not keep, this one tries once more.
    """

    async def work(connection: Connection) -> Chosen:
        await hosts.note_success(connection, account.endpoint.host, account.endpoint.port)
        await quarantine.retry(connection, account.account_id, release)
        await servers.note_server(connection, account, chosen, _kept(server_name))
        return chosen.by(await servers.said_of(connection, account.account_id))

    return await in_transaction(pool, work)


def _kept(name: str | None) -> str | None:
    """The beginning of it, without what PostgreSQL cannot keep."""
    return None if name is None else name.replace("\0", "")[:200]
