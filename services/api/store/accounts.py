"""Mail accounts: how they are reached, and how sync says they are doing. No passwords."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.api.domain.told import storable
from shared.contracts.account import (
    AccountChanged,
    AccountProgressed,
    Endpoint,
    Security,
    SendingChanged,
)
from shared.contracts.standing import OwnProfile
from shared.contracts.submission import InDoubt
from shared.db import Connection


class Account(Struct, frozen=True, kw_only=True):
    """One mail account of a tenant."""

    account_id: UUID
    name: str
    email: str
    version: int
    imap: Endpoint
    smtp: Endpoint
    state: str
    reason: str | None
    server_said: str | None
    progress_done: int | None
    progress_total: int | None
    progress_mailbox: str | None
    progress_ends_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    paused: bool = False  # wanted; sync tells when it is so
    sending: str = "ready"
    sending_reason: str | None = None
    sending_server_said: str | None = None
    sending_retry_at: datetime | None = None
    any_sender: bool = False  # one may write as anybody
    oauth_provider: str | None = None  # who gives the consent it signs in by; None: a password
    in_doubt: str = InDoubt.HOLD.value  # with messages that may have been sent


_ACCOUNT = """
    SELECT account_id, name, email, version, state, reason, server_said,
           imap_host, imap_port, imap_security, imap_username, imap_verify_certificate,
           smtp_host, smtp_port, smtp_security, smtp_username, smtp_verify_certificate,
           progress_done, progress_total, progress_mailbox, progress_ends_at,
           created_at, updated_at, paused, any_sender, oauth_provider, in_doubt,
           sending, sending_reason, sending_server_said, sending_retry_at
      FROM account
"""
_ONE = f"{_ACCOUNT} WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL"


# --- What callers do ------------------------------------------------------------------------------


async def add(connection: Connection, tenant_id: UUID, account: Account) -> None:
    await connection.execute(
        """
        INSERT INTO account (tenant_id, account_id, name, email, version, state,
               imap_host, imap_port, imap_security, imap_username, imap_verify_certificate,
               smtp_host, smtp_port, smtp_security, smtp_username, smtp_verify_certificate,
               created_at, updated_at, oauth_provider)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19)
        """,
        tenant_id,
        account.account_id,
        account.name,
        account.email,
        account.version,
        account.state,
        *_columns(account.imap),
        *_columns(account.smtp),
        account.created_at,
        account.updated_at,
        account.oauth_provider,
    )


async def all_of(connection: Connection, tenant_id: UUID) -> list[Account]:
    rows = await connection.fetch(
        f"{_ACCOUNT} WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY account_id", tenant_id
    )
    return [_account(row) for row in rows]


async def by_id(connection: Connection, tenant_id: UUID, account_id: UUID) -> Account | None:
    """The account, if it is there."""
    row = await connection.fetchrow(_ONE, tenant_id, account_id)
    return row and _account(row)


async def hold_existing(
    connection: Connection, tenant_id: UUID, account_ids: Iterable[UUID]
) -> dict[UUID, Account]:
    """Those of these accounts that are there, and will be until the transaction ends."""
    rows = await connection.fetch(
        f"""
        {_ACCOUNT}
         WHERE tenant_id = $1 AND account_id = ANY ($2) AND deleted_at IS NULL
         ORDER BY account_id FOR SHARE
        """,
        tenant_id,
        list(account_ids),
    )
    return {row["account_id"]: _account(row) for row in rows}


async def hold(connection: Connection, tenant_id: UUID, account_id: UUID) -> Account | None:
    """The account, if it is there; nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(f"{_ONE} FOR UPDATE", tenant_id, account_id)
    return row and _account(row)


async def change(connection: Connection, tenant_id: UUID, account: Account) -> None:
    """The account with new settings; how it is doing is as told with them."""
    await connection.execute(
        """
        UPDATE account
           SET name = $3, version = $4, state = $5, reason = $6, server_said = $7, updated_at = $8,
               imap_host = $9, imap_port = $10, imap_security = $11, imap_username = $12,
               imap_verify_certificate = $13,
               smtp_host = $14, smtp_port = $15, smtp_security = $16, smtp_username = $17,
               smtp_verify_certificate = $18, any_sender = $19, oauth_provider = $20,
               in_doubt = $21
         WHERE tenant_id = $1 AND account_id = $2
        """,
        tenant_id,
        account.account_id,
        account.name,
        account.version,
        account.state,
        account.reason,
        account.server_said,
        account.updated_at,
        *_columns(account.imap),
        *_columns(account.smtp),
        account.any_sender,
        account.oauth_provider,
        account.in_doubt,
    )


async def say_profile(
    connection: Connection, tenant_id: UUID, account_id: UUID, own: OwnProfile
) -> int | None:
    """Say this of an account's servers; the version of that word, or None when it is not there."""
    return await connection.fetchval(
        """
        UPDATE account SET own_profile = $3, own_profile_version = own_profile_version + 1
         WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL
        RETURNING own_profile_version
        """,
        tenant_id,
        account_id,
        msgspec.json.encode(own).decode(),
    )


async def profile_of(
    connection: Connection, tenant_id: UUID, account_id: UUID
) -> OwnProfile | None:
    """What was said of an account's servers; None when it is not there."""
    said = await connection.fetchval(
        """
        SELECT own_profile FROM account
         WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL
        """,
        tenant_id,
        account_id,
    )
    return None if said is None else msgspec.json.decode(said, type=OwnProfile)


async def switch(
    connection: Connection, tenant_id: UUID, account_id: UUID, *, paused: bool
) -> int | None:
    """Want an account paused, or not; the version of that wish, or None when it is not there."""
    return await connection.fetchval(
        """
        UPDATE account SET paused = $3, pause_version = pause_version + 1
         WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL
        RETURNING pause_version
        """,
        tenant_id,
        account_id,
        paused,
    )


async def bury(connection: Connection, tenant_id: UUID, account_id: UUID, now: datetime) -> bool:
    """Mark an account deleted; False when there was none. Waits for pages being written to it."""
    return bool(
        await connection.fetchval(
            """
            UPDATE account SET deleted_at = $3, updated_at = $3
             WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL
            RETURNING true
            """,
            tenant_id,
            account_id,
            now,
        )
    )


# --- What sync tells ------------------------------------------------------------------------------


async def hold_living(
    connection: Connection, accounts: Iterable[tuple[UUID, UUID]]
) -> set[tuple[UUID, UUID]]:
    """Those of these (tenant, account) that are not deleted, and will not be before the commit.

    Taken first by whatever writes an account's mail: a deletion waits, and what is told after it
    finds the tombstone.
    """
    keys = sorted(set(accounts))
    rows = await connection.fetch(
        """
        SELECT tenant_id, account_id
          FROM account
          JOIN unnest($1::uuid[], $2::uuid[]) AS told (tenant_id, account_id)
         USING (tenant_id, account_id)
         WHERE deleted_at IS NULL
         ORDER BY tenant_id, account_id
           FOR SHARE OF account
        """,
        [tenant_id for tenant_id, _ in keys],
        [account_id for _, account_id in keys],
    )
    return {(row["tenant_id"], row["account_id"]) for row in rows}


async def hold_alone(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Let nobody else write the account's mail before the commit."""
    await connection.execute(
        "SELECT FROM account WHERE tenant_id = $1 AND account_id = $2 FOR UPDATE",
        tenant_id,
        account_id,
    )


async def put_states(
    connection: Connection, told: Sequence[AccountChanged]
) -> set[tuple[UUID, UUID]]:
    """How accounts are doing, by the newest revision; returns those that now do differently.

    One event for each account, sorted by tenant and account.
    """
    rows = await connection.fetch(
        """
        UPDATE account AS known
           SET state = told.state, reason = told.reason, server_said = told.server_said,
               revision = told.revision
          FROM (SELECT account.tenant_id, account.account_id, heard.revision,
                       heard.state, heard.reason, heard.server_said
                  FROM account
                  JOIN unnest($1::uuid[], $2::uuid[], $3::bigint[],
                              $4::text[], $5::text[], $6::text[])
                    AS heard (tenant_id, account_id, revision, state, reason, server_said)
                 USING (tenant_id, account_id)
                 WHERE deleted_at IS NULL AND heard.revision > account.revision
                 ORDER BY tenant_id, account_id
                   FOR UPDATE OF account) AS told
         WHERE known.tenant_id = told.tenant_id AND known.account_id = told.account_id
        RETURNING WITH (OLD AS before, NEW AS after)
                  after.tenant_id, after.account_id,
                  (before.state, before.reason, before.server_said)
                  IS DISTINCT FROM (after.state, after.reason, after.server_said) AS differs
        """,
        [event.tenant_id for event in told],
        [event.account_id for event in told],
        [event.revision for event in told],
        [event.state.value for event in told],
        [event.reason for event in told],
        [event.server_said and storable(event.server_said) for event in told],
    )
    return {(row["tenant_id"], row["account_id"]) for row in rows if row["differs"]}


async def put_sending(
    connection: Connection, told: Sequence[SendingChanged]
) -> set[tuple[UUID, UUID]]:
    """Whether accounts can send, by the newest revision; returns those for which this was news.

    One event for each account, sorted by tenant and account.
    """
    rows = await connection.fetch(
        """
        UPDATE account AS known
           SET sending = told.state, sending_reason = told.reason,
               sending_server_said = told.server_said, sending_retry_at = told.retry_at,
               sending_revision = told.revision
          FROM (SELECT account.tenant_id, account.account_id, heard.revision, heard.state,
                       heard.reason, heard.server_said, heard.retry_at
                  FROM account
                  JOIN unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[],
                              $6::text[], $7::timestamptz[])
                    AS heard (tenant_id, account_id, revision, state, reason, server_said, retry_at)
                 USING (tenant_id, account_id)
                 WHERE deleted_at IS NULL AND heard.revision > account.sending_revision
                 ORDER BY tenant_id, account_id
                   FOR UPDATE OF account) AS told
         WHERE known.tenant_id = told.tenant_id AND known.account_id = told.account_id
        RETURNING known.tenant_id, known.account_id
        """,
        [event.tenant_id for event in told],
        [event.account_id for event in told],
        [event.revision for event in told],
        [event.state.value for event in told],
        [event.reason for event in told],
        [event.server_said and storable(event.server_said) for event in told],
        [event.retry_at for event in told],
    )
    return {(row["tenant_id"], row["account_id"]) for row in rows}


async def put_progress(
    connection: Connection, told: Sequence[AccountProgressed]
) -> set[tuple[UUID, UUID]]:
    """How far first copies came; returns the accounts for which this was news."""
    rows = await connection.fetch(
        """
        UPDATE account AS known
           SET progress_done = told.done, progress_total = told.total,
               progress_mailbox = told.mailbox, progress_ends_at = told.ends_at,
               progress_revision = told.revision
          FROM (SELECT account.tenant_id, account.account_id, heard.revision,
                       heard.done, heard.total, heard.mailbox, heard.ends_at
                  FROM account
                  JOIN unnest($1::uuid[], $2::uuid[], $3::bigint[],
                              $4::bigint[], $5::bigint[], $6::text[], $7::timestamptz[])
                    AS heard (tenant_id, account_id, revision, done, total, mailbox, ends_at)
                 USING (tenant_id, account_id)
                 WHERE deleted_at IS NULL AND heard.revision > account.progress_revision
                 ORDER BY tenant_id, account_id
                   FOR UPDATE OF account) AS told
         WHERE known.tenant_id = told.tenant_id AND known.account_id = told.account_id
        RETURNING known.tenant_id, known.account_id
        """,
        [event.tenant_id for event in told],
        [event.account_id for event in told],
        [event.revision for event in told],
        [event.done for event in told],
        [event.total for event in told],
        [event.mailbox and storable(event.mailbox) for event in told],
        [event.ends_at for event in told],
    )
    return {(row["tenant_id"], row["account_id"]) for row in rows}


# --- Forgetting -----------------------------------------------------------------------------------


async def to_forget(connection: Connection) -> tuple[UUID, UUID] | None:
    """A deleted account whose mail is still here, held so that one worker does it."""
    row = await connection.fetchrow(
        """
        SELECT tenant_id, account_id FROM account
         WHERE deleted_at IS NOT NULL AND forgotten_at IS NULL
         ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    return row and (row["tenant_id"], row["account_id"])


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Leave of an account only that its id was used."""
    await connection.execute(
        """
        UPDATE account
           SET forgotten_at = now(), name = '', email = '', reason = NULL, server_said = NULL,
               imap_host = '', imap_username = '', smtp_host = '', smtp_username = '',
               progress_mailbox = NULL, progress_ends_at = NULL,
               sending_reason = NULL, sending_server_said = NULL
         WHERE tenant_id = $1 AND account_id = $2
        """,
        tenant_id,
        account_id,
    )


async def forget_tombstones(connection: Connection, *, before: datetime) -> None:
    await connection.execute(
        "DELETE FROM account WHERE deleted_at < $1 AND forgotten_at IS NOT NULL", before
    )


def _columns(endpoint: Endpoint) -> tuple[Any, ...]:
    return (
        endpoint.host,
        endpoint.port,
        endpoint.security.value,
        endpoint.username,
        endpoint.verify_certificate,
    )


def _account(row: asyncpg.Record) -> Account:
    return Account(
        account_id=row["account_id"],
        name=row["name"],
        email=row["email"],
        version=row["version"],
        imap=_endpoint(row, "imap"),
        smtp=_endpoint(row, "smtp"),
        state=row["state"],
        reason=row["reason"],
        server_said=row["server_said"],
        progress_done=row["progress_done"],
        progress_total=row["progress_total"],
        progress_mailbox=row["progress_mailbox"],
        progress_ends_at=row["progress_ends_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        paused=row["paused"],
        sending=row["sending"],
        sending_reason=row["sending_reason"],
        sending_server_said=row["sending_server_said"],
        sending_retry_at=row["sending_retry_at"],
        any_sender=row["any_sender"],
        oauth_provider=row["oauth_provider"],
        in_doubt=row["in_doubt"],
    )


def _endpoint(row: asyncpg.Record, protocol: str) -> Endpoint:
    return Endpoint(
        host=row[f"{protocol}_host"],
        port=row[f"{protocol}_port"],
        security=Security(row[f"{protocol}_security"]),
        username=row[f"{protocol}_username"],
        verify_certificate=row[f"{protocol}_verify_certificate"],
    )
