"""Mailboxes, and how far each was read."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.sync.domain.covered import Covered
from shared.contracts.mail import MailboxRole, SyncedMailbox
from shared.db import Connection


class Mailbox(Struct, frozen=True, kw_only=True):
    """A mailbox of an account, and our position in it."""

    mailbox_id: UUID
    tenant_id: UUID
    account_id: UUID
    path: str
    raw_name: bytes
    delimiter: str | None
    role: MailboxRole | None
    selectable: bool
    revision: int
    server_id: str | None = None  # MAILBOXID (RFC 8474)
    subscribed: bool = True
    uidvalidity: int | None = None
    first_uidnext: int | None = None
    highestmodseq: int | None = None  # every change up to it is here; None: unknown
    covered: Covered = Covered()
    copied: bool = False  # all of it was covered once
    renumbered_at: datetime | None = None  # its messages are being matched to new UIDs
    server_count: int = 0
    status: str | None = None
    compared_at: datetime | None = None
    gone_at: datetime | None = None

    @property
    def name(self) -> str:
        """The last level of the path."""
        return self.path.rpartition(self.delimiter)[2] if self.delimiter else self.path

    def told(self, *, gone: bool) -> SyncedMailbox:
        """The mailbox as listeners hear of it."""
        return SyncedMailbox(
            mailbox_id=self.mailbox_id,
            revision=self.revision,
            path=self.path,
            name=self.name,
            delimiter=self.delimiter,
            role=self.role,
            selectable=self.selectable,
            subscribed=self.subscribed,
            gone=gone,
        )


_COLUMNS = """
    mailbox_id, tenant_id, account_id, path, raw_name, delimiter, role, selectable, revision,
    server_id, subscribed, uidvalidity, first_uidnext, highestmodseq, covered, copied_at,
    renumbered_at, server_count, status, compared_at, gone_at
"""


def _mailbox(row: asyncpg.Record) -> Mailbox:
    covered: list[Any] = row["covered"]
    return Mailbox(
        mailbox_id=row["mailbox_id"],
        tenant_id=row["tenant_id"],
        account_id=row["account_id"],
        path=row["path"],
        raw_name=row["raw_name"],
        delimiter=row["delimiter"],
        role=MailboxRole(row["role"]) if row["role"] else None,
        selectable=row["selectable"],
        revision=row["revision"],
        server_id=row["server_id"],
        subscribed=row["subscribed"],
        uidvalidity=row["uidvalidity"],
        first_uidnext=row["first_uidnext"],
        highestmodseq=row["highestmodseq"],
        covered=Covered.from_bounds((part.lower, part.upper) for part in covered),
        copied=row["copied_at"] is not None,
        renumbered_at=row["renumbered_at"],
        server_count=row["server_count"],
        status=row["status"],
        compared_at=row["compared_at"],
        gone_at=row["gone_at"],
    )


def _multirange(covered: Covered) -> list[Any]:
    return [asyncpg.Range(lower, upper) for lower, upper in covered.bounds()]


async def moment(connection: Connection) -> datetime:
    """Now, by the clock that stamps all that is kept."""
    return await connection.fetchval("SELECT now()")


async def mailboxes(connection: Connection, account_id: UUID) -> list[Mailbox]:
    """Every mailbox of the account that is there."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM mailbox WHERE account_id = $1 AND gone_at IS NULL",  # noqa: S608
        account_id,
    )
    return [_mailbox(row) for row in rows]


async def gone(connection: Connection, account_id: UUID) -> list[Mailbox]:
    """Every mailbox the account once had."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM mailbox WHERE account_id = $1 AND gone_at IS NOT NULL",  # noqa: S608
        account_id,
    )
    return [_mailbox(row) for row in rows]


async def gone_lately(connection: Connection, account_id: UUID, within: timedelta) -> list[Mailbox]:
    """The mailboxes that went no longer ago than this, the last one first."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM mailbox
         WHERE account_id = $1 AND gone_at > now() - $2::interval
         ORDER BY gone_at DESC, mailbox_id
        """,  # noqa: S608 - columns from above
        account_id,
        within,
    )
    return [_mailbox(row) for row in rows]


async def mailbox(connection: Connection, mailbox_id: UUID) -> Mailbox:
    """This mailbox, whether or not it is gone; raises LookupError for one never known."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM mailbox WHERE mailbox_id = $1",  # noqa: S608
        mailbox_id,
    )
    if row is None:
        raise LookupError(f"mailbox {mailbox_id}")
    return _mailbox(row)


async def put_mailboxes(connection: Connection, mailboxes: list[Mailbox]) -> None:
    """Remember what the server lists: new mailboxes, and what is said of known ones.

    One that was gone is there again.
    """
    await connection.executemany(
        """
        INSERT INTO mailbox (mailbox_id, tenant_id, account_id, path, raw_name, delimiter, role,
                             selectable, revision, server_id, subscribed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (mailbox_id) DO UPDATE
           SET path = excluded.path, raw_name = excluded.raw_name, delimiter = excluded.delimiter,
               role = excluded.role, selectable = excluded.selectable,
               revision = excluded.revision, subscribed = excluded.subscribed, status = NULL,
               gone_at = NULL
        """,
        [
            (
                mailbox.mailbox_id,
                mailbox.tenant_id,
                mailbox.account_id,
                mailbox.path,
                mailbox.raw_name,
                mailbox.delimiter,
                mailbox.role.value if mailbox.role else None,
                mailbox.selectable,
                mailbox.revision,
                mailbox.server_id,
                mailbox.subscribed,
            )
            for mailbox in mailboxes
        ],
    )


async def begin_anew(connection: Connection, mailbox_ids: Sequence[UUID]) -> None:
    """These were gone, or held no messages: they are read from nothing, and proven anew."""
    await connection.execute(
        """
        UPDATE mailbox SET uidvalidity = NULL, highestmodseq = NULL, covered = '{}',
                           copied_at = NULL, renumbered_at = NULL, status = NULL,
                           compared_at = NULL, server_count = 0
         WHERE mailbox_id = ANY($1)
        """,
        list(mailbox_ids),
    )
    await connection.execute("DELETE FROM audit WHERE mailbox_id = ANY($1)", list(mailbox_ids))


async def put_aside(connection: Connection, mailbox_ids: list[UUID]) -> None:
    """These will get new paths: two that change places must not be in each other's way."""
    await connection.execute(
        "UPDATE mailbox SET path = mailbox_id::text WHERE mailbox_id = ANY($1)", mailbox_ids
    )


async def put_gone(connection: Connection, mailbox_ids: Sequence[UUID], revision: int) -> None:
    """These mailboxes are no longer on the server.

    Their position stays: by its UIDVALIDITY a mailbox is known when it comes back.
    """
    await connection.execute(
        "UPDATE mailbox SET gone_at = now(), revision = $2 WHERE mailbox_id = ANY($1)",
        list(mailbox_ids),
        revision,
    )


async def begin(
    connection: Connection,
    mailbox_id: UUID,
    uidvalidity: int,
    first_uidnext: int,
    highestmodseq: int | None,
    *,
    renumbered: bool,
) -> None:
    """Start to read a mailbox, from nothing, under this UIDVALIDITY.

    What is changed after this HIGHESTMODSEQ will be asked for, so it is the base from now on.
    """
    await connection.execute(
        """
        UPDATE mailbox SET uidvalidity = $2, first_uidnext = $3, highestmodseq = $4, covered = '{}',
                           copied_at = NULL, status = NULL, compared_at = NULL,
                           renumbered_at = CASE WHEN $5 THEN now() END
         WHERE mailbox_id = $1
        """,
        mailbox_id,
        uidvalidity,
        first_uidnext,
        highestmodseq,
        renumbered,
    )


async def cover(connection: Connection, mailbox_id: UUID, covered: Covered) -> None:
    """These UIDs too are accounted for."""
    await connection.execute(
        "UPDATE mailbox SET covered = covered + $2 WHERE mailbox_id = $1",
        mailbox_id,
        _multirange(covered),
    )


async def uncover(connection: Connection, mailbox_id: UUID, covered: Covered) -> None:
    """These UIDs turned out not to be accounted for: they are owed again."""
    await connection.execute(
        "UPDATE mailbox SET covered = covered - $2 WHERE mailbox_id = $1",
        mailbox_id,
        _multirange(covered),
    )


async def put_position(
    connection: Connection,
    mailbox_id: UUID,
    *,
    highestmodseq: int | None,
    server_count: int,
    server_id: str | None,
) -> None:
    """Every change up to this HIGHESTMODSEQ is here; the server says there are so many messages."""
    await connection.execute(
        """
        UPDATE mailbox SET highestmodseq = $2, server_count = $3,
                           server_id = coalesce($4, server_id), trouble = NULL
         WHERE mailbox_id = $1
        """,
        mailbox_id,
        highestmodseq,
        server_count,
        server_id,
    )


async def put_matched(connection: Connection, mailbox_id: UUID) -> None:
    """The messages of a renumbered mailbox have their new UIDs."""
    await connection.execute(
        "UPDATE mailbox SET renumbered_at = NULL WHERE mailbox_id = $1", mailbox_id
    )


async def put_copied(connection: Connection, mailbox_id: UUID) -> None:
    """All of the mailbox was covered."""
    await connection.execute(
        "UPDATE mailbox SET copied_at = coalesce(copied_at, now()) WHERE mailbox_id = $1",
        mailbox_id,
    )


async def put_compared(
    connection: Connection, mailbox_id: UUID, status: str | None, compared_at: datetime
) -> None:
    """Everything in the mailbox was compared, from this moment on, when STATUS said this."""
    await connection.execute(
        "UPDATE mailbox SET status = $2, compared_at = $3 WHERE mailbox_id = $1",
        mailbox_id,
        status,
        compared_at,
    )


async def put_trouble(connection: Connection, mailbox_id: UUID, trouble: str) -> None:
    """The mailbox could not be read, in the server's words."""
    await connection.execute(
        "UPDATE mailbox SET trouble = $2 WHERE mailbox_id = $1", mailbox_id, trouble[:500]
    )


async def kept(connection: Connection, account_id: UUID) -> int:
    """How many messages of the account are kept or quarantined."""
    return await connection.fetchval(
        """
        SELECT (SELECT count(*) FROM message WHERE account_id = $1 AND uid IS NOT NULL)
             + (SELECT count(*) FROM quarantine WHERE account_id = $1)
        """,
        account_id,
    )
