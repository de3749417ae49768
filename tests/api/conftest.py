"""A gateway to try things on: the real app on a real PostgreSQL and a real NATS."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

import asyncpg
import httpx
import nats
import pytest
import pytest_asyncio
from pydantic import SecretStr

from services.api import subscribers
from services.api.actions.connecting import Seals
from services.api.actions.hashing import open_hashing
from services.api.actions.limiting import open_limits
from services.api.actions.sanitising import open_sanitiser
from services.api.actions.send_message import sending_in
from services.api.actions.sessions import Issuer, KeyFile
from services.api.actions.sweep_unseen import sweep_unseen
from services.api.app import manner_of
from services.api.domain.tokens import TokenKeys
from services.api.http.gateway import gateway
from services.api.http.malformed import HttpProtocol
from services.api.settings import Settings
from services.api.subscribers import ears
from services.api.world import Spreading, World, utc_now
from shared.bus import Bucket, Bus, Relay, Values, open_bus
from shared.bus.bucket import Key, Whole
from shared.contracts.account import (
    AccountChanged,
    AccountProgressed,
    AccountRemoved,
    AccountRetold,
    SendingChanged,
)
from shared.contracts.audit import MailboxAudited
from shared.contracts.envelope import Event, Query, decode, encode
from shared.contracts.ids import Kind, read
from shared.contracts.intent import IntentSettled
from shared.contracts.mail import (
    MailboxesSynced,
    MailboxRenumbered,
    MessagesChanged,
    MessagesFilled,
    MessagesRetold,
    MessagesSynced,
    MessagesVanished,
)
from shared.contracts.submission import SubmissionChanged, SubmissionsChanged
from shared.db import open_pool
from shared.seal import OpeningKeys, SealingKeys, new_key
from shared.telemetry import serve
from tests.api.mail import Ground
from tests.platform import Platform, running_platform

T = TypeVar("T")

PASSWORD = "correct horse battery"

_HEARD: dict[type, Any] = {
    AccountChanged: subscribers.on_account_changed,
    AccountProgressed: subscribers.on_account_progressed,
    AccountRemoved: subscribers.on_account_removed,
    AccountRetold: subscribers.on_account_retold,
    MailboxAudited: subscribers.on_mailbox_audited,
    MailboxRenumbered: subscribers.on_mailbox_renumbered,
    MailboxesSynced: subscribers.on_mailboxes_synced,
    MessagesSynced: subscribers.on_messages_synced,
    MessagesFilled: subscribers.on_messages_filled,
    MessagesRetold: subscribers.on_messages_retold,
    MessagesChanged: subscribers.on_messages_changed,
    MessagesVanished: subscribers.on_messages_vanished,
    IntentSettled: subscribers.on_intent_settled,
    SubmissionChanged: subscribers.on_submission_changed,
    SubmissionsChanged: subscribers.on_submissions_changed,
    SendingChanged: subscribers.on_sending_changed,
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has registered, with their client."""

    http: httpx.AsyncClient
    tenant_id: UUID
    email: str
    tokens: dict[str, Any]

    async def connects(self, **more: Any) -> Ground:
        """A mail account of this person, and the ground sync would find there."""
        answer = await self.http.post("/accounts", json=an_account(**more))
        assert answer.status_code == 201, answer.text
        return Ground(self.tenant_id, read(Kind.ACCOUNT, answer.json()["id"]))

    async def may_from_now_on(self, api: "Api", role: str) -> None:
        """This role, in the tenant that is theirs."""
        await api.admin.execute(
            "UPDATE api.membership SET role = $2 WHERE tenant_id = $1", self.tenant_id, role
        )

    async def items(self, path: str, **params: Any) -> list[dict[str, Any]]:
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def events(self) -> list[dict[str, Any]]:
        return await self.items("/events", limit=200)


def an_account(**more: Any) -> dict[str, Any]:
    server = {"host": "127.0.0.1", "port": 993, "username": "ada", "password": "open-sesame"}
    return {
        "name": "Ada",
        "email": "ada@example.org",
        "imap": server,
        "smtp": server | {"port": 465},
        **more,
    }


@dataclass(frozen=True, slots=True)
class Api:
    """What a test says to the api and asks of it."""

    world: World
    platform: Platform
    admin: asyncpg.Connection
    port: int
    sync_keys: OpeningKeys
    sender_keys: OpeningKeys

    async def hears(self, *events: Event) -> None:
        """Each of these, in this order."""
        for event in events:
            await self.hears_at_once(event)

    async def hears_at_once(self, *events: Event) -> None:
        """These of one kind in one batch."""
        await _HEARD[type(events[0])](list(events), self.world)

    async def sweeps(self) -> None:
        while await sweep_unseen(self.world.pool):
            pass

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncGenerator[httpx.AsyncClient]:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}/api/v1", timeout=30, headers=headers
        ) as client:
            yield client

    @asynccontextmanager
    async def person(self) -> AsyncGenerator[Person]:
        email = f"{uuid4().hex}@example.org"
        async with self.client() as client:
            answer = await client.post(
                "/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada"}
            )
            assert answer.status_code == 201, answer.text
            tokens = answer.json()
            client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
            yield Person(client, read(Kind.TENANT, tokens["tenant"]["id"]), email, tokens)

    async def rows(self, table: str, order: str) -> list[dict[str, Any]]:
        return [
            dict(row)
            for row in await self.admin.fetch(f"SELECT * FROM api.{table} ORDER BY {order}")
        ]

    async def fills_bucket(
        self, account_id: UUID, message_id: UUID, part: int, data: bytes
    ) -> None:
        """As sync does for a part of less than a piece."""
        client = await nats.connect(self.platform.bus_url("sync"), inbox_prefix=b"_INBOX.sync")
        try:
            bucket = Bucket(cast(Bus, SimpleNamespace(js=client.jetstream())))
            key = Key(account_id, message_id, part)
            await bucket.put_whole(key, Whole(size_bytes=len(data), pieces=1))
            await bucket.put_piece(key, 0, data)
        finally:
            await client.close()

    async def asked_by(self, service: str, query: Query, answer: type[T]) -> T:
        """What the api answers when this service asks."""
        client = await nats.connect(
            self.platform.bus_url(service), inbox_prefix=f"_INBOX.{service}".encode()
        )
        try:
            reply = await client.request(query.channel, encode(query), timeout=10)
            return decode(reply.data, answer)
        finally:
            await client.close()

    @asynccontextmanager
    async def answering(
        self, service: str, query: type[Query], *answers: Any
    ) -> AsyncGenerator[list[Any]]:
        """Stand in for another service: these answers in turn. Yields what was asked."""
        asked: list[Any] = []
        waiting = list(answers)
        client = await nats.connect(
            self.platform.bus_url(service), inbox_prefix=f"_INBOX.{service}".encode()
        )

        async def answer(message: Any) -> None:
            asked.append(decode(message.data, query))
            await message.respond(encode(waiting.pop(0)))

        await client.subscribe(query.channel, cb=answer)
        await client.flush()
        try:
            yield asked
        finally:
            await client.close()


@pytest.fixture(scope="session")
def seal_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("seals")
    for service in ("sync", "sender", "own"):
        new_key(directory / service)
    (directory / "jwt.json").write_text(TokenKeys("k1", {"k1": b"k" * 32}).written())
    return directory


@asynccontextmanager
async def running_api(
    platform: Platform,
    seal_directory: Path,
    clock: Callable[[], datetime] = utc_now,
    **more: Any,
) -> AsyncGenerator[Api]:
    settings = Settings(
        database_url=SecretStr(platform.database_url("api")),
        request_database_url=SecretStr(platform.database_url("api_request")),
        bus_url=SecretStr(platform.bus_url("api")),
        jwt_keys_file=seal_directory / "jwt.json",
        seal_keys_dir=seal_directory,
        own_keys_dir=seal_directory / "own",
        **{
            "registrations_per_minute": 10_000,
            "client_sign_ins_per_minute": 10_000,
            "client_requests_per_minute": 1_000_000,
            "discovery_seconds": 0.5,
            "event_poll_seconds": 30.0,
            "event_heartbeat_seconds": 0.2,
            "request_body_max_bytes": 1024 * 1024,
            **more,
        },
    )
    async with (
        open_bus(settings, service="api") as bus,
        open_pool(settings.database_url, settings, name="api", size=8) as pool,
        open_pool(settings.request_database_url, settings, name="api_request", size=8) as requests,
        open_sanitiser(at_once=2, seconds=5) as sanitiser,
        open_hashing(at_once=2) as hashing,
        open_limits(Values(bus), settle_seconds=settings.limits_settle_seconds) as limits,
    ):
        world = World(
            settings=settings,
            pool=pool,
            request_pool=requests,
            bus=bus,
            relay=Relay(bus, pool),
            spreading=Spreading(bus),
            issuer=Issuer(
                key_file=KeyFile(settings.jwt_keys_file),
                access_lives=settings.access_lives,
                refresh_lives=settings.refresh_lives,
            ),
            seals=Seals(
                sync=SealingKeys.load(seal_directory / "sync"),
                sender=SealingKeys.load(seal_directory / "sender"),
            ),
            sanitiser=sanitiser,
            hashing=hashing,
            limits=limits,
            sending=sending_in(requests),
            clock=clock,
            manner=manner_of(settings, OpeningKeys.load(settings.own_keys_dir)),
        )
        admin = await asyncpg.connect(platform.admin_database_url)
        try:
            async with (
                ears.open(bus, world),
                serve(
                    gateway(world),
                    host="127.0.0.1",
                    port=0,
                    grace_seconds=2,
                    trusted_proxies=settings.trusted_proxies,
                    http=HttpProtocol,
                ) as port,
            ):
                yield Api(
                    world=world,
                    platform=platform,
                    admin=admin,
                    port=port,
                    sync_keys=OpeningKeys.load(seal_directory / "sync"),
                    sender_keys=OpeningKeys.load(seal_directory / "sender"),
                )
                world.closing.set()
                world.growth.wake_all()
        finally:
            await admin.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_platform() -> AsyncIterator[Platform]:
    """Servers of its own: the api listens to them for the whole session."""
    async with running_platform() as platform:
        yield platform


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_api(shared_platform: Platform, seal_directory: Path) -> AsyncIterator[Api]:
    async with running_api(shared_platform, seal_directory) as api:
        yield api


@pytest_asyncio.fixture(loop_scope="session")
async def api(platform: Platform, shared_api: Api) -> Api:
    """The running api, with no row in its tables."""
    return shared_api


@pytest_asyncio.fixture(loop_scope="session")
async def ada(api: Api) -> AsyncIterator[Person]:
    async with api.person() as person:
        yield person


@pytest_asyncio.fixture(loop_scope="session")
async def ground(ada: Person) -> Ground:
    """An account of Ada's, with nothing in it yet."""
    return await ada.connects()
