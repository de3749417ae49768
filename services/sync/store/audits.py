"""Proofs: what a server had and what was kept of it, and which mailboxes want another."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from services.sync.store.leases import Lease
from shared.contracts.audit import AuditMailbox, Bucket, MailboxProof
from shared.db import Connection


class Proof(Struct, frozen=True, kw_only=True):
    """What is kept of a mailbox as of a revision."""

    kept: int
    quarantined: int
    proven_at: datetime


class Verdict(Struct, frozen=True, kw_only=True):
    """A mailbox of an account, by the names people know, and what its last proof said."""

    account_id: UUID
    path: str
    paused: bool
    server: int  # messages, as of the proof; so are the others
    kept: int
    quarantined: int
    proven_at: datetime | None  # None: not yet

    @property
    def lacking(self) -> int:
        """Messages on the server that nothing accounts for; below zero, too many here."""
        return self.server - self.kept - self.quarantined

    def is_since(self, moment: datetime) -> bool:
        """Whether it was compared since."""
        return self.proven_at is not None and self.proven_at >= moment


class Standing(Struct, frozen=True, kw_only=True):
    """How well all that is kept here is proven."""

    unproven_messages: int
    oldest_proof_seconds: float


async def prove(
    connection: Connection, lease: Lease, mailbox_id: UUID, server_count: int, as_of_revision: int
) -> Proof | None:
    """Count what is kept of a mailbox and remember it as proven; None when the mailbox is gone.

    Whoever proves has the account's clock: nothing changes until the transaction ends. What was
    asked for meanwhile stays due.
    """
    row = await connection.fetchrow(
        """
        INSERT INTO audit AS known (mailbox_id, tenant_id, account_id, server_count, kept_count,
                                    quarantined_count, as_of_revision, proven_at)
        SELECT mailbox_id, tenant_id, account_id, $3,
               (SELECT count(*) FROM message
                 WHERE message.mailbox_id = mailbox.mailbox_id AND uid IS NOT NULL),
               (SELECT count(*) FROM quarantine
                 WHERE quarantine.mailbox_id = mailbox.mailbox_id),
               $4, clock_timestamp()
          FROM mailbox WHERE mailbox_id = $1 AND account_id = $2 AND gone_at IS NULL
        ON CONFLICT (mailbox_id) DO UPDATE
           SET server_count = excluded.server_count, kept_count = excluded.kept_count,
               quarantined_count = excluded.quarantined_count,
               as_of_revision = excluded.as_of_revision, proven_at = excluded.proven_at,
               due_at = CASE WHEN known.due_at > excluded.proven_at THEN known.due_at END
        RETURNING kept_count, quarantined_count, proven_at
        """,
        mailbox_id,
        lease.account_id,
        server_count,
        as_of_revision,
    )
    return row and Proof(
        kept=row["kept_count"], quarantined=row["quarantined_count"], proven_at=row["proven_at"]
    )


async def buckets(connection: Connection, mailbox_id: UUID) -> list[tuple[int, Bucket]]:
    """The messages of a mailbox as shared/contracts/audit.py tells of them.

    One that waits for its new UID (renumbered) is in its mailbox for everybody but the server.
    """
    rows = await connection.fetch(
        """
        SELECT get_byte(uuid_send(message_id), 15) AS bucket, count(*) AS messages,
               bit_xor(uuid_hash_extended(message_id, revision)) AS hash
          FROM message WHERE mailbox_id = $1 GROUP BY bucket
        """,
        mailbox_id,
    )
    return [(row["bucket"], Bucket(row["messages"], row["hash"])) for row in rows]


async def ask(connection: Connection, command: AuditMailbox) -> None:
    """Let a mailbox be compared again after a while; the earliest wish counts."""
    await connection.execute(
        """
        INSERT INTO audit AS known (mailbox_id, tenant_id, account_id, due_at)
        SELECT mailbox_id, tenant_id, account_id, now() + make_interval(secs => $4)
          FROM mailbox
         WHERE mailbox_id = $1 AND account_id = $2 AND tenant_id = $3 AND gone_at IS NULL
        ON CONFLICT (mailbox_id) DO UPDATE SET due_at = least(known.due_at, excluded.due_at)
        """,
        command.mailbox_id,
        command.account_id,
        command.tenant_id,
        max(0.0, command.wait_seconds),
    )


async def ask_now(connection: Connection, account_id: UUID | None) -> datetime:
    """Let every mailbox of an account, or of all, be compared at once; the moment of the wish."""
    moment = await connection.fetchval("SELECT clock_timestamp()")
    await connection.execute(
        """
        INSERT INTO audit AS known (mailbox_id, tenant_id, account_id, due_at)
        SELECT mailbox_id, mailbox.tenant_id, mailbox.account_id, $2
          FROM mailbox JOIN account USING (account_id)
         WHERE gone_at IS NULL AND selectable AND removed_at IS NULL
           AND ($1::uuid IS NULL OR mailbox.account_id = $1)
         ORDER BY mailbox_id
        ON CONFLICT (mailbox_id) DO UPDATE SET due_at = least(known.due_at, excluded.due_at)
        """,
        account_id,
        moment,
    )
    await connection.execute(
        """
        UPDATE account SET check_asked_at = $2
         WHERE removed_at IS NULL AND ($1::uuid IS NULL OR account_id = $1)
        """,
        account_id,
        moment,
    )
    return moment


async def verdicts(connection: Connection, account_id: UUID | None) -> list[Verdict]:
    """What the last proof said of each mailbox of an account, or of all."""
    rows = await connection.fetch(
        """
        SELECT mailbox.account_id, path, paused_at IS NOT NULL AS paused,
               coalesce(audit.server_count, mailbox.server_count) AS server,
               coalesce(kept_count, 0) AS kept, coalesce(quarantined_count, 0) AS quarantined,
               proven_at
          FROM mailbox JOIN account USING (account_id) LEFT JOIN audit USING (mailbox_id)
         WHERE gone_at IS NULL AND selectable AND removed_at IS NULL
           AND ($1::uuid IS NULL OR mailbox.account_id = $1)
         ORDER BY mailbox.account_id, path, mailbox_id
        """,
        account_id,
    )
    return [Verdict(**row) for row in rows]


async def doubt_all(connection: Connection) -> None:
    """Let every mailbox be compared again, as soon as there is time."""
    await connection.execute("UPDATE audit SET due_at = now()")


async def due(connection: Connection, account_id: UUID, every_seconds: float) -> list[UUID]:
    """The account's copied mailboxes whose proof is missing, doubted or old; doubts first."""
    rows = await connection.fetch(
        """
        SELECT mailbox_id
          FROM mailbox LEFT JOIN audit USING (mailbox_id)
         WHERE mailbox.account_id = $1 AND gone_at IS NULL AND selectable
           AND copied_at IS NOT NULL
           AND (audit.proven_at IS NULL OR audit.due_at <= now()
                OR audit.proven_at < now() - make_interval(secs => $2))
         ORDER BY audit.due_at, audit.proven_at NULLS FIRST, mailbox_id
        """,
        account_id,
        every_seconds,
    )
    return [row["mailbox_id"] for row in rows]


async def standing(connection: Connection) -> Standing:
    """How many messages on servers no proof accounts for, and the age of the oldest proof."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(sum(CASE WHEN audit.proven_at IS NULL THEN mailbox.server_count
                                 ELSE abs(audit.server_count - kept_count - quarantined_count) END),
                        0)::bigint AS unproven,
               coalesce(extract(epoch FROM now() - min(audit.proven_at)), 0)::float8 AS oldest
          FROM mailbox
          JOIN account ON account.account_id = mailbox.account_id AND removed_at IS NULL
          LEFT JOIN audit USING (mailbox_id)
         WHERE gone_at IS NULL AND selectable
        """
    )
    assert row is not None  # an aggregate always has one
    return Standing(unproven_messages=row["unproven"], oldest_proof_seconds=row["oldest"])


async def of_account(
    connection: Connection, tenant_id: UUID, account_id: UUID
) -> list[MailboxProof]:
    """Each mailbox of an account that can be read: the server's number, and ours as of now."""
    rows = await connection.fetch(
        """
        SELECT mailbox_id, mailbox.server_count, kept.messages AS kept,
               quarantined.messages AS quarantined, audit.proven_at, as_of_revision
          FROM mailbox
          LEFT JOIN audit USING (mailbox_id)
         CROSS JOIN LATERAL (
               SELECT count(*) AS messages FROM message
                WHERE message.mailbox_id = mailbox.mailbox_id AND uid IS NOT NULL) AS kept
         CROSS JOIN LATERAL (
               SELECT count(*) AS messages FROM quarantine
                WHERE quarantine.mailbox_id = mailbox.mailbox_id) AS quarantined
         WHERE mailbox.tenant_id = $1 AND mailbox.account_id = $2
           AND gone_at IS NULL AND selectable
         ORDER BY mailbox_id
        """,
        tenant_id,
        account_id,
    )
    return [
        MailboxProof(
            mailbox_id=row["mailbox_id"],
            server=row["server_count"],
            kept=row["kept"],
            quarantined=row["quarantined"],
            proven_at=row["proven_at"],
            as_of_revision=row["as_of_revision"],
        )
        for row in rows
    ]
