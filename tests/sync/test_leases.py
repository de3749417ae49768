"""Any number of replicas keep all accounts between them, and each account has one writer."""

import asyncio
import itertools
import os
import random
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
from uuid_utils.compat import uuid7

from services.sync.settings import Settings
from services.sync.store import leases
from services.sync.store.leases import Lease, LeaseLost
from shared.db import is_away
from tests.platform import Platform
from tests.servers.dovecot import Dovecot
from tests.servers.process import free_ports
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.test_copy import a_message

QUICK = {"SYNC_HEARTBEAT_SECONDS": "0.2", "SYNC_LEASE_SECONDS": "2"}


@asynccontextmanager
async def a_process(sync: Sync, **settings: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A replica of its own, that can be killed and stopped."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.sync"),
        env=os.environ
        | sync.platform.environment("sync")
        | {"SYNC_SEAL_KEYS_DIR": str(sync.keys), "SYNC_PROBE_PORT": "0", "SYNC_POLL_SECONDS": "2"}
        | QUICK
        | settings,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def keepers(sync: Sync) -> dict[UUID | None, int]:
    """How many accounts each replica keeps; None: nobody."""
    rows = await sync.database.fetch("SELECT replica_id, count(*) FROM lease GROUP BY replica_id")
    return {row["replica_id"]: row["count"] for row in rows}


async def until_replicas(sync: Sync, count: int) -> None:
    async def there() -> bool:
        return await sync.database.fetchval("SELECT count(*) FROM replica") == count

    await until(f"{count} replicas live", there)


async def until_kept(sync: Sync, *, but_not_by: UUID | None = None) -> UUID:
    """The replica that keeps the only account."""

    async def kept() -> UUID | None:
        keeper = await sync.database.fetchval("SELECT replica_id FROM lease")
        return keeper if keeper != but_not_by else None

    return await until("the account is kept", kept)


@dataclass
class Nowhere:
    """A server that does not answer: who keeps an account is decided all the same."""

    imap_port: int


async def test_thirty_accounts_are_spread_evenly_and_spread_anew_when_replicas_come_and_go(
    sync: Sync,
) -> None:
    nowhere = Nowhere(*free_ports(1))
    for number in range(30):
        await sync.connect(f"user{number}@example.org", nowhere)

    async def spread(*counts: int) -> None:
        async def so() -> bool:
            found = await keepers(sync)
            return None not in found and sorted(found.values(), reverse=True) == list(counts)

        await until(f"accounts are spread {counts}", so)

    async def fences() -> dict[UUID, int]:
        rows = await sync.database.fetch("SELECT account_id, fence FROM lease")
        return {row["account_id"]: row["fence"] for row in rows}

    async with sync.running():
        await spread(30)
        async with sync.running():
            await spread(15, 15)
            async with sync.running():
                await spread(10, 10, 10)
                before = await fences()
                new = await sync.connect("one-more@example.org", nowhere)
                await spread(11, 10, 10)
                # Who has enough gives nothing away: a new account moves no other.
                assert {**before, new.account_id: 1} == await fences()
                async with sync.running():
                    await spread(8, 8, 8, 7)
                await spread(11, 10, 10)
            await spread(16, 15)
        await spread(31)


async def test_what_a_killed_replica_kept_is_taken_over(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with a_process(sync) as first:
        await sync.connect(user, dovecot)
        await sync.until_state("live")
        old = await until_kept(sync)
        async with a_process(sync):
            await until_replicas(sync, 2)
            first.kill()
            await first.wait()
            dovecot.append(user, "INBOX", [a_message("While nobody listened")])
            await until_kept(sync, but_not_by=old)
            await sync.until_listed(1)


def test_a_dead_replica_is_noticed_and_replaced_within_thirty_seconds() -> None:
    fields = Settings.model_fields
    silent, beat = (fields[name].default for name in ("lease_seconds", "heartbeat_seconds"))
    # Silent for so long; then a beat until somebody looks, and one more if a lock was still held.
    assert silent + 2 * beat + 1 < 30
    assert silent > 3 * beat  # one beat that is late costs nobody anything


async def test_a_replica_that_hangs_in_a_transaction_holds_nobody_up_and_may_come_back(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [a_message("First")])
    patient = {"SYNC_DATABASE_IDLE_TRANSACTION_SECONDS": "300"}  # only a takeover ends it
    async with a_process(sync, **patient) as first:
        await sync.connect(user, dovecot)
        await sync.until_listed(1)
        await sync.until_state("live")
        old = await until_kept(sync)
        async with a_process(sync, **patient):
            await until_replicas(sync, 2)
            stuck = await hang_in_a_write(sync, first, dovecot, user)
            await until_kept(sync, but_not_by=old)
            await sync.until_listed(2)
            assert not await sync.database.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", stuck
            )

            first.send_signal(signal.SIGCONT)
            await until_replicas(sync, 2)
            dovecot.append(user, "INBOX", [a_message("Third")])
            await sync.until_listed(3)
            assert first.returncode is None
    assert len(sync.listener.whole) == 3


async def hang_in_a_write(
    sync: Sync, process: asyncio.subprocess.Process, dovecot: Dovecot, user: str
) -> int:
    """Stop the process while it holds the lease in a transaction; the pid of its session."""
    async with sync.database.acquire() as blocking:
        transaction = blocking.transaction()
        await transaction.start()
        await blocking.execute("SELECT FROM clock FOR UPDATE")
        dovecot.append(user, "INBOX", [a_message("Second")])

        async def waits_for_us() -> int | None:
            return await sync.database.fetchval(
                """
                SELECT pid FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND application_name LIKE 'sync listen%'
                """
            )

        pid = await until("the replica is in the middle of a write", waits_for_us)
        process.send_signal(signal.SIGSTOP)
        await transaction.rollback()

    async def hangs() -> bool:
        state = await sync.database.fetchval(
            "SELECT state FROM pg_stat_activity WHERE pid = $1", pid
        )
        return state == "idle in transaction"

    await until("its transaction is open, and nobody goes on with it", hangs)
    return pid


async def test_however_replicas_hang_and_come_back_an_account_has_one_writer_at_a_time(
    sync: Sync, platform: Platform
) -> None:
    accounts = [uuid4() for _ in range(4)]
    await sync.database.execute(
        """
        WITH one AS (SELECT unnest($1::uuid[]) AS account_id),
        known AS (
            INSERT INTO account (account_id, tenant_id, version, email, host, port, security,
                                 username, verify_certificate)
            SELECT account_id, $2, 1, '', '', 0, 'none', '', false FROM one),
        clocks AS (INSERT INTO clock (account_id, tenant_id) SELECT account_id, $2 FROM one)
        INSERT INTO lease (account_id, tenant_id) SELECT account_id, $2 FROM one
        """,
        accounts,
        uuid4(),
    )
    await sync.database.execute(
        "CREATE TABLE written (account_id uuid, revision bigint, fence bigint, replica_id uuid)"
    )
    await sync.database.execute("GRANT INSERT ON written TO sync")
    enough = asyncio.Event()
    replicas = [
        asyncio.create_task(_unreliable(platform, random.Random(seed), enough)) for seed in range(3)
    ]

    async def contested() -> bool:
        return await sync.database.fetchval("SELECT min(fence) FROM lease") >= 5

    try:
        await until("every account was taken over again and again", contested)
        enough.set()
        ended = sum(await asyncio.gather(*replicas))
        rows = await sync.database.fetch("SELECT * FROM written ORDER BY account_id, revision")
    finally:
        for task in replicas:
            task.cancel()
        await asyncio.gather(*replicas, return_exceptions=True)
        await sync.database.execute("DROP TABLE written")
    assert ended, "no session of a hanging replica was ended"
    writers = {(row["account_id"], row["fence"]): row["replica_id"] for row in rows}
    for earlier, later in itertools.pairwise(rows):
        if earlier["account_id"] == later["account_id"]:
            assert earlier["fence"] <= later["fence"], "a stale owner wrote after a takeover"
        assert writers[later["account_id"], later["fence"]] == later["replica_id"]
    assert len({row["replica_id"] for row in rows}) == 3


_SILENT_SECONDS = 0.3


async def _unreliable(platform: Platform, chance: random.Random, enough: asyncio.Event) -> int:
    """A replica that writes, and now and then hangs in a write; how often it was cut off."""
    me, ended = uuid7(), 0
    async with asyncpg.create_pool(
        platform.database_url("sync"),
        min_size=1,
        server_settings={
            "search_path": "sync",
            "application_name": leases.session_name("listen", me),
        },
    ) as pool:
        while not enough.is_set():
            try:
                async with pool.acquire() as connection:
                    await leases.beat(connection, me)
                    await leases.bury_silent(connection, _SILENT_SECONDS)
                    await leases.claim(connection, me, 2)
                    ours = await leases.held(connection, me)
                for lease in ours:
                    await _write(pool, lease, chance)
            except LeaseLost:
                continue
            except Exception as error:
                if not is_away(error):
                    raise
                ended += 1
    return ended


async def _write(pool: asyncpg.Pool, lease: Lease, chance: random.Random) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await leases.hold(connection, lease)
        await asyncio.sleep(_SILENT_SECONDS * chance.choice((0, 0, 0, 0.2, 3)))
        await connection.execute(
            """
            WITH now AS (UPDATE clock SET revision = revision + 1 WHERE account_id = $1
                         RETURNING revision)
            INSERT INTO written SELECT $1, revision, $2, $3 FROM now
            """,
            lease.account_id,
            lease.fence,
            lease.replica_id,
        )
