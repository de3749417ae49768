"""Sync is killed between the commands that carry a change back, and nothing is done twice."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest

from shared.contracts.intent import (
    Copy,
    Destroy,
    IntentSettled,
    MessageChange,
    Move,
    Outcome,
)
from tests.chaos.liar import Answer, Liar, Lie
from tests.servers.dovecot import Dovecot
from tests.servers.process import short_directory
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.test_leases import a_process
from tests.sync.wishes import connected, flags_of, mailbox_id, raw, subjects

UIDPLUS = "IMAP4rev1 UIDPLUS LITERAL+ IDLE"
PLAIN = "IMAP4rev1 LITERAL+ IDLE"


@contextmanager
def a_server(capability: str) -> Generator[Dovecot]:
    with (
        short_directory("postbus-crash-") as directory,
        Dovecot(directory, capability=capability) as server,
    ):
        yield server


def swallowed(command: str, seen: asyncio.Event) -> Lie:
    """That this command was done never reaches who gave it, nor anything after it."""
    done = re.compile(rb"\S+ OK (?:\[[^]]*\] )?" + command.encode())

    def lie() -> Callable[[Answer], Iterable[bytes]]:
        silent = False

        def tell(answer: Answer) -> Iterable[bytes]:
            nonlocal silent
            if done.match(answer.head):
                silent = True
                seen.set()
            return [] if silent else [answer.raw]

        return tell

    return lie


@dataclass
class Carried:
    """What was wished of `one` and `two`, and what became of it."""

    ids: dict[str, UUID]
    settled: IntentSettled

    @property
    def wished(self) -> dict[str, UUID]:
        return {subject: self.ids[subject] for subject in ("one", "two")}


@asynccontextmanager
async def killed_after(
    sync: Sync, server: Dovecot, user: str, command: str, wish: Callable[[Sync], MessageChange]
) -> AsyncGenerator[Carried]:
    """Sync dies when the server has carried out this command of a change; another finishes it."""
    with server.imap(user) as other:
        for subject in ("one", "two", "stays"):
            other.append("INBOX", None, None, raw(subject))
        other.create("Archive")
    done = asyncio.Event()
    async with Liar.before(server.imap_port) as way:
        async with a_process(sync) as process:
            wishes = await connected(sync, user, way)
            ids = await sync.until_listed(3)
            await sync.until_state("live")
            way.lie = swallowed(command, done)
            intent = await wishes.wants(wish(sync), ids["one"], ids["two"])
            async with asyncio.timeout(30):
                await done.wait()
            process.kill()
            await process.wait()
        way.lie = None
        async with sync.running():
            settled = await wishes.until_settled(intent)
            # A round later, too, all is as it was carried out.
            with server.imap(user) as other:
                other.append("INBOX", None, None, raw("later"))

            async def later() -> bool:
                return "later" in sync.listener.listed("INBOX")

            await until("a round went through", later)
            assert settled.outcome is Outcome.DONE
            yield Carried(ids, settled)


def to_archive(sync: Sync) -> Move:
    return Move(mailbox_id=mailbox_id(sync, "Archive"))


@pytest.mark.parametrize(
    ("capability", "command"),
    [
        pytest.param("", "Move", marks=pytest.mark.long),
        (UIDPLUS, "Copy"),
        pytest.param(UIDPLUS, "Store", marks=pytest.mark.long),
        (UIDPLUS, "Expunge"),
    ],
)
async def test_a_move_is_finished_once_by_whoever_comes_after(
    sync: Sync, capability: str, command: str
) -> None:
    with a_server(capability) as server:
        user = server.new_user()
        async with killed_after(sync, server, user, command, to_archive) as carried:
            assert (carried.settled.reason, carried.settled.exempt) == (None, ())
            assert archived(server, user) == ["<one@example.org>", "<two@example.org>"]
            assert subjects(server, user) == {"stays", "later"}

            async def there() -> bool:
                return sync.listener.listed("Archive") == carried.wished

            await until("the messages are in the archive under their ids", there)
            assert sync.listener.gone.isdisjoint(carried.ids.values())


@pytest.mark.parametrize("command", ["Copy", pytest.param("Store", marks=pytest.mark.long)])
async def test_a_move_that_can_only_be_half_is_so_once(sync: Sync, command: str) -> None:
    with a_server(PLAIN) as server:
        user = server.new_user()
        async with killed_after(sync, server, user, command, to_archive) as carried:
            assert carried.settled.reason == "left_marked_deleted"
            assert archived(server, user) == ["<one@example.org>", "<two@example.org>"]
            assert flags_of(server, user, "one") == {"\\Deleted"}
            assert flags_of(server, user, "stays") == set()
            assert subjects(server, user) == {"one", "two", "stays", "later"}


@pytest.mark.long
async def test_a_copy_is_made_once(sync: Sync) -> None:
    with a_server("") as server:
        user = server.new_user()
        async with killed_after(
            sync, server, user, "Copy", lambda sync: Copy(mailbox_id=mailbox_id(sync, "Archive"))
        ):
            assert archived(server, user) == ["<one@example.org>", "<two@example.org>"]
            assert subjects(server, user) == {"one", "two", "stays", "later"}


async def test_what_was_removed_is_told_removed(sync: Sync) -> None:
    with a_server("") as server:
        user = server.new_user()
        async with killed_after(sync, server, user, "Expunge", lambda _: Destroy()) as carried:
            assert subjects(server, user) == {"stays", "later"}
            # Who removed them nobody can say any more.
            assert {one.reason for one in carried.settled.exempt} == {"message_gone"}

            async def told() -> bool:
                return sync.listener.gone == set(carried.wished.values())

            await until("both are told gone", told)


def archived(server: Dovecot, user: str) -> list[str | None]:
    """What is in the archive, each message once for each time that it is there."""
    return sorted(server.message_ids(user, "Archive").values(), key=str)
