"""Accounts as rows, for tests of how they stand, without a server or a process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from pydantic import SecretStr

from services.sync.actions.connect_account import connect_account
from services.sync.actions.take_turn import Wait, take_turn
from services.sync.settings import Settings
from services.sync.store import accounts, leases
from services.sync.store.accounts import Account
from services.sync.store.connections import LISTEN, Slot
from services.sync.store.leases import Lease
from shared.contracts.account import ConnectSync, Endpoint, Security
from shared.contracts.envelope import Caller
from shared.db import Pool, open_pool
from shared.seal import Credential, Destination, SealingKeys, new_key, seal
from tests.platform import Platform


@dataclass(frozen=True)
class Ground:
    """The tables of sync, as its two roles may use them."""

    pool: Pool
    request_pool: Pool
    admin: asyncpg.Connection
    settings: Settings
    sealing: SealingKeys

    async def account(
        self, host: str = "imap.example.org", *, account_id: UUID | None = None,
        tenant_id: UUID | None = None, version: int = 1,
    ) -> Account:  # fmt: skip
        """An account as the api would have it connected."""
        account_id, tenant_id = account_id or uuid4(), tenant_id or uuid4()
        endpoint = Endpoint(host=host, port=993, security=Security.TLS, username="ada")
        destination = Destination.of(
            endpoint, tenant_id=tenant_id, account_id=account_id, purpose="imap"
        )
        await connect_account(
            ConnectSync(
                tenant_id=tenant_id,
                account_id=account_id,
                version=version,
                email="ada@example.org",
                endpoint=endpoint,
                sealed=seal(Credential.at(destination, "open sesame"), self.sealing),
            ),
            self.pool,
        )
        async with self.pool.acquire() as connection:
            account = await accounts.account(connection, account_id)
        assert account is not None
        return account

    async def replica(self) -> UUID:
        """A replica that lives."""
        replica_id = uuid4()
        async with self.pool.acquire() as connection:
            await leases.beat(connection, replica_id)
        return replica_id

    async def dies(self, replica_id: UUID) -> None:
        await self.admin.execute("DELETE FROM sync.replica WHERE replica_id = $1", replica_id)

    async def leases_of(self, replica_id: UUID) -> dict[UUID, Lease]:
        """What a replica is to work on, after it took what is free."""
        async with self.pool.acquire() as connection:
            await leases.claim(connection, replica_id, 100)
            return {lease.account_id: lease for lease in await leases.held(connection, replica_id)}

    async def turn(
        self, account: Account, replica_id: UUID, role: str = LISTEN, *, alone: bool = False
    ) -> Slot | Wait:
        return await take_turn(account, role, replica_id, self.settings, self.pool, alone=alone)

    async def slot(self, account: Account, replica_id: UUID, role: str = LISTEN) -> Slot:
        taken = await self.turn(account, replica_id, role)
        assert isinstance(taken, Slot), taken
        return taken

    async def told(self) -> list[str]:
        """The subjects that wait for the bus."""
        rows = await self.admin.fetch("SELECT subject FROM sync.outbox ORDER BY position")
        return [row["subject"] for row in rows]

    async def time_passes(self, seconds: float) -> None:
        """As if so much time had gone by since everything here was written."""
        for table, columns in {
            "account_rest": ("rests_until", "learnt_at"),
            "host_rest": ("rests_until", "tried_until"),
        }.items():
            for column in columns:
                await self.admin.execute(
                    f"UPDATE sync.{table} SET {column} = {column} - make_interval(secs => $1)",
                    seconds,
                )


def caller_of(account: Account) -> Caller:
    return Caller(tenant_id=account.tenant_id, account_ids=(account.account_id,))


@asynccontextmanager
async def ground_of(platform: Platform, directory: Path) -> AsyncGenerator[Ground]:
    """Open the doors to a platform's tables."""
    new_key(directory)
    settings = Settings(
        database_url=SecretStr(platform.database_url("sync")),
        request_database_url=SecretStr(platform.database_url("sync_request")),
        bus_url=SecretStr(platform.bus_url("sync")),
        seal_keys_dir=directory,
        probe_port=0,
    )
    admin = await asyncpg.connect(platform.admin_database_url)
    try:
        async with (
            open_pool(settings.database_url, settings, name="sync", size=8) as pool,
            open_pool(settings.request_database_url, settings, name="request", size=4) as requests,
        ):
            yield Ground(pool, requests, admin, settings, SealingKeys.load(directory))
    finally:
        await admin.close()
