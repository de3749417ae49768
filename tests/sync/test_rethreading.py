"""Threads are made anew from what is kept: with a real server, beside a replica that copies."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.sync.actions.ask_rethreading import ask_rethreading
from services.sync.actions.rethread_account import rethread_account
from services.sync.store import rethreadings
from services.sync.store.leases import LeaseLost
from services.sync.store.rethreadings import Rethreading, Stage
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import ChangeReason, MessagesChanged
from tests.servers.dovecot import Dovecot
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.test_copy import a_message

LETTERS = [
    a_message("A1"),
    a_message("B1"),
    a_message("A2", references="<a1@example.org>"),
    a_message("B2", references="<b1@example.org>"),
    # Siblings: the letter they answer never came.
    a_message("S1", references="<never@example.org>"),
    a_message("S2", references="<never@example.org>"),
    b"From: Ada <ada@example.org>\r\nSubject: Nameless\r\n\r\nHello.\r\n",
    a_message("A3", references="<a1@example.org> <a2@example.org>"),
]
RIGHT = [{"A1", "A2", "A3"}, {"B1", "B2"}, {"S1", "S2"}, {"Nameless"}]


@dataclass
class Threads:
    """The threads of the only account, as its listener was told of them."""

    sync: Sync

    def of(self, subject: str) -> UUID:
        message_id = self.sync.listener.listed()[subject]
        return self.sync.listener.states[message_id][1].thread_id

    def groups(self) -> list[set[str]]:
        found: dict[UUID, set[str]] = {}
        for subject in self.sync.listener.listed():
            found.setdefault(self.of(subject), set()).add(subject)
        return sorted(found.values(), key=min)

    async def until(self, *groups: set[str]) -> None:
        async def so() -> bool:
            kept = await self.sync.database.fetch("SELECT message_id, thread_id FROM message")
            told = self.sync.listener.states
            return self.groups() == sorted(groups, key=min) and all(
                told[row["message_id"]][1].thread_id == row["thread_id"] for row in kept
            )

        await until(f"threads are {groups}, kept as they are told", so)

    def told_again(self) -> list[str]:
        """The subjects of messages whose thread was told again, as often as it was."""
        subjects = {message_id: s for s, message_id in self.sync.listener.listed().items()}
        return sorted(
            subjects[change.message_id]
            for event in self.sync.listener.told
            if isinstance(event, MessagesChanged)
            for change in event.messages
            if ChangeReason.THREADED in change.reasons
        )

    async def mix_up(self) -> None:
        """All that is B's, and the letter without ids, become parts of A; A's last leaves it."""
        a, b = self.of("A1"), self.of("B1")
        ids = self.sync.listener.listed()
        for table in ("message", "thread_name"):
            await self.sync.database.execute(
                f"UPDATE {table} SET thread_id = $1 WHERE thread_id = $2", a, b
            )
        await self._put("Nameless", a, ids)
        await self._put("A3", uuid7(), ids)

    async def _put(self, subject: str, thread_id: UUID, ids: dict[str, UUID]) -> None:
        await self.sync.database.execute(
            "UPDATE message SET thread_id = $1 WHERE message_id = $2", thread_id, ids[subject]
        )

    async def wish(self) -> Rethreading | None:
        """How far it is, for whoever keeps the account."""
        replica_id = await self.sync.database.fetchval("SELECT replica_id FROM lease")
        async with self.sync.database.acquire() as connection:
            return await rethreadings.next_one(connection, replica_id)

    async def page(self) -> Rethreading | None:
        """Do one page, as the keeper of the account."""
        wish = await self.wish()
        assert wish is not None
        await rethread_account(wish, self.sync.database)
        return await self.wish()

    async def pages_until(self, stage: Stage | None) -> None:
        while (wish := await self.wish()) is not None and wish.stage is not stage:
            await self.page()
        assert (wish and wish.stage) == stage

    async def done(self) -> None:
        async def none() -> bool:
            return await self.sync.database.fetchval("SELECT count(*) FROM rethreading") == 0

        await until("threads were made anew", none)
        generations = await self.sync.database.fetch(
            """
            SELECT DISTINCT generation, thread_generation
              FROM thread_name JOIN clock USING (account_id)
            """
        )
        ((given, in_use),) = generations
        assert given == in_use > 0


@pytest.fixture
def threads(sync: Sync) -> Threads:
    return Threads(sync)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three messages, and no replica does one by itself."""

    async def left_alone(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("services.sync.workers.chores.rethread_account", left_alone)
    monkeypatch.setattr("services.sync.actions.rethread_account._MESSAGES", 3)


async def listed(sync: Sync, dovecot: Dovecot, user: str) -> UUID:
    """The account with the letters in it; it has no news any more."""
    dovecot.append(user, "INBOX", LETTERS)
    account = await sync.connect(user, dovecot)
    await sync.until_state("live")
    await sync.until_listed(len(LETTERS))
    return account.account_id


async def operator(sync: Sync, *arguments: str) -> tuple[int, str]:
    """What `./just rethread` runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.sync", "rethread", *arguments),
        env=os.environ
        | sync.platform.environment("sync")
        | {"SYNC_SEAL_KEYS_DIR": str(sync.keys), "SYNC_PROBE_PORT": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_threads_that_were_mixed_up_come_right_when_an_operator_asks(
    sync: Sync, threads: Threads, dovecot: Dovecot, user: str
) -> None:
    async with sync.running():
        account_id = await listed(sync, dovecot, user)
        await threads.until(*RIGHT)
        before = {subject: threads.of(subject) for subject in sync.listener.listed()}
        await threads.mix_up()
        status, said = await operator(sync, shown(Kind.ACCOUNT, account_id))
        assert (status, said.startswith("rethread: ")) == (0, True), said
        await threads.done()
        await threads.until(*RIGHT)
        # Only what differed is told, with a newer revision; the others keep thread and id.
        mended = ["A3", "B1", "B2", "Nameless"]

        async def told() -> bool:
            return threads.told_again() == mended

        await until("what differed was told", told)
        for subject in ("A1", "A2", "A3", "S1", "S2"):
            assert threads.of(subject) == before[subject]
        # Also what comes now.
        dovecot.append(user, "INBOX", [a_message("B3", references="<b2@example.org>")])
        await sync.until_listed(len(LETTERS) + 1)
        await threads.until(RIGHT[0], RIGHT[1] | {"B3"}, *RIGHT[2:])
    assert threads.told_again() == mended
    assert sync.listener.gone == set()


async def test_an_account_that_is_right_is_told_nothing(
    sync: Sync, threads: Threads, dovecot: Dovecot, user: str, by_hand: None
) -> None:
    async with sync.running():
        await listed(sync, dovecot, user)
        before = dict(sync.listener.states)
        for _ in range(2):
            await ask_rethreading(sync.database, None)
            await threads.pages_until(None)
            await threads.done()
        assert await sync.database.fetchval("SELECT thread_generation FROM clock") == 2
        assert await sync.database.fetchval("SELECT count(*) FROM outbox") == 0
    assert sync.listener.states == before
    assert not [event for event in sync.listener.told if isinstance(event, MessagesChanged)]


async def test_nobody_is_told_anything_before_all_names_are_gathered(
    sync: Sync, threads: Threads, dovecot: Dovecot, user: str, by_hand: None
) -> None:
    async with sync.running():
        await listed(sync, dovecot, user)
        await threads.mix_up()
        wrong = await sync.database.fetch("SELECT message_id, thread_id FROM message ORDER BY 1")
        await ask_rethreading(sync.database, None)
        await threads.pages_until(Stage.PUTTING)
        rows = await sync.database.fetch("SELECT message_id, thread_id FROM message ORDER BY 1")
        assert rows == wrong
        await threads.pages_until(None)
        await threads.until(*RIGHT)


async def test_a_replica_that_ends_in_the_middle_leaves_the_rest_to_the_next(
    sync: Sync,
    threads: Threads,
    dovecot: Dovecot,
    user: str,
    monkeypatch: pytest.MonkeyPatch,
    by_hand: None,
) -> None:
    async with sync.running():
        await listed(sync, dovecot, user)
        await threads.mix_up()
        await ask_rethreading(sync.database, None)
        await threads.page()
    # It stood in the middle of gathering. The next one goes on from there, and ends in turn.
    assert await threads.wish() is None
    async with sync.running():

        async def kept() -> Rethreading | None:
            return await threads.wish()

        wish = await until("somebody keeps the account", kept)
        assert (wish.stage, wish.done_up_to is None) == (Stage.GATHERING, False)
        await threads.pages_until(Stage.PUTTING)
        await threads.page()
        stale = await threads.wish()
    assert stale is not None
    with pytest.raises(LeaseLost):
        await rethread_account(stale, sync.database)
    monkeypatch.setattr("services.sync.workers.chores.rethread_account", rethread_account)
    monkeypatch.setattr("services.sync.workers.chores._POLL_SECONDS", 0.05)
    async with sync.running():
        await threads.done()
        await threads.until(*RIGHT)
    # Whoever did the page, each message was told once.
    assert threads.told_again() == ["A3", "B1", "B2", "Nameless"]


async def test_mail_that_comes_meanwhile_lands_in_its_thread(
    sync: Sync, threads: Threads, dovecot: Dovecot, user: str, by_hand: None
) -> None:
    async with sync.running():
        await listed(sync, dovecot, user)
        await threads.mix_up()
        await ask_rethreading(sync.database, None)
        await threads.page()
        dovecot.append(user, "INBOX", [a_message("B3", references="<b1@example.org>")])
        await sync.until_listed(len(LETTERS) + 1)
        await threads.pages_until(Stage.PUTTING)
        # Names are right now, though none of the messages that were there was put yet.
        dovecot.append(
            user,
            "INBOX",
            [
                a_message("B4", references="<b2@example.org>"),
                a_message("A4", references="<a3@example.org>"),
            ],
        )
        await sync.until_listed(len(LETTERS) + 3)
        assert threads.of("B4") != threads.of("A4")
        # This one makes the siblings parts of B, in the middle of it.
        await threads.page()
        dovecot.append(
            user, "INBOX", [a_message("B5", references="<b2@example.org> <s1@example.org>")]
        )
        await sync.until_listed(len(LETTERS) + 4)
        await threads.pages_until(None)
        await threads.until(
            {"A1", "A2", "A3", "A4"}, {"B1", "B2", "B3", "B4", "B5", "S1", "S2"}, {"Nameless"}
        )


async def test_mail_whose_id_is_older_than_it_is_meets_its_thread_all_the_same(
    sync: Sync,
    threads: Threads,
    dovecot: Dovecot,
    user: str,
    monkeypatch: pytest.MonkeyPatch,
    by_hand: None,
) -> None:
    async with sync.running():
        await listed(sync, dovecot, user)
        await ask_rethreading(sync.database, None)
        for _ in range(2):
            await threads.page()
        # The clock of whoever keeps the account now is slow: gathering has passed this id.
        slow = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000) << 80
        ids = iter(range(100))
        monkeypatch.setattr(
            "services.sync.actions.keeping.uuid7", lambda: UUID(int=slow + next(ids))
        )
        dovecot.append(user, "INBOX", [a_message("B3", references="<b1@example.org>")])
        await sync.until_listed(len(LETTERS) + 1)
        await threads.pages_until(Stage.PUTTING)
        # Of the two, only the second names the other: it waits for nothing but that one's names.
        dovecot.append(user, "INBOX", [a_message("B4", references="<b3@example.org>")])
        await sync.until_listed(len(LETTERS) + 2)
        await threads.pages_until(None)
        await threads.until(RIGHT[0], RIGHT[1] | {"B3", "B4"}, *RIGHT[2:])


async def test_a_conversation_by_the_servers_own_word_is_kept(
    sync: Sync, threads: Threads, dovecot: Dovecot, user: str, by_hand: None
) -> None:
    async with sync.running():
        await listed(sync, dovecot, user)
        ids = sync.listener.listed()
        await sync.database.execute(
            "UPDATE message SET conversation = '1278455344230334865' WHERE message_id = ANY($1)",
            [ids["B1"], ids["S1"]],
        )
        await ask_rethreading(sync.database, None)
        await threads.pages_until(None)
        await threads.until(RIGHT[0], RIGHT[1] | RIGHT[2], RIGHT[3])


async def test_asked_again_in_the_middle_it_begins_again(
    sync: Sync, threads: Threads, dovecot: Dovecot, user: str, by_hand: None
) -> None:
    async with sync.running():
        await listed(sync, dovecot, user)
        await threads.mix_up()
        for stage in (Stage.GATHERING, Stage.PUTTING, Stage.FORGETTING):
            await ask_rethreading(sync.database, None)
            await threads.pages_until(stage)
            if stage is not Stage.FORGETTING:
                await threads.page()
        await ask_rethreading(sync.database, None)
        await threads.pages_until(None)
        await threads.done()
        await threads.until(*RIGHT)


async def test_an_account_that_is_not_there_is_said_so(sync: Sync) -> None:
    status, said = await operator(sync, shown(Kind.ACCOUNT, uuid7()))
    assert (status, said) == (1, "rethread: there is no such account\n")
