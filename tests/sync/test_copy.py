"""The copy follows the server, and a message's id is its own for ever."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest
from nats.aio.msg import Msg

from services.sync.store import leases
from services.sync.store.leases import Lease, LeaseLost
from shared.contracts.account import (
    AccountProgressed,
    AccountRemoved,
    AccountRetold,
    RemoveSync,
    RetellAccount,
)
from shared.contracts.draft import KeepDraft
from shared.contracts.envelope import decode
from shared.contracts.hints import CopyProgressed
from shared.contracts.mail import MessagesFilled, MessagesRetold, MessagesSynced
from tests.servers.dovecot import Dovecot
from tests.stories.stack import until
from tests.sync.conftest import Sync


def a_message(subject: str, *, body: str = "Hello.", references: str = "") -> bytes:
    slug = subject.lower().replace(" ", "-")
    more = f"References: {references}\r\n" if references else ""
    return (
        f"From: Ada <ada@example.org>\r\nSubject: {subject}\r\n"
        f"Message-ID: <{slug}@example.org>\r\n{more}"
        f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\n{body}\r\n"
    ).encode()


def some_messages(count: int) -> list[bytes]:
    return [a_message(f"Number {number}") for number in range(count)]


async def test_what_was_there_before_is_backfill_and_what_comes_is_new(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(120))
    async with sync.running():
        await sync.connect(user, dovecot)
        await sync.until_state("live")
        await sync.until_listed(120)
        dovecot.append(user, "INBOX", [a_message("Fresh")])
        fresh = (await sync.until_listed(121))["Fresh"]
    kinds = {
        message.message_id: type(event)
        for event in sync.listener.told
        if isinstance(event, MessagesSynced)
        for message in event.messages
    }
    assert kinds.pop(fresh) is MessagesSynced
    assert set(kinds.values()) == {MessagesFilled}


async def test_who_gives_way_to_a_first_copy_hears_how_much_of_it_comes_and_when_it_is_over(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(120))
    heard: list[CopyProgressed] = []
    over = asyncio.Event()

    async def hear(message: Msg) -> None:
        heard.append(decode(message.data, CopyProgressed))
        if heard[-1].to_come == 0:
            over.set()

    async with sync.platform.admin_bus() as bus, sync.running():
        await bus.subscribe(CopyProgressed.channel, cb=hear)
        await bus.flush()
        connected = await sync.connect(user, dovecot)
        async with asyncio.timeout(30):
            await over.wait()
    assert {hint.account_id for hint in heard} == {connected.account_id}
    assert [hint.to_come for hint in heard] == [120, 70, 1, 0]


async def test_the_newest_messages_of_inbox_come_first(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Aardvark", some_messages(10))
    dovecot.append(user, "INBOX", [a_message(f"Inbox {number}") for number in range(120)])
    async with sync.running():
        await sync.connect(user, dovecot)
        await sync.until_listed(130)
    first = next(event for event in sync.listener.told if isinstance(event, MessagesFilled))
    assert {message.content.subject for message in first.messages} == {
        f"Inbox {number}" for number in range(70, 120)
    }


async def test_a_moved_message_keeps_its_id(sync: Sync, dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, "INBOX", some_messages(3))
    async with sync.running():
        await sync.connect(user, dovecot)
        before = await sync.until_listed(3, "INBOX")
        await sync.until_state("live")
        with dovecot.imap(user) as imap:
            imap.select("INBOX")
            imap.uid("MOVE", "2", "Archive")

        async def settled() -> bool:
            return sync.listener.listed("Archive") == {"Number 1": before["Number 1"]}

        await until("the message is in Archive under its id", settled)
    assert not sync.listener.gone & set(before.values())


async def test_a_move_that_is_seen_at_its_end_first_keeps_the_id_too(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    # INBOX is read first; the move comes before the other mailboxes are read.
    dovecot.append(user, "INBOX", some_messages(3))
    dovecot.append(user, "Zoo", [a_message(f"Animal {number}") for number in range(400)])
    async with sync.running():
        await sync.connect(user, dovecot)

        async def inbox_is_read() -> dict[str, UUID] | None:
            found = sync.listener.listed("INBOX")
            return found if len(found) == 3 else None

        before = await until("INBOX is read", inbox_is_read)
        with dovecot.imap(user) as imap:
            imap.select("INBOX")
            imap.uid("MOVE", "2", "Trash")
        await sync.until_listed(2, "INBOX")

        async def settled() -> bool:
            return sync.listener.listed("Trash") == {"Number 1": before["Number 1"]}

        await until("the message is in Trash under its id", settled)


async def test_a_renumbered_mailbox_keeps_every_id(sync: Sync, dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, "INBOX", [*some_messages(150), a_message("Twin"), a_message("Twin")])
    async with sync.running():
        await sync.connect(user, dovecot)
        await sync.until_state("live")
        await sync.until_listed(151)
        before = dict(sync.listener.states)
        assert len(before) == 152
        dovecot.doveadm("mailbox", "update", "-u", user, "--uid-validity", "4242", "INBOX")

        async def renumbered() -> bool:
            row = await sync.database.fetchrow(
                """
                SELECT uidvalidity, copied_at,
                       (SELECT count(*) FROM message WHERE uid IS NOT NULL) AS placed
                  FROM mailbox WHERE path = 'INBOX'
                """
            )
            return bool(row and row["uidvalidity"] == 4242 and row["copied_at"]) and (
                row["placed"] == 152
            )

        await until("INBOX was read anew", renumbered)
    assert sync.listener.states == before
    assert sync.listener.gone == set()


async def test_an_expunged_message_vanishes_and_its_neighbours_stay(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(3))
    async with sync.running():
        await sync.connect(user, dovecot)
        before = await sync.until_listed(3)
        with dovecot.imap(user) as imap:
            imap.select("INBOX")
            imap.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
            imap.expunge()
        await sync.until_listed(2)

        async def vanished() -> bool:
            return sync.listener.gone == {before["Number 1"]}

        await until("the expunged message vanished", vanished)
    assert await sync.database.fetchval("SELECT count(*) FROM tombstone") == 1


async def test_marks_set_elsewhere_are_told(sync: Sync, dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, "INBOX", some_messages(2))
    async with sync.running():
        await sync.connect(user, dovecot)
        ids = await sync.until_listed(2)
        await sync.until_state("live")
        with dovecot.imap(user) as imap:
            imap.select("INBOX")
            imap.uid("STORE", "1", "+FLAGS", "(\\Seen $Important)")

        async def marked() -> bool:
            keywords = sync.listener.states[ids["Number 0"]][1].keywords
            return {"\\Seen", "$Important"} <= keywords

        await until("the marks are told", marked)


async def test_replies_meet_in_a_thread_though_the_parent_comes_last(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    parent = "<parent@example.org>"
    dovecot.append(user, "INBOX", [a_message("Re one", references=parent)])
    dovecot.append(user, "Archive", [a_message("Re two", references=parent)])
    async with sync.running():
        await sync.connect(user, dovecot)
        await sync.until_listed(2)
        dovecot.append(user, "INBOX", [a_message("Parent"), a_message("Stranger")])
        ids = await sync.until_listed(4)
    thread = {
        subject: sync.listener.states[message_id][1].thread_id
        for subject, message_id in ids.items()
    }
    assert thread["Re one"] == thread["Re two"] == thread["Parent"]
    assert thread["Stranger"] != thread["Parent"]


async def test_threads_that_turn_out_to_be_one_are_merged_and_told(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", [a_message("Left"), a_message("Right")])
    async with sync.running():
        await sync.connect(user, dovecot)
        await sync.until_listed(2)
        await sync.until_state("live")
        both = "<left@example.org> <right@example.org>"
        dovecot.append(user, "INBOX", [a_message("Bridge", references=both)])
        ids = await sync.until_listed(3)

        async def one() -> bool:
            return len({sync.listener.states[i][1].thread_id for i in ids.values()}) == 1

        await until("the three are one thread", one)


async def test_what_is_too_large_is_quarantined_and_in_nobodys_way(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    huge = a_message("Huge", body="x" * 5000)
    dovecot.append(user, "INBOX", [a_message("Before"), huge, a_message("After")])
    async with sync.running(largest_message_bytes=2000):
        await sync.connect(user, dovecot)
        assert set(await sync.until_listed(2)) == {"Before", "After"}
        await sync.until_state("live")
    row = await sync.database.fetchrow("SELECT uid, reason FROM quarantine")
    assert row is not None
    assert (row["uid"], row["reason"]) == (2, "too_large")


async def test_a_deleted_mailbox_takes_its_messages_with_it(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Projects", some_messages(2))
    async with sync.running():
        await sync.connect(user, dovecot)
        await sync.until_listed(2)
        with dovecot.imap(user) as imap:
            imap.delete("Projects")

        async def gone() -> bool:
            return len(sync.listener.gone) == 2

        await until("both vanished", gone)
    (projects,) = [box for box in sync.listener.boxes.values() if box.path == "Projects"]
    assert projects.gone


async def test_an_account_is_retold_page_by_page_and_the_end_says_how_many(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(250))
    async with sync.running():
        command = await sync.connect(user, dovecot)
        await sync.until_listed(250)
        generation = uuid4()
        await sync.command(
            RetellAccount(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                listener="indexer",
                generation=generation,
            )
        )

        async def ended() -> AccountRetold | None:
            return next((e for e in sync.listener.told if isinstance(e, AccountRetold)), None)

        end = await until("the retelling ended", ended)

        async def pages() -> list[MessagesRetold] | None:
            found = [e for e in sync.listener.told if isinstance(e, MessagesRetold)]
            return found if len(found) == end.pages else None

        retold = await until("every page was heard", pages)
    assert sorted(page.page for page in retold) == list(range(end.pages))
    again = {m.message_id: m for page in retold for m in page.messages}
    assert again.keys() == sync.listener.whole.keys()
    for message_id, message in again.items():
        assert message.content == sync.listener.whole[message_id].content
        assert (message.revision, message.state) == sync.listener.states[message_id]
        assert message.revision <= end.as_of_revision


OF_AN_ACCOUNT = (
    *("message", "message_content", "mailbox", "thread_name", "sent_copy", "draft_copy", "clock"),
    *("lease", "connection_slot", "account_rest", "account_use", "account_state"),
)


async def test_a_removed_account_leaves_a_tombstone_and_no_row(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(30))
    async with sync.running():
        command = await sync.connect(user, dovecot)
        await sync.until_listed(30)
        await sync.command(RemoveSync(tenant_id=command.tenant_id, account_id=command.account_id))

        async def rows() -> int:
            return sum(
                [
                    await sync.database.fetchval(f"SELECT count(*) FROM {table}")
                    for table in OF_AN_ACCOUNT
                ]
            )

        async def forgotten() -> bool:
            return not await rows()

        await until("the rows are gone", forgotten)
        # A late copy of the command that connected it brings nothing back.
        await sync.command(command)
        await sync.command(RemoveSync(tenant_id=command.tenant_id, account_id=command.account_id))
        # Nor does what others did meanwhile, in the belief that it is there.
        await sync.command(
            KeepDraft(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                draft_id=uuid4(),
                version=1,
            )
        )
        await sync.until_obeyed()
        assert await rows() == 0
    assert await sync.database.fetchval("SELECT sealed FROM account") is None
    told = [event for event in sync.listener.told if isinstance(event, AccountRemoved)]
    assert [event.account_id for event in told] == [command.account_id]


async def test_while_sync_is_switched_off_commands_wait_as_rows(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(2))

    async def known() -> bool:
        return bool(await sync.database.fetchval("SELECT count(*) FROM account"))

    async with sync.running(enabled=False):
        await sync.connect(user, dovecot)
        await until("the command was taken", known)
        assert await sync.database.fetchval("SELECT replica_id FROM lease") is None
    async with sync.running():
        await sync.until_listed(2)


async def test_the_accounts_of_a_silent_replica_are_taken_over_and_it_cannot_write_any_more(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(2))
    async with sync.running(enabled=False):
        command = await sync.connect(user, dovecot)

        async def known() -> bool:
            return bool(await sync.database.fetchval("SELECT count(*) FROM lease"))

        await until("the command was taken", known)
    silent = uuid4()
    async with sync.database.acquire() as connection:
        await leases.beat(connection, silent)
        assert await leases.claim(connection, silent, 10) == 1
        (stale,) = await leases.held(connection, silent)
    async with sync.running():
        await sync.until_listed(2)
        await sync.until_state("live")
        async with sync.database.acquire() as connection, connection.transaction():
            with pytest.raises(LeaseLost):
                await leases.hold(connection, stale)
    assert stale.account_id == command.account_id


async def test_accounts_are_spread_over_replicas(sync: Sync, dovecot: Dovecot) -> None:
    for _ in range(6):
        await sync.connect(dovecot.new_user(), dovecot)

    async def spread() -> bool:
        rows = await sync.database.fetch(
            "SELECT replica_id, count(*) AS n FROM lease GROUP BY replica_id"
        )
        return {row["n"] for row in rows} <= {2, 3, 4} and len(rows) == 2

    async with sync.running(), sync.running():
        await until("both replicas keep a fair share", spread)

    async def one_keeps_all() -> bool:
        held = await sync.database.fetchval(
            "SELECT count(DISTINCT replica_id) FROM lease WHERE replica_id IS NOT NULL"
        )
        free = await sync.database.fetchval("SELECT count(*) FROM lease WHERE replica_id IS NULL")
        return held == 1 and free == 0

    async with sync.running():
        await until("what the ended replicas kept is taken over", one_keeps_all)


async def test_a_takeover_waits_for_a_write_that_is_under_way(sync: Sync) -> None:
    account_id, tenant_id, me = uuid4(), uuid4(), uuid4()
    await sync.database.execute(
        "INSERT INTO lease (account_id, tenant_id, replica_id, fence) VALUES ($1, $2, $3, 1)",
        account_id, tenant_id, me,
    )  # fmt: skip
    lease = Lease(account_id=account_id, tenant_id=tenant_id, replica_id=me, fence=1, version=1)
    async with sync.database.acquire() as writer, writer.transaction():
        await leases.hold(writer, lease)
        async with sync.database.acquire() as other:
            await other.execute("SET lock_timeout = '200ms'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await leases.release(other, lease)
            await other.execute("RESET lock_timeout")


async def test_a_first_copy_ends_with_all_of_it_told(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(3))
    dovecot.append(user, "Archive", some_messages(4))
    async with sync.running():
        await sync.connect(user, dovecot)
        await sync.until_state("live")

        async def told() -> bool:
            progress = [one for one in sync.listener.told if isinstance(one, AccountProgressed)]
            return bool(progress) and (progress[-1].done, progress[-1].total) == (7, 7)

        await until("all is told to be here", told)
