"""A real sender on a real bus and database, before a server that does what a test says."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

import asyncpg
import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from services.sender.app import open_world, serve
from services.sender.settings import Settings
from services.sender.world import World
from shared.contracts.account import ConnectSender, Endpoint, Security
from shared.contracts.envelope import Told, decode, encode
from shared.contracts.mail import Address
from shared.contracts.submission import (
    ChangeSubmission,
    Enclosure,
    FileSentCopy,
    ReadUpload,
    SendMessage,
    SubmissionAction,
    SubmissionChanged,
    SubmissionsChanged,
    SubmissionState,
    UploadPiece,
)
from shared.seal import Credential, Destination, OpeningKeys, new_key, seal
from tests.platform import Platform
from tests.sender.scripted import ScriptedServer

PASSWORD = "correct-horse-battery"
SOON_SECONDS = 60.0
_PIECE_BYTES = 256 * 1024
BOB = Address("Bob", "bob@example.org")
EVE = Address("", "eve@example.net")


class Bench:
    """The other side of the bus: what the api and sync would say to sender, and hear of it."""

    def __init__(self, platform: Platform, server: ScriptedServer, keys_dir: Path) -> None:
        self.platform = platform
        self.server = server
        self.keys_dir = keys_dir
        self.tenant_id = uuid7()
        self.account_id = uuid7()
        self.told: list[SubmissionChanged] = []
        self.filings: list[FileSentCopy] = []
        self.uploads: dict[UUID, bytes] = {}
        self.api_is_there = True
        self._known: set[UUID] = set()
        self._heard = asyncio.Condition()
        self._version = 0

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator["Bench"]:
        self._client: Client = await nats.connect(self.platform.bus_url("admin"))
        self.rows = await asyncpg.connect(self.platform.database_url("sender"))
        try:
            await self._client.subscribe("mail.submission.*", cb=self._on_changed)
            await self._client.subscribe("mail.submissions.changed", cb=self._on_several_changed)
            await self._client.subscribe("sync.message.file", cb=self._on_filing)
            await self._client.subscribe(ReadUpload.channel, cb=self._on_read)
            await self._client.flush()
            yield self
        finally:
            await self.rows.close()
            await self._client.close()

    async def _on_changed(self, message: Msg) -> None:
        await self._note([decode(message.data, SubmissionChanged)])

    async def _on_several_changed(self, message: Msg) -> None:
        await self._note(decode(message.data, SubmissionsChanged).changes)

    async def _note(self, changes: Iterable[SubmissionChanged]) -> None:
        async with self._heard:
            # The relay may publish a row twice when it is stopped; every listener bears that.
            news = [one for one in changes if one.event_id not in self._known]
            self._known |= {one.event_id for one in news}
            self.told += news
            self._heard.notify_all()

    async def _on_filing(self, message: Msg) -> None:
        async with self._heard:
            self.filings.append(decode(message.data, FileSentCopy))
            self._heard.notify_all()

    async def _on_read(self, message: Msg) -> None:
        """As the api answers; nobody does while it is away."""
        if not self.api_is_there:
            return
        query = decode(message.data, ReadUpload)
        start = query.piece * _PIECE_BYTES
        data = self.uploads.get(query.upload_id, b"")[start : start + _PIECE_BYTES]
        await message.respond(encode(UploadPiece(data=data or None)))

    def enclosing(self, data: bytes, **differently: object) -> Enclosure:
        """A file that somebody uploaded."""
        upload_id = uuid7()
        self.uploads[upload_id] = data
        values = {
            "upload_id": upload_id,
            "name": "report.pdf",
            "content_type": "application/pdf",
            "size_bytes": len(data),
        }
        return Enclosure(**(values | differently))  # type: ignore[arg-type]

    async def tell(self, told: Told) -> None:
        """Put it into its stream, as its voice would."""
        await self._client.jetstream().publish(told.nats_subject(), encode(told))

    def endpoint(self, **differently: object) -> Endpoint:
        values = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "security": Security.NONE,
            "username": "ada",
            "verify_certificate": False,
        }
        return Endpoint(**(values | differently))  # type: ignore[arg-type]

    def connecting(
        self,
        *,
        sealed_for: Endpoint | None = None,
        version: int | None = None,
        password: str = PASSWORD,
        **at: object,
    ) -> ConnectSender:
        """The command to send for the account, newer than the last one."""
        self._version += 1
        endpoint = self.endpoint(**at)
        place = Destination.of(
            sealed_for or endpoint,
            tenant_id=self.tenant_id,
            account_id=self.account_id,
            purpose="smtp",
        )
        return ConnectSender(
            tenant_id=self.tenant_id,
            account_id=self.account_id,
            version=version or self._version,
            email="ada@example.com",
            endpoint=endpoint,
            sealed=seal(Credential.at(place, password), OpeningKeys.load(self.keys_dir)),
        )

    async def connect(self, **at: object) -> None:
        command = self.connecting(**at)  # type: ignore[arg-type]
        await self.tell(command)
        await self.until_row("SELECT true FROM account WHERE version = $1", command.version)

    def message(self, *to: Address, **differently: object) -> SendMessage:
        values = {
            "tenant_id": self.tenant_id,
            "submission_id": uuid7(),
            "account_id": self.account_id,
            "sender": Address("Ada", "ada@example.com"),
            "to": to or (BOB,),
            "subject": "Lunch",
            "text": "At noon?\n",
        }
        return SendMessage(**(values | differently))  # type: ignore[arg-type]

    async def send(self, *to: Address, **differently: object) -> UUID:
        command = self.message(*to, **differently)
        await self.tell(command)
        return command.submission_id

    async def changes(
        self, submission_id: UUID, action: SubmissionAction, **more: object
    ) -> SubmissionChanged:
        """Ask for this to be done about a submission; what was told in answer."""
        command = ChangeSubmission(
            tenant_id=self.tenant_id,
            account_id=self.account_id,
            submission_id=submission_id,
            change_id=uuid7(),
            action=action,
            **more,  # type: ignore[arg-type]
        )
        await self.tell(command)

        def answered() -> list[SubmissionChanged]:
            return [one for one in self.told if one.change_id == command.change_id]

        await self._until(answered)
        return answered()[0]

    async def until(
        self, submission_id: UUID, *states: SubmissionState, revision: int = 0
    ) -> SubmissionChanged:
        """Wait until it is told that the submission came to one of these states."""

        def found() -> SubmissionChanged | None:
            for one in self.told:
                if (
                    one.submission_id == submission_id
                    and one.state in states
                    and one.revision >= revision
                ):
                    return one
            return None

        await self._until(found)
        one = found()
        assert one is not None
        return one

    async def until_filing(self) -> FileSentCopy:
        await self._until(lambda: self.filings)
        return self.filings[0]

    async def until_row(self, query: str, *values: object, seconds: float = SOON_SECONDS) -> object:
        """Wait until this query has a true first value."""
        async with asyncio.timeout(seconds):
            while not (value := await self.rows.fetchval(query, *values)):
                await asyncio.sleep(0.02)
        return value

    async def again(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Rows, asked over a connection of their own: the database may have died meanwhile."""
        rows = await asyncpg.connect(self.platform.database_url("sender"))
        try:
            return await rows.fetch(query, *values)
        finally:
            await rows.close()

    async def _until(self, holds: Callable[[], object]) -> None:
        async with self._heard:
            try:
                async with asyncio.timeout(SOON_SECONDS):
                    await self._heard.wait_for(holds)
            except TimeoutError:
                raise AssertionError(f"not told in time; told was {self.told}") from None

    def states(self, submission_id: UUID) -> list[SubmissionState]:
        return [one.state for one in self.told if one.submission_id == submission_id]

    # --- sender itself ---------------------------------------------------------------------------

    def settings(self, **differently: object) -> Settings:
        values = {
            "database_url": SecretStr(self.platform.database_url("sender")),
            "request_database_url": SecretStr(self.platform.database_url("sender_request")),
            "bus_url": SecretStr(self.platform.bus_url("sender")),
            "seal_keys_dir": self.keys_dir,
            "probe_port": 0,
            "dial_allowed_networks": (ip_network("127.0.0.0/8"),),
            "poll_seconds": 0.1,
            "command_seconds": 10,
            "dot_seconds": 2,
            "stop_seconds": 1,
        }
        return Settings(**(values | differently))  # type: ignore[arg-type]

    @asynccontextmanager
    async def sender(self, **differently: object) -> AsyncGenerator[World]:
        """A sender in this process, until the end of the block."""
        stop = asyncio.Event()
        async with open_world(self.settings(**differently)) as world:
            serving = asyncio.create_task(serve(world, stop))
            try:
                yield world
            finally:
                stop.set()
                await serving

    @asynccontextmanager
    async def process(self, **environment: str) -> AsyncGenerator[asyncio.subprocess.Process]:
        """A sender as a process of its own, to be killed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.sender",
            env={
                **os.environ,
                **self.platform.environment("sender"),
                "SENDER_SEAL_KEYS_DIR": str(self.keys_dir),
                "SENDER_PROBE_PORT": "0",
                "SENDER_POLL_SECONDS": "0.1",
                "SENDER_LEASE_SECONDS": "1",
                **environment,
            },
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "keys"
    new_key(directory)
    return directory


@pytest_asyncio.fixture(loop_scope="session")
async def bench(platform: Platform, keys_dir: Path) -> AsyncIterator[Bench]:
    """Everything but a running sender."""
    async with (
        ScriptedServer().running() as server,
        Bench(platform, server, keys_dir).listening() as bench,
    ):
        yield bench
