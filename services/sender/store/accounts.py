"""Accounts we may send for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from services.sender.domain.turns import Sender
from shared.contracts.account import ConnectSender, Endpoint, HoldSender, Security
from shared.contracts.standing import OwnProfile
from shared.db import Connection
from shared.dial.own_profile import submission_profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How an account's submission server is reached."""

    account_id: UUID
    tenant_id: UUID
    version: int
    endpoint: Endpoint
    sealed: bytes  # empty where tokens are asked for
    trouble: str | None  # why it could not send when it was tried last
    by_token: bool = False
    own: OwnProfile = field(default_factory=OwnProfile)  # what somebody said of its servers

    @property
    def messages_per_day(self) -> int | None:
        """How many messages it may send in a day; None: as many as the server takes."""
        return submission_profile(self.endpoint.host, self.own).messages_per_day

    @property
    def sender(self) -> Sender:
        return Sender(self.tenant_id, self.account_id)


async def put_account(connection: Connection, command: ConnectSender) -> bool:
    """Take these settings if they are newer than ours and the account was not removed."""
    endpoint = command.endpoint
    return bool(
        await connection.fetchval(
            """
            INSERT INTO account AS known
                   (account_id, tenant_id, version, email, host, port, security, username,
                    verify_certificate, sealed, by_token)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (account_id) DO UPDATE
               SET version = excluded.version, email = excluded.email, host = excluded.host,
                   port = excluded.port, security = excluded.security,
                   username = excluded.username, sealed = excluded.sealed,
                   by_token = excluded.by_token,
                   verify_certificate = excluded.verify_certificate, connected_at = now(),
                   failures = 0, rests_until = NULL
             WHERE known.tenant_id = excluded.tenant_id
               AND known.version < excluded.version
               AND known.removed_at IS NULL
            RETURNING true
            """,
            command.account_id,
            command.tenant_id,
            command.version,
            command.email,
            endpoint.host,
            endpoint.port,
            endpoint.security.value,
            endpoint.username,
            endpoint.verify_certificate,
            command.sealed,
            command.by_token,
        )
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """How an account that is held, or goes on, stands with its server."""

    revision: int
    trouble: str | None
    trouble_said: str | None
    rests_until: datetime | None


async def account_is_known(connection: Connection, tenant_id: UUID, account_id: UUID) -> bool:
    """Whether we ever heard of it; one that was removed is known, too."""
    return await connection.fetchval(
        "SELECT EXISTS (SELECT FROM account WHERE tenant_id = $1 AND account_id = $2)",
        tenant_id,
        account_id,
    )


async def put_hold(connection: Connection, command: HoldSender) -> Hold | None:
    """Hold what the account sends, or let it go; None where that is no news."""
    row = await connection.fetchrow(
        """
        WITH known AS (
            SELECT account_id, held FROM account
             WHERE tenant_id = $1 AND account_id = $2 AND hold_version < $3
               AND removed_at IS NULL
               FOR NO KEY UPDATE
        )
        UPDATE account
           SET held = $4, hold_version = $3,
               revision = revision + CASE WHEN known.held = $4 THEN 0 ELSE 1 END
          FROM known
         WHERE account.account_id = known.account_id
        RETURNING revision, trouble, trouble_said, rests_until, known.held <> $4 AS is_news
        """,
        command.tenant_id,
        command.account_id,
        command.version,
        command.held,
    )
    if row is None or not row["is_news"]:
        return None
    return Hold(row["revision"], row["trouble"], row["trouble_said"], row["rests_until"])


async def say_profile(
    connection: Connection, tenant_id: UUID, account_id: UUID, version: int, own: OwnProfile
) -> bool:
    """Go by this from now on; False when a newer word came before, or the account is not there."""
    said = await connection.fetchval(
        """
        UPDATE account SET own_profile = $4, own_profile_version = $3
         WHERE tenant_id = $1 AND account_id = $2 AND own_profile_version < $3
           AND removed_at IS NULL
        RETURNING true
        """,
        tenant_id,
        account_id,
        version,
        msgspec.json.encode(own).decode(),
    )
    return bool(said)


async def bury_account(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Leave a tombstone: the secret goes, and no older command brings the account back."""
    await connection.execute(
        """
        INSERT INTO account AS known (account_id, tenant_id, version, removed_at)
        VALUES ($2, $1, 0, now())
        ON CONFLICT (account_id) DO UPDATE
           SET removed_at = coalesce(known.removed_at, now()), sealed = NULL, username = NULL,
               host = NULL, port = NULL, security = NULL, email = NULL,
               verify_certificate = NULL
         WHERE known.tenant_id = excluded.tenant_id
        """,
        tenant_id,
        account_id,
    )


async def forget_what_is_no_messages(
    connection: Connection, tenant_id: UUID, account_id: UUID
) -> None:
    """How much a removed account might send; and whom its tenant shuns, when it sends no more."""
    await connection.execute(
        "DELETE FROM pace WHERE tenant_id = $1 AND account_id = $2", tenant_id, account_id
    )
    await connection.execute(
        "DELETE FROM day_use WHERE tenant_id = $1 AND account_id = $2", tenant_id, account_id
    )
    await connection.execute(
        """
        DELETE FROM suppression WHERE tenant_id = $1 AND NOT EXISTS (
               SELECT FROM account WHERE tenant_id = $1 AND removed_at IS NULL)
        """,
        tenant_id,
    )


async def account_is_removed(
    connection: Connection, tenant_id: UUID, account_id: UUID
) -> bool | None:
    """Whether it was removed; None for an account we never heard of. Holds off its removal."""
    return await connection.fetchval(
        """
        SELECT removed_at IS NOT NULL FROM account
         WHERE tenant_id = $1 AND account_id = $2 FOR SHARE
        """,
        tenant_id,
        account_id,
    )


async def accounts_removed(
    connection: Connection, senders: Collection[Sender]
) -> dict[Sender, bool]:
    """Of those of these accounts that we heard of, whether they were removed; held as they are."""
    rows = await connection.fetch(
        """
        SELECT tenant_id, account_id, removed_at IS NOT NULL AS removed
          FROM account JOIN unnest($1::uuid[], $2::uuid[]) AS asked (tenant_id, account_id)
               USING (tenant_id, account_id)
         ORDER BY account_id FOR SHARE OF account
        """,
        [sender.tenant_id for sender in senders],
        [sender.account_id for sender in senders],
    )
    return {Sender(row["tenant_id"], row["account_id"]): row["removed"] for row in rows}


_ACCOUNT = """
    SELECT account_id, tenant_id, version, host, port, security, username, verify_certificate,
           sealed, trouble, by_token, own_profile
      FROM account WHERE account_id = ANY($1) AND removed_at IS NULL
"""


async def accounts(connection: Connection, account_ids: Collection[UUID]) -> dict[Sender, Account]:
    """How to reach those of these accounts that were not removed."""
    return _by_sender(await connection.fetch(_ACCOUNT, list(account_ids)))


async def hold_accounts(
    connection: Connection, account_ids: Collection[UUID]
) -> dict[Sender, Account]:
    """The same, without those that are held; none of them is removed or held before the commit."""
    query = f"{_ACCOUNT} AND NOT held ORDER BY account_id FOR SHARE"
    return _by_sender(await connection.fetch(query, list(account_ids)))


def _by_sender(rows: Sequence[asyncpg.Record]) -> dict[Sender, Account]:
    found = [_account(row) for row in rows]
    return {account.sender: account for account in found}


def _account(row: asyncpg.Record) -> Account:
    return Account(
        account_id=row["account_id"],
        tenant_id=row["tenant_id"],
        version=row["version"],
        endpoint=Endpoint(
            host=row["host"],
            port=row["port"],
            security=Security(row["security"]),
            username=row["username"],
            verify_certificate=row["verify_certificate"],
        ),
        sealed=row["sealed"],
        trouble=row["trouble"],
        by_token=row["by_token"],
        own=msgspec.json.decode(row["own_profile"], type=OwnProfile),
    )


async def put_resealed(connection: Connection, account: Account, sealed: bytes) -> None:
    """Keep the same secret under the newest key, unless newer settings came meanwhile."""
    await connection.execute(
        """
        UPDATE account SET sealed = $4
         WHERE tenant_id = $1 AND account_id = $2 AND version = $3 AND removed_at IS NULL
        """,
        account.tenant_id,
        account.account_id,
        account.version,
        sealed,
    )


async def sealed_headers(connection: Connection) -> list[bytes]:
    """The beginning of each sealed secret, which names its key; each beginning once."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT substring(sealed FROM 1 FOR 2 + get_byte(sealed, 1)) AS header
          FROM account WHERE length(sealed) > 2
        """
    )
    return [row["header"] for row in rows]


async def removed_accounts_with_submissions(connection: Connection) -> list[tuple[UUID, UUID]]:
    """Tenant and id of accounts that were removed while something was on its way."""
    rows = await connection.fetch(
        """
        SELECT tenant_id, account_id FROM account
         WHERE removed_at IS NOT NULL
           AND EXISTS (SELECT FROM submission
                        WHERE submission.tenant_id = account.tenant_id
                          AND submission.account_id = account.account_id)
        """
    )
    return [(row["tenant_id"], row["account_id"]) for row in rows]
