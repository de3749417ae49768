"""Copies of sent messages are filed with a real server, over no more connections than it allows."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from services.sync.domain.reason import Reason
from shared.bus import Bus, BusSettings, Ears, open_bus
from shared.contracts.account import ConnectSync, RemoveSync
from shared.contracts.envelope import encode
from shared.contracts.submission import FileSentCopy, ReadSubmissionMime, SubmissionMime
from tests.servers.dovecot import Dovecot
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.test_copy import a_message

SENT = "Message-ID: <lunch@postbus.test>\r\nSubject: Lunch\r\n\r\nAt noon?\r\n"


@asynccontextmanager
async def sender(sync: Sync) -> AsyncGenerator[Bus]:
    """The sender, who knows what was sent."""
    settings = BusSettings(bus_url=sync.platform.bus_url("sender"))  # pyright: ignore[reportArgumentType]
    ears: Ears[None] = Ears("sender")

    @ears.answer(ReadSubmissionMime)
    async def answer(query: ReadSubmissionMime, world: None) -> SubmissionMime:
        return SubmissionMime(data=SENT.encode(), pieces=1)

    async with (
        open_bus(settings, service="sender") as bus,
        ears.open(bus, None, only=[ReadSubmissionMime]),
    ):
        yield bus


async def file_copy(
    bus: Bus, account: ConnectSync, sent_at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
) -> UUID:
    command = FileSentCopy(
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        submission_id=uuid4(),
        message_id="lunch@postbus.test",
        size_bytes=len(SENT),
        sent_at=sent_at,
    )
    await bus.js.publish(command.nats_subject(), encode(command))
    return command.submission_id


async def until_filed(sync: Sync, submission_id: UUID) -> None:
    async def filed() -> bool:
        return await sync.database.fetchval(
            "SELECT filed_at IS NOT NULL FROM sent_copy WHERE submission_id = $1", submission_id
        )

    await until("the copy is filed", filed)


async def test_a_copy_is_filed_once_and_its_connection_is_given_back(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sender(sync) as bus, sync.running():
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        await until_filed(sync, await file_copy(bus, account))
        await until_filed(sync, await file_copy(bus, account))
        assert list(dovecot.message_ids(user, "Sent").values()) == ["<lunch@postbus.test>"]

        async def given_back() -> bool:
            held = await sync.database.fetch("SELECT role FROM connection_slot")
            return [each["role"] for each in held] == ["listen"]

        await until("only who listens has a connection", given_back)


async def test_nothing_is_to_be_filed_of_an_account_that_was_removed(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sender(sync) as bus, sync.running():
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        await sync.command(RemoveSync(tenant_id=account.tenant_id, account_id=account.account_id))
        await sync.until_obeyed()
        await file_copy(bus, account)
        await sync.until_obeyed()
        assert await sync.database.fetchval("SELECT count(*) FROM sent_copy") == 0
    assert dovecot.message_ids(user, "Sent") == {}


async def test_a_copy_is_filed_where_the_server_allows_a_single_connection(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sender(sync) as bus, sync.running(connections_per_account=1):
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        await until_filed(sync, await file_copy(bus, account))
        assert list(dovecot.message_ids(user, "Sent").values()) == ["<lunch@postbus.test>"]
        dovecot.append(user, "INBOX", [a_message("Number 1")])
        await sync.until_listed(2)  # whoever hung up for it is back


async def test_a_copy_waits_while_every_connection_is_in_use(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sender(sync) as bus, sync.running(connections_per_account=2):
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        opened = uuid4()  # by someone who opens a large attachment
        await sync.database.execute(
            "INSERT INTO replica (replica_id, role) VALUES ($1, 'answer')", opened
        )
        await sync.database.execute(
            "INSERT INTO connection_slot (account_id, number, tenant_id, role, replica_id)"
            " VALUES ($1, 1, $2, 'answer', $3)",
            account.account_id,
            account.tenant_id,
            opened,
        )
        copy = await file_copy(bus, account)

        async def waits() -> bool:
            await sync.database.execute("UPDATE replica SET seen_at = now()")
            row = await sync.database.fetchrow("SELECT trouble, attempts FROM sent_copy")
            return row is not None and tuple(row) == (Reason.TOO_MANY_CONNECTIONS, 0)

        await until("the copy waits for a connection", waits)
        assert dovecot.message_ids(user, "Sent") == {}
        await sync.database.execute("DELETE FROM connection_slot WHERE role = 'answer'")
        await sync.database.execute("UPDATE sent_copy SET due_at = now()")
        await until_filed(sync, copy)


async def files_sent(sync: Sync) -> bool | None:
    return await sync.database.fetchval("SELECT files_sent FROM account_server")


async def test_a_server_that_files_what_is_sent_is_given_time_and_files_the_only_copy(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sender(sync) as bus, sync.running():
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        await sync.database.execute("UPDATE account_server SET files_sent = true")
        copy = await file_copy(bus, account, sent_at=datetime.now(UTC) + timedelta(hours=1))

        async def waits() -> bool:
            row = await sync.database.fetchrow("SELECT trouble, attempts FROM sent_copy")
            return row is not None and tuple(row) == ("the server files it", 0)

        await until("the copy is waited for", waits)
        assert dovecot.message_ids(user, "Sent") == {}
        dovecot.append(user, "Sent", [SENT.encode()])
        await sync.database.execute("UPDATE sent_copy SET due_at = now()")
        await until_filed(sync, copy)
        assert list(dovecot.message_ids(user, "Sent").values()) == ["<lunch@postbus.test>"]
        assert await sync.database.fetchval("SELECT appended FROM sent_copy") is False


async def test_a_server_is_found_to_file_what_is_sent_and_found_not_to(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sender(sync) as bus, sync.running():
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        await until_filed(sync, await file_copy(bus, account))
        assert await files_sent(sync) is None, "that we filed one tells nothing of the server"
        dovecot.doveadm("expunge", "-u", user, "mailbox", "Sent", "all")
        dovecot.append(user, "Sent", [SENT.encode()])
        await until_filed(sync, await file_copy(bus, account))
        assert await files_sent(sync) is True
        dovecot.doveadm("expunge", "-u", user, "mailbox", "Sent", "all")
        # Sent long ago, it has been waited for: the copy is filed by us after all.
        await until_filed(sync, await file_copy(bus, account))
        assert await files_sent(sync) is False
        assert list(dovecot.message_ids(user, "Sent").values()) == ["<lunch@postbus.test>"]


async def test_what_a_server_says_it_is_is_remembered(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sync.running():
        await sync.connect(user, dovecot)
        await sync.until_state("live")
        row = await sync.database.fetchrow(
            "SELECT provider, chosen_by, server_name FROM account_server"
        )
    assert row is not None
    assert tuple(row) == (None, None, "Dovecot")
