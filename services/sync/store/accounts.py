"""Accounts as commanded, and how they are doing."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from shared.contracts.account import AccountState, ConnectSync, Endpoint, Security
from shared.db import Connection


class Account(Struct, frozen=True, kw_only=True):
    """An account to keep a copy of."""

    account_id: UUID
    tenant_id: UUID
    version: int
    email: str
    endpoint: Endpoint
    sealed: bytes  # empty where there is a grant
    grant_id: UUID | None = None


class Doing(Struct, frozen=True, kw_only=True):
    """How an account is doing, in our words and the server's."""

    state: AccountState
    reason: str | None = None
    server_said: str | None = None


async def connect(connection: Connection, command: ConnectSync, seal_key_id: str | None) -> bool:
    """Take over an account's settings; False when newer ones, or its removal, came before."""
    taken = await connection.fetchval(
        """
        INSERT INTO account AS known
               (account_id, tenant_id, version, email, host, port, security, username,
                verify_certificate, sealed, seal_key_id, grant_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (account_id) DO UPDATE
           SET version = excluded.version, email = excluded.email, host = excluded.host,
               port = excluded.port, security = excluded.security, username = excluded.username,
               verify_certificate = excluded.verify_certificate,
               sealed = excluded.sealed, seal_key_id = excluded.seal_key_id,
               grant_id = excluded.grant_id
         WHERE known.version < excluded.version AND known.removed_at IS NULL
           AND known.tenant_id = excluded.tenant_id
        RETURNING true
        """,
        command.account_id,
        command.tenant_id,
        command.version,
        command.email,
        command.endpoint.host,
        command.endpoint.port,
        command.endpoint.security.value,
        command.endpoint.username,
        command.endpoint.verify_certificate,
        command.sealed,
        seal_key_id,
        command.grant_id,
    )
    if not taken:
        return False
    for statement in (
        "INSERT INTO lease (account_id, tenant_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        "INSERT INTO clock (account_id, tenant_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    ):
        await connection.execute(statement, command.account_id, command.tenant_id)
    return True


async def account(connection: Connection, account_id: UUID) -> Account | None:
    """The account, unless it is unknown or removed."""
    row = await connection.fetchrow(
        """
        SELECT account_id, tenant_id, version, email, host, port, security, username,
               verify_certificate, sealed, grant_id
          FROM account WHERE account_id = $1 AND removed_at IS NULL
        """,
        account_id,
    )
    if row is None:
        return None
    return Account(
        account_id=row["account_id"],
        tenant_id=row["tenant_id"],
        version=row["version"],
        email=row["email"],
        endpoint=Endpoint(
            host=row["host"],
            port=row["port"],
            security=Security(row["security"]),
            username=row["username"],
            verify_certificate=row["verify_certificate"],
        ),
        sealed=row["sealed"],
        grant_id=row["grant_id"],
    )


async def seal_keys_in_use(connection: Connection) -> list[str]:
    """The ids of the keys that some password here is sealed with."""
    rows = await connection.fetch(
        "SELECT DISTINCT seal_key_id FROM account"
        " WHERE removed_at IS NULL AND seal_key_id IS NOT NULL"
    )
    return [row["seal_key_id"] for row in rows]


async def reseal(connection: Connection, known: Account, sealed: bytes, seal_key_id: str) -> None:
    """Keep the password under a newer key, unless the account has changed meanwhile."""
    await connection.execute(
        """
        UPDATE account SET sealed = $3, seal_key_id = $4
         WHERE account_id = $1 AND version = $2 AND removed_at IS NULL
        """,
        known.account_id,
        known.version,
        sealed,
        seal_key_id,
    )


async def remove(connection: Connection, account_id: UUID, tenant_id: UUID) -> bool:
    """Leave a tombstone; False when it was there already. Ends every lease on the account."""
    removed = await connection.fetchval(
        """
        INSERT INTO account AS known
               (account_id, tenant_id, version, email, host, port, security, username,
                verify_certificate, removed_at)
        VALUES ($1, $2, 0, '', '', 0, 'tls', '', true, now())
        ON CONFLICT (account_id) DO UPDATE
           SET removed_at = now(), sealed = NULL, seal_key_id = NULL, grant_id = NULL,
               email = '', username = '', host = ''
         WHERE known.removed_at IS NULL AND known.tenant_id = excluded.tenant_id
        RETURNING true
        """,
        account_id,
        tenant_id,
    )
    await connection.execute(
        "UPDATE lease SET replica_id = NULL, fence = fence + 1 WHERE account_id = $1", account_id
    )
    return bool(removed)


async def to_forget(connection: Connection) -> list[tuple[UUID, UUID]]:
    """Removed accounts (account, tenant) of which there may be rows."""
    rows = await connection.fetch(
        """
        SELECT account_id, tenant_id FROM account
         WHERE removed_at IS NOT NULL AND forgotten_at IS NULL
        """
    )
    return [(row["account_id"], row["tenant_id"]) for row in rows]


_SETTLED_SECONDS = 120.0  # so long somebody may still be at work on an account that was removed

# In this order a crash in the middle leaves nothing that could be shown.
_OF_AN_ACCOUNT = (
    ("message_content", "message_id"),
    ("message", "message_id"),
    ("thread_name", "ctid"),
    ("rethreading", "ctid"),
    ("quarantine", "ctid"),
    ("keepsake", "ctid"),
    ("retelling", "ctid"),
    ("sent_copy", "ctid"),
    ("draft_copy", "ctid"),
    ("intent", "ctid"),
    ("tombstone", "ctid"),
    ("audit", "ctid"),
    ("account_rest", "ctid"),
    ("account_use", "ctid"),
    ("oauth_grant", "ctid"),
    ("account_server", "ctid"),
    ("connection_slot", "ctid"),
    ("mailbox", "ctid"),
    ("account_state", "ctid"),
    ("clock", "ctid"),
    ("lease", "ctid"),
)


async def forget_some(connection: Connection, account_id: UUID, at_most: int) -> int:
    """Delete some rows of a removed account; how many.

    None left: it is marked as forgotten, once nobody works on it any more who could add some.
    """
    for table, key in _OF_AN_ACCOUNT:
        # What is still to be ended at its provider goes when it is.
        more = "AND revoke_at IS NULL" if table == "oauth_grant" else ""
        deleted = await connection.execute(
            f"""
            DELETE FROM {table} WHERE {key} = ANY (ARRAY(
                SELECT {key} FROM {table} WHERE account_id = $1 {more} LIMIT $2))
            """,  # noqa: S608 - names from the table above
            account_id,
            at_most,
        )
        if count := int(deleted.rpartition(" ")[2]):
            return count
    await connection.execute(
        """
        UPDATE account SET forgotten_at = now()
         WHERE account_id = $1 AND removed_at < now() - make_interval(secs => $2)
        """,
        account_id,
        _SETTLED_SECONDS,
    )
    return 0


async def doing(connection: Connection, account_id: UUID) -> Doing | None:
    """How the account is doing, as last told."""
    row = await connection.fetchrow(
        "SELECT state, reason, server_said FROM account_state WHERE account_id = $1", account_id
    )
    if row is None:
        return None
    return Doing(
        state=AccountState(row["state"]), reason=row["reason"], server_said=row["server_said"]
    )


async def put_doing(
    connection: Connection, account_id: UUID, tenant_id: UUID, doing: Doing, revision: int
) -> None:
    """Remember how the account is doing."""
    await connection.execute(
        """
        INSERT INTO account_state (account_id, tenant_id, state, reason, server_said, revision)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (account_id) DO UPDATE
           SET state = excluded.state, reason = excluded.reason,
               server_said = excluded.server_said, revision = excluded.revision,
               changed_at = now()
        """,
        account_id,
        tenant_id,
        doing.state.value,
        doing.reason,
        doing.server_said,
        revision,
    )


async def put_round(connection: Connection, account_id: UUID, began: datetime) -> None:
    """A round through all mailboxes that began then went through."""
    await connection.execute(
        "UPDATE account_state SET round_began_at = $2 WHERE account_id = $1", account_id, began
    )


async def next_revision(connection: Connection, account_id: UUID) -> int:
    """The account's next revision; whoever has it is the only one until the transaction ends."""
    revision = await connection.fetchval(
        "UPDATE clock SET revision = revision + 1 WHERE account_id = $1 RETURNING revision",
        account_id,
    )
    if revision is None:
        raise LookupError(f"account {account_id} has no clock")
    return revision


async def revision(connection: Connection, account_id: UUID) -> int | None:
    """The account's revision now; None when it is unknown."""
    return await connection.fetchval("SELECT revision FROM clock WHERE account_id = $1", account_id)


async def some(connection: Connection, account_id: UUID | None) -> list[tuple[UUID, UUID]]:
    """This account, or all of them (account, tenant); none that was removed."""
    rows = await connection.fetch(
        """
        SELECT account_id, tenant_id FROM account
         WHERE removed_at IS NULL AND ($1::uuid IS NULL OR account_id = $1)
         ORDER BY account_id
        """,
        account_id,
    )
    return [(row["account_id"], row["tenant_id"]) for row in rows]


async def raise_clocks(connection: Connection, least: int) -> None:
    """Let every account's next revision be above this one."""
    await connection.execute("UPDATE clock SET revision = greatest(revision, $1)", least)


async def count_by_state(connection: Connection) -> dict[AccountState, int]:
    """How many accounts do how."""
    rows = await connection.fetch(
        """
        SELECT state, count(*) AS accounts
          FROM account_state JOIN account USING (account_id)
         WHERE removed_at IS NULL GROUP BY state
        """
    )
    return {AccountState(row["state"]): row["accounts"] for row in rows}
