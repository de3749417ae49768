"""One story: an account on some server, sync that keeps it, and another mail program."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from shared.contracts.account import ConnectSync
from shared.contracts.mail import SyncedMessage
from tests.interop.other_client import OtherClient
from tests.interop.servers import CANDIDATES, EVERYWHERE
from tests.interop.table import Results
from tests.servers.imap_server import ImapServer, Reachable
from tests.servers.process import ServerUnavailable, short_directory
from tests.stories.stack import until
from tests.sync.conftest import Sync, sync

__all__ = ["sync"]

PATIENCE = 40.0  # seconds until the copy must be the server's
SOON = 0.5  # seconds between looks, where a server pushes nothing


@dataclass
class Story:
    """What a story has at hand."""

    sync: Sync
    server: ImapServer
    user: str
    other: OtherClient

    @asynccontextmanager
    async def running(
        self, way: Reachable | None = None, *, account: ConnectSync | None = None, **settings: Any
    ) -> AsyncGenerator[ConnectSync]:
        """Sync runs and keeps the account; everything was copied once."""
        soon = {"poll_seconds": SOON, "compare_seconds": SOON}
        async with self.sync.running(**soon | settings):
            if account is None:
                account = await self.sync.connect(self.user, way or self.server)
            await until("the account is live", self._is_live, seconds=PATIENCE)
            yield account

    async def _is_live(self) -> bool:
        doing = self.sync.listener.doing
        return doing is not None and doing.state == "live"

    def copy(self) -> dict[str, dict[str, frozenset[str]]]:
        """What we tell: the keywords of every message, by mailbox and Message-ID."""
        listener = self.sync.listener
        paths = {
            box.mailbox_id: box.path
            for box in listener.boxes.values()
            if box.selectable and not box.gone
        }
        found: dict[str, dict[str, frozenset[str]]] = {path: {} for path in paths.values()}
        for message_id, message in listener.whole.items():
            state = listener.states[message_id][1]
            if message_id not in listener.gone and state.mailbox_id is not None:
                path = paths.get(state.mailbox_id, "(gone)")
                found.setdefault(path, {})[message.content.message_id or ""] = state.keywords
        return found

    async def until_equal(self) -> None:
        """Wait until the copy is the server's, message by message and flag by flag."""
        truth = self.other.everything()

        async def equal() -> bool:
            return self.copy() == truth and self._placed() == sum(map(len, truth.values()))

        try:
            await until("the copy is the server's", equal, seconds=PATIENCE)
        except AssertionError:
            # The difference says more than that it took too long.
            assert self.copy() == truth
            raise

    async def until_kept(self, ids: dict[str, UUID], mailbox: str | None = None) -> None:
        """Wait until just these messages are shown under these ids.

        A move may be seen at its end first: for a moment the message has an id to spare.
        """

        async def kept() -> bool:
            return self.ids(mailbox) == ids and not self.sync.listener.gone & set(ids.values())

        try:
            await until("the messages have their ids", kept, seconds=PATIENCE)
        except AssertionError:
            assert self.ids(mailbox) == ids
            raise

    def _placed(self) -> int:
        listener = self.sync.listener
        return sum(
            message_id not in listener.gone and state.mailbox_id is not None
            for message_id, (_, state) in listener.states.items()
        )

    def ids(self, mailbox: str | None = None) -> dict[str, UUID]:
        """The ids a list would show, by Message-ID."""
        return {
            message.content.message_id or "": message_id
            for message_id, message, path in self._shown()
            if mailbox in {None, path}
        }

    def message(self, message: str) -> SyncedMessage:
        """What was told of the message with this Message-ID."""
        return self.sync.listener.whole[self.ids()[message]]

    def _shown(self) -> Iterator[tuple[UUID, SyncedMessage, str]]:
        listener = self.sync.listener
        for message_id, message in listener.whole.items():
            place = listener.states[message_id][1].mailbox_id
            if message_id not in listener.gone and place is not None:
                box = listener.boxes.get(place)
                yield message_id, message, box.path if box and not box.gone else "(gone)"

    def mailbox_id(self, path: str) -> UUID:
        (found,) = [
            box.mailbox_id
            for box in self.sync.listener.boxes.values()
            if box.path == path and not box.gone
        ]
        return found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--interop-table", help="Write how every server did into this document.")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESULTS] = Results()


_RESULTS = pytest.StashKey[Results]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every story with every server, each server's together."""
    if "server" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("server")
    names = only.args if only else EVERYWHERE
    metafunc.parametrize(
        "server",
        [
            pytest.param(
                name,
                id=name.replace(" ", "-"),
                marks=[pytest.mark.interop] if CANDIDATES[name].installed_apart else [],
            )
            for name in names
        ],
        indirect=True,
        scope="session",
    )


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[ImapServer]:
    """One running server, for all of its stories."""
    candidate = CANDIDATES[request.param]
    results = request.config.stash[_RESULTS]
    try:
        candidate.kind.require()
    except ServerUnavailable as reason:
        results.absent(candidate.name, str(reason))
        pytest.skip(str(reason))
    with short_directory("postbus-interop-") as directory, candidate.open(directory) as server:
        results.met(candidate.name, server)
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def story(sync: Sync, server: ImapServer) -> AsyncIterator[Story]:
    user = server.new_user()
    other = OtherClient(server, user)
    yield Story(sync, server, user, other)
    await asyncio.to_thread(other.close)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report: pytest.TestReport = yield
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "server" in callspec.params:
        story_name = item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
        item.config.stash[_RESULTS].told(callspec.params["server"], story_name, report)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    document = session.config.getoption("interop_table", None)
    if document:
        session.config.stash[_RESULTS].write(Path(document))
