"""Work is cancelled wherever it waits, and nothing is lost, done twice, or held for ever."""

import asyncio
import functools
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from uuid_utils.compat import uuid7

from services.sync.actions.locate_message import locate_message
from services.sync.actions.refreshing import Refresher
from services.sync.actions.take_intent import take_intent
from services.sync.actions.understanding import Readers
from services.sync.settings import Settings
from services.sync.store import leases
from services.sync.store.mailboxes import Mailbox
from services.sync.workers.answering import living
from services.sync.workers.carrying import Carrier
from services.sync.workers.couriers import Couriers
from services.sync.workers.shepherd import Shepherd
from services.sync.world import World
from shared.bus import Bucket, Relay, open_bus
from shared.bus.bucket import Key
from shared.contracts.account import ConnectSync
from shared.contracts.attachment import FetchPart, PartAnswer
from shared.contracts.envelope import Caller
from shared.contracts.intent import (
    CarryIntent,
    Copy,
    Destroy,
    IntentSettled,
    Mark,
    MessageChange,
    Move,
    Outcome,
    Step,
)
from shared.db import open_pool
from shared.seal import OpeningKeys
from shared.telemetry import end
from tests.servers.dovecot import Dovecot
from tests.servers.process import short_directory
from tests.stories.stack import until
from tests.sync.cancelling import Stopped, stopped
from tests.sync.conftest import Sync
from tests.sync.imap.test_dovecot import session_with
from tests.sync.test_parts import content_of, letter
from tests.sync.wishes import mailbox_id, raw

#: More than any of these waits.
MOST = 250


@asynccontextmanager
async def a_world(sync: Sync, **more: Any) -> AsyncGenerator[World]:
    """What a process of sync stands on, and nothing that works on it."""
    given: dict[str, Any] = {
        "database_url": sync.platform.database_url("sync"),
        "request_database_url": sync.platform.database_url("sync_request"),
        "bus_url": sync.platform.bus_url("sync"),
        "dial_allowed_networks": "127.0.0.0/8",
        "seal_keys_dir": sync.keys,
        "probe_port": 0,
        "heartbeat_seconds": 60.0,
        "lease_seconds": 300.0,
    }
    settings = Settings(**given | more)
    replica_id = uuid7()
    async with (
        open_bus(settings, service="sync") as bus,
        open_pool(settings.database_url, settings, name="sync trial", size=4) as pool,
        open_pool(settings.request_database_url, settings, name="trial", size=2) as request_pool,
        Readers(at_once=1, idle_seconds=60.0) as readers,
    ):
        keys = OpeningKeys.load(settings.seal_keys_dir)
        refresher = Refresher(settings, keys, pool)
        yield World(
            settings=settings,
            bus=bus,
            pool=pool,
            request_pool=request_pool,
            relay=Relay(bus, pool),
            sender_keys=None,
            keys=keys,
            refresher=refresher,
            replica_id=replica_id,
            release="trial",
            readers=readers,
            bringing=Couriers(
                settings=settings,
                keys=keys,
                pool=pool,
                refresher=refresher,
                replica_id=replica_id,
                bus=bus,
            ),
            first_copies=asyncio.Semaphore(1),
        )


@pytest_asyncio.fixture(loop_scope="session")
async def without_move() -> AsyncIterator[Dovecot]:
    with (
        short_directory("postbus-cancel-") as directory,
        Dovecot(directory, capability="IMAP4rev1 UIDPLUS CONDSTORE ENABLE LITERAL+") as server,
    ):
        yield server


CHANGES: dict[str, Callable[[Sync], MessageChange]] = {
    "mark": lambda _: Mark(add=frozenset({"\\Seen"})),
    "move": lambda sync: Move(mailbox_id=mailbox_id(sync, "Archive")),
    "copy": lambda sync: Copy(mailbox_id=mailbox_id(sync, "Archive")),
    "destroy": lambda _: Destroy(),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_an_intent_that_is_cancelled_anywhere_is_carried_out_once(
    sync: Sync, without_move: Dovecot, name: str
) -> None:
    server, user = without_move, without_move.new_user()
    server.append(user, "INBOX", [raw(f"m{n}") for n in range(MOST)])
    async with sync.running():
        account = await sync.connect(user, server)
        ids = await sync.until_listed(MOST)
        await sync.until_state("live")
    change = CHANGES[name](sync)
    asked: list[UUID] = []
    async with a_world(sync) as world:
        async with world.pool.acquire() as connection:
            await leases.beat(connection, world.replica_id)
            await leases.claim(connection, world.replica_id, 1)
            (lease,) = await leases.held(connection, world.replica_id)

        async def look(_: Mailbox) -> None:
            """What was copied comes with the next round."""

        async def carry() -> None:
            async with session_with(server, user) as session:
                await Carrier(lease, world).carry(session, look)

        at = 0
        interrupted = True
        while interrupted:
            subject = f"m{at}"
            command = intent(account, at + 1, change, ids[subject])
            asked.append(command.intent_id)
            await take_intent(command, world.pool)
            at += 1
            interrupted = await stopped(carry(), at)
            await carry()  # whoever comes after
        assert at > 20, "it was hardly cancelled anywhere"
        async with world.relay.running():
            await until_told(sync, asked)
    told = [event for event in sync.listener.told if isinstance(event, IntentSettled)]
    assert sorted(event.intent_id for event in told) == sorted(asked), "each is told once"
    assert {event.outcome for event in told} == {Outcome.DONE}
    whole = {f"m{n}" for n in range(MOST)}
    wished = {f"m{n}" for n in range(at)}
    inbox, archive = (shown(server, user, path) for path in ("INBOX", "Archive"))
    match name:
        case "mark":
            flags = server.flags(user)
            assert sum("\\Seen" in each for each in flags.values()) == at
        case "move":
            assert (inbox, archive) == (sorted(whole - wished), sorted(wished))
            places = await sync.database.fetch(
                "SELECT message_id FROM message WHERE mailbox_id = $1 AND uid IS NOT NULL",
                mailbox_id(sync, "Archive"),
            )
            assert {row["message_id"] for row in places} == {ids[subject] for subject in wished}
        case "copy":
            assert (inbox, archive) == (sorted(whole), sorted(wished))
        case _:
            assert inbox == sorted(whole - wished)


def intent(account: ConnectSync, seq: int, change: MessageChange, message_id: UUID) -> CarryIntent:
    return CarryIntent(
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        intent_id=uuid7(),
        seq=seq,
        steps=(Step(change=change, message_ids=(message_id,)),),
    )


def shown(server: Dovecot, user: str, mailbox: str) -> list[str]:
    """What is in a mailbox, each message once for each time that it is there."""
    found = server.message_ids(user, mailbox).values()
    return sorted(str(one)[1:].split("@")[0] for one in found)


async def until_told(sync: Sync, intents: list[UUID]) -> None:
    async def check() -> bool:
        told = {one.intent_id for one in sync.listener.told if isinstance(one, IntentSettled)}
        return told >= set(intents)

    await until("every intent is told settled", check)


@contextmanager
def tasks_of(name: str, wrap: Callable[[Coroutine[Any, Any, Any]], Any]) -> Generator[None]:
    """Whatever becomes a task of this function is wrapped."""
    loop = asyncio.get_running_loop()

    def factory(loop: Any, work: Any, **more: Any) -> Any:
        if getattr(work, "__qualname__", "") != name:
            return asyncio.Task(work, loop=loop, **more)
        task = asyncio.Task(wrap(work), loop=loop, **more)
        # Of a task that is cancelled before its first step, nobody begins what is wrapped.
        task.add_done_callback(lambda _: work.close())
        return task

    loop.set_task_factory(factory)
    try:
        yield
    finally:
        loop.set_task_factory(None)


async def test_a_courier_that_is_cancelled_anywhere_tells_who_waits_and_holds_no_connection(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    files = {f"m{n}": os.urandom(1000) for n in range(MOST)}
    dovecot.append(user, "INBOX", [letter(name, ("a.bin", data)) for name, data in files.items()])
    async with sync.running():
        account = await sync.connect(user, dovecot)
        ids = await sync.until_listed(MOST)
    caller = Caller(tenant_id=account.tenant_id, account_ids=(account.account_id,))
    held = "SELECT count(*) FROM connection_slot WHERE account_id = $1"
    at = 0
    stop = Stopped(0)
    stop.reached = True
    async with a_world(sync) as world:

        async def bring(message_id: UUID) -> PartAnswer:
            where = await locate_message(
                FetchPart(caller=caller, message_id=message_id, part=1), world.request_pool
            )
            assert where is not None
            return await world.bringing.bring(where, 1, None)

        while stop.reached:
            name = f"m{at}"
            at += 1
            stop = Stopped(at)
            with tasks_of("Couriers._serve", stop.during):
                async with living(world):
                    answer = await bring(ids[name])
                    # Nobody is left to wait until they are tired of it.
                    assert answer.ready or answer.problem is not None
            assert await sync.database.fetchval(held, account.account_id) == 0
            async with living(world):
                assert (await bring(ids[name])).ready
            key = Key(account.account_id, ids[name], 1)
            assert await content_of(Bucket(sync.api), key) == files[name]
            assert await sync.database.fetchval(held, account.account_id) == 0
    assert at > 20, "it was hardly cancelled anywhere"


async def test_an_account_that_is_let_go_anywhere_holds_no_connection(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sync.running():
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
    held = "SELECT count(*) FROM connection_slot WHERE account_id = $1"
    async with a_world(sync) as world:
        # From the back: a statement is prepared the first time it is used, and waits for that, too.
        for at in range(40, 0, -1):
            stop = Stopped(at, done=True)
            over = asyncio.Event()
            with tasks_of("Shepherd._keep", functools.partial(ended, stop, over)):
                keeping = asyncio.create_task(Shepherd(world).run())
                await over.wait()
                # Another replica asks for the account's only connection.
                world.to_lend.add(account.account_id)
                world.accounts_changed.set()

                async def let_go() -> bool:
                    return await sync.database.fetchval(held, account.account_id) == 0

                await until(f"what was cancelled at {at} holds nothing", let_go)
                await end([keeping])
                world.to_lend.clear()
            assert stop.reached


async def ended(stop: Stopped, over: asyncio.Event, work: Coroutine[Any, Any, Any]) -> None:
    try:
        await stop.during(work)
    finally:
        over.set()
