"""sync itself, in this process, on a real bus and database, and what its listeners were told."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.sync.app import serve
from services.sync.settings import Settings
from shared.bus import Bus, BusSettings, Ears, open_bus
from shared.contracts.account import (
    AccountChanged,
    AccountProgressed,
    AccountRemoved,
    AccountRetold,
    ConnectSync,
    Endpoint,
    Security,
)
from shared.contracts.envelope import Command, Event, encode
from shared.contracts.intent import IntentSettled
from shared.contracts.mail import (
    MailboxesSynced,
    MailboxRenumbered,
    MessagesChanged,
    MessagesFilled,
    MessagesRetold,
    MessagesSynced,
    MessagesVanished,
    State,
    SyncedMailbox,
    SyncedMessage,
)
from shared.seal import Credential, Destination, SealingKeys, new_key, seal
from tests.platform import Platform
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.imap_server import Reachable
from tests.stories.stack import until


@dataclass
class Listener:
    """What the api would know, by the rules of the three facets."""

    told: list[Event] = field(default_factory=list[Event])
    whole: dict[UUID, SyncedMessage] = field(default_factory=dict[UUID, SyncedMessage])
    states: dict[UUID, tuple[int, State]] = field(default_factory=dict[UUID, tuple[int, State]])
    gone: set[UUID] = field(default_factory=set[UUID])
    boxes: dict[UUID, SyncedMailbox] = field(default_factory=dict[UUID, SyncedMailbox])
    doing: AccountChanged | None = None

    def hear(self, events: list[Any]) -> None:
        for event in events:
            self.told.append(event)
            match event:
                case MessagesSynced():  # MessagesFilled is one
                    for message in event.messages:
                        self.whole.setdefault(message.message_id, message)
                        self._state(message.message_id, message.revision, message.state)
                case MessagesChanged():
                    for change in event.messages:
                        self._state(change.message_id, change.revision, change.state)
                case MessagesVanished():
                    self.gone |= {message.message_id for message in event.messages}
                case MailboxesSynced():
                    for mailbox in event.mailboxes:
                        known = self.boxes.get(mailbox.mailbox_id)
                        if known is None or known.revision < mailbox.revision:
                            self.boxes[mailbox.mailbox_id] = mailbox
                case AccountChanged():
                    if self.doing is None or self.doing.revision < event.revision:
                        self.doing = event
                case _:
                    pass

    def _state(self, message_id: UUID, revision: int, state: State) -> None:
        known = self.states.get(message_id)
        if known is None or known[0] < revision:
            self.states[message_id] = (revision, state)

    def listed(self, path: str | None = None) -> dict[str, UUID]:
        """Subject → id of what a list would show, in a mailbox or everywhere."""
        ids = {mailbox.mailbox_id for mailbox in self.boxes.values() if mailbox.path == path}
        return {
            message.content.subject: message_id
            for message_id, message in self.whole.items()
            if message_id not in self.gone
            and (place := self.states[message_id][1].mailbox_id) is not None
            and (path is None or place in ids)
        }


@dataclass
class Sync:
    """The service under test and the world around it."""

    platform: Platform
    keys: Path
    api: Bus
    database: asyncpg.Pool
    listener: Listener

    async def command(self, command: Command) -> None:
        await self.api.js.publish(command.nats_subject(), encode(command))

    async def connect(
        self, user: str, server: Reachable, *, password: str = PASSWORD, version: int = 1,
        account_id: UUID | None = None, tenant_id: UUID | None = None,
    ) -> ConnectSync:  # fmt: skip
        """Command a connection, as the api would."""
        endpoint = Endpoint(
            host="127.0.0.1", port=server.imap_port, security=Security.NONE, username=user
        )
        account_id, tenant_id = account_id or uuid4(), tenant_id or uuid4()
        destination = Destination.of(
            endpoint, tenant_id=tenant_id, account_id=account_id, purpose="imap"
        )
        command = ConnectSync(
            tenant_id=tenant_id,
            account_id=account_id,
            version=version,
            email=user,
            endpoint=endpoint,
            sealed=seal(Credential.at(destination, password), SealingKeys.load(self.keys)),
        )
        await self.command(command)
        return command

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncGenerator[None]:
        """One replica of the listen role."""
        given = {
            "database_url": self.platform.database_url("sync"),
            "request_database_url": self.platform.database_url("sync_request"),
            "bus_url": self.platform.bus_url("sync"),
            "dial_allowed_networks": "127.0.0.0/8",
            "seal_keys_dir": self.keys,
            "probe_port": 0,
            "poll_seconds": 2.0,
            "retry_seconds": 0.2,
            "heartbeat_seconds": 0.2,
            "lease_seconds": 3.0,
            **settings,
        }
        stop = asyncio.Event()
        task = asyncio.create_task(serve(Settings(**given), stop))
        try:
            yield
            assert not task.done(), task.result()
        finally:
            stop.set()
            await task

    async def until_obeyed(self) -> None:
        async with self.platform.admin_bus() as admin:

            async def none_waits() -> bool:
                return (await admin.jetstream().stream_info("SYNC")).state.messages == 0

            await until("every command was obeyed", none_waits)

    async def until_listed(self, count: int, path: str | None = None) -> dict[str, UUID]:
        async def check() -> dict[str, UUID] | None:
            found = self.listener.listed(path)
            return found if len(found) == count else None

        return await until(f"{count} messages in {path or 'all'}", check)

    async def until_state(self, state: str) -> AccountChanged:
        async def check() -> AccountChanged | None:
            doing = self.listener.doing
            return doing if doing is not None and doing.state == state else None

        return await until(f"the account is {state}", check)


@pytest_asyncio.fixture(loop_scope="session")
async def sync(platform: Platform, tmp_path: Path) -> AsyncIterator[Sync]:
    keys = tmp_path / "keys"
    new_key(keys)
    listener = Listener()
    ears: Ears[Listener] = Ears("api")

    async def hear(events: list[Any], world: Listener) -> None:
        world.hear(events)

    for contract in (
        AccountChanged,
        AccountProgressed,
        AccountRemoved,
        AccountRetold,
        MailboxesSynced,
        MailboxRenumbered,
        MessagesSynced,
        MessagesFilled,
        MessagesRetold,
        MessagesChanged,
        MessagesVanished,
        IntentSettled,
    ):
        ears.hear(contract)(hear)
    database = await asyncpg.create_pool(
        platform.admin_database_url, server_settings={"search_path": "sync"}
    )
    settings = BusSettings(bus_url=platform.bus_url("api"))  # pyright: ignore[reportArgumentType]
    async with open_bus(settings, service="api") as api, ears.open(api, listener):
        yield Sync(platform, keys, api, database, listener)
    await database.close()


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.new_user()
