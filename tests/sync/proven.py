"""A mailbox that sync keeps, as rows, and the proof that it tells of it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from services.sync.actions.prove_mailbox import prove_mailbox
from services.sync.store import accounts
from services.sync.store.leases import Lease
from shared.bus import Bus, BusSettings, open_bus
from shared.contracts.audit import MailboxAudited
from shared.contracts.envelope import decode
from shared.db import Pool
from tests.platform import Platform


@dataclass
class Kept:
    """One account of one tenant with one mailbox, in sync's own tables."""

    pool: Pool
    bus: Bus
    tenant_id: UUID
    account_id: UUID
    mailbox_id: UUID = field(default_factory=uuid7)
    lease: Lease = field(init=False)
    uids: dict[UUID, int] = field(default_factory=dict[UUID, int])

    async def is_there(self) -> None:
        replica = uuid7()
        self.lease = Lease(
            account_id=self.account_id,
            tenant_id=self.tenant_id,
            replica_id=replica,
            fence=1,
            version=1,
        )
        whose = (self.account_id, self.tenant_id)
        await self.pool.execute(
            """
            INSERT INTO account (account_id, tenant_id, version, email, host, port, security,
                                 username, verify_certificate)
            VALUES ($1, $2, 1, 'a@example.org', 'imap.example.org', 993, 'tls', 'a', true)
            """,
            *whose,
        )
        await self.pool.execute("INSERT INTO clock (account_id, tenant_id) VALUES ($1, $2)", *whose)
        await self.pool.execute(
            "INSERT INTO lease (account_id, tenant_id, replica_id, fence) VALUES ($1, $2, $3, 1)",
            *whose,
            replica,
        )
        await self.has_mailbox(self.mailbox_id, "INBOX")

    async def has_mailbox(self, mailbox_id: UUID, path: str) -> None:
        await self.pool.execute(
            """
            INSERT INTO mailbox (mailbox_id, tenant_id, account_id, path, raw_name, selectable,
                                 revision, copied_at)
            VALUES ($1, $2, $3, $4, $5, true, 0, now())
            """,
            mailbox_id,
            self.tenant_id,
            self.account_id,
            path,
            path.encode(),
        )

    async def keeps(self, *message_ids: UUID) -> int:
        """These came into the mailbox; the revision of their state."""
        async with self.pool.acquire() as connection, connection.transaction():
            revision = await accounts.next_revision(connection, self.account_id)
            for message_id in message_ids:
                self.uids[message_id] = len(self.uids) + 1
                await connection.execute(
                    """
                    INSERT INTO message (message_id, tenant_id, account_id, mailbox_id, uid,
                                         revision, keywords, thread_id, content_id, fingerprint,
                                         arrival, size_bytes, received_at)
                    VALUES ($1, $2, $3, $4, $5, $6, '{}', $1, '', '', 'new', 1, $7)
                    """,
                    message_id,
                    self.tenant_id,
                    self.account_id,
                    self.mailbox_id,
                    self.uids[message_id],
                    revision,
                    datetime(2026, 11, 20, tzinfo=UTC),
                )
        return revision

    async def quarantines(self, uid: int) -> None:
        await self.pool.execute(
            """
            INSERT INTO quarantine (mailbox_id, uid, tenant_id, account_id, reason)
            VALUES ($1, $2, $3, $4, 'missing')
            """,
            self.mailbox_id,
            uid,
            self.tenant_id,
            self.account_id,
        )

    async def proves(self, server: int | None = None) -> MailboxAudited:
        """Compared with the server, which has as many as are kept: what is told of it."""
        await prove_mailbox(
            self.lease,
            self.mailbox_id,
            len(self.uids) if server is None else server,
            self.pool,
            self.bus,
        )
        told = await self.told()
        return told[-1]

    async def told(self) -> Sequence[MailboxAudited]:
        """The proofs that wait in the outbox."""
        rows = await self.pool.fetch(
            "SELECT body FROM outbox WHERE subject = $1 ORDER BY position", MailboxAudited.channel
        )
        return [decode(row["body"], MailboxAudited) for row in rows]

    async def publishes(self) -> None:
        """What waits in the outbox is on the bus, and every listener has it."""
        await self.pool.execute("DELETE FROM outbox")


@asynccontextmanager
async def a_kept_mailbox(
    platform: Platform, *, tenant_id: UUID, account_id: UUID
) -> AsyncGenerator[Kept]:
    settings = BusSettings(bus_url=platform.bus_url("sync"))  # pyright: ignore[reportArgumentType]
    async with (
        asyncpg.create_pool(platform.database_url("sync"), min_size=1, max_size=4) as pool,
        open_bus(settings, service="sync") as bus,
    ):
        kept = Kept(pool, bus, tenant_id, account_id)
        await kept.is_there()
        yield kept
