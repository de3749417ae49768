"""Accounts whose server does not serve us, and what their servers bear."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.sender.store.accounts import Account
from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Resting:
    """How an account stood before it was tried, as long as its settings are the same."""

    revision: int
    failures: int
    trouble: str | None
    rests: bool  # somebody found out before us
    held: bool  # what is told of it now is that it is held


async def hold_account(connection: Connection, account: Account) -> Resting | None:
    """How the account stands now, locked; None where it has other settings or is gone."""
    row = await connection.fetchrow(
        """
        SELECT revision, failures, trouble, coalesce(rests_until > now(), false) AS rests, held
          FROM account
         WHERE tenant_id = $1 AND account_id = $2 AND version = $3 AND removed_at IS NULL
           FOR NO KEY UPDATE
        """,
        account.tenant_id,
        account.account_id,
        account.version,
    )
    return row and Resting(**row)


async def put_rest(
    connection: Connection,
    account: Account,
    *,
    revision: int,
    failures: int,
    trouble: str | None,
    said: str | None,
    until: datetime | None,
) -> None:
    """Let an account rest until then, or let it send."""
    await connection.execute(
        """
        UPDATE account SET revision = $3, failures = $4, trouble = $5, trouble_said = $6,
                           rests_until = $7
         WHERE tenant_id = $1 AND account_id = $2
        """,
        account.tenant_id,
        account.account_id,
        revision,
        failures,
        trouble,
        said,
        until,
    )


async def end_rest(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Somebody wants the account's server asked now."""
    await connection.execute(
        """
        UPDATE account SET rests_until = NULL
         WHERE tenant_id = $1 AND account_id = $2 AND rests_until > now()
        """,
        tenant_id,
        account_id,
    )


async def session_limits(connection: Connection) -> Mapping[tuple[str, int], int]:
    """How many messages each server takes in a session, as far as it said so."""
    rows = await connection.fetch(
        """
        SELECT host, port, messages_per_session FROM submission_server
         WHERE messages_per_session IS NOT NULL
        """
    )
    return {(row["host"], row["port"]): row["messages_per_session"] for row in rows}


async def put_session_limit(connection: Connection, host: str, port: int, messages: int) -> None:
    """Remember it for the next sessions, of all replicas."""
    await connection.execute(
        """
        INSERT INTO submission_server (host, port, messages_per_session) VALUES ($1, $2, $3)
        ON CONFLICT (host, port) DO UPDATE
           SET messages_per_session = excluded.messages_per_session, learnt_at = now()
        """,
        host,
        port,
        messages,
    )


async def largest_bytes(connection: Connection, host: str, port: int) -> int | None:
    """How large a message this server takes, as far as it said so."""
    return await connection.fetchval(
        "SELECT largest_bytes FROM submission_server WHERE host = $1 AND port = $2", host, port
    )


async def put_largest_bytes(
    connection: Connection, host: str, port: int, largest: int | None
) -> None:
    """Remember it, for whoever wants to know before there is a session."""
    await connection.execute(
        """
        INSERT INTO submission_server (host, port, largest_bytes) VALUES ($1, $2, $3)
        ON CONFLICT (host, port) DO UPDATE
           SET largest_bytes = excluded.largest_bytes, learnt_at = now()
        """,
        host,
        port,
        largest,
    )
