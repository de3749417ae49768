"""A draft is in the account's mailbox for drafts once, as it was written last."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from uuid import UUID, uuid4

import pytest

from services.sender.actions.preview_message import preview_message
from services.sync.actions import file_drafts as filing
from services.sync.imap.session import Session
from shared.bus import Bus, BusSettings, Ears, open_bus
from shared.contracts.account import ConnectSync
from shared.contracts.draft import KeepDraft
from shared.contracts.envelope import encode
from shared.contracts.mail import Address
from shared.contracts.submission import PreviewSubmission, SendMessage, SubmissionPreview
from tests.servers.dovecot import Dovecot
from tests.stories.stack import until
from tests.sync.conftest import Sync

BOB = Address("", "bob@example.org")


@asynccontextmanager
async def sender(sync: Sync) -> AsyncGenerator[Bus]:
    """The sender, as far as it composes."""
    settings = BusSettings(bus_url=sync.platform.bus_url("sender"))  # pyright: ignore[reportArgumentType]
    ears: Ears[Bus] = Ears("sender")

    @ears.answer(PreviewSubmission)
    async def answer(query: PreviewSubmission, bus: Bus) -> SubmissionPreview:
        # Of a copy of a draft nothing is looked up: the pools are not asked.
        return await preview_message(query, bus, sync.database, sync.database)

    async with (
        open_bus(settings, service="sender") as bus,
        ears.open(bus, bus, only=[PreviewSubmission]),
        open_bus(
            BusSettings(bus_url=sync.platform.bus_url("api")),  # pyright: ignore[reportArgumentType]
            service="api",
        ) as api,
    ):
        yield api


class Writer:
    """Somebody who writes one draft."""

    def __init__(self, sync: Sync, bus: Bus, account: ConnectSync) -> None:
        self.sync, self.bus, self.account = sync, bus, account
        self.draft_id = uuid4()
        self.version = 0

    async def tells(self, message: SendMessage | None) -> None:
        self.version += 1
        command = KeepDraft(
            tenant_id=self.account.tenant_id,
            account_id=self.account.account_id,
            draft_id=self.draft_id,
            version=self.version,
            message=message,
        )
        await self.bus.js.publish(command.nats_subject(), encode(command))
        self.told = command

    async def writes(self, text: str, *, bcc: tuple[Address, ...] = ()) -> None:
        await self.tells(
            SendMessage(
                tenant_id=self.account.tenant_id,
                submission_id=self.draft_id,
                account_id=self.account.account_id,
                sender=Address("Ada", "ada@example.org"),
                to=(),
                bcc=bcc,
                subject="Lunch",
                text=text,
            )
        )

    async def until_filed(self) -> None:
        await until_filed(self.sync, self.draft_id, self.version)


async def until_filed(sync: Sync, draft_id: UUID, version: int) -> None:
    async def filed() -> bool:
        return await sync.database.fetchval(
            "SELECT filed_at IS NOT NULL AND version = $2 FROM draft_copy WHERE draft_id = $1",
            draft_id,
            version,
        )

    await until("the draft is filed", filed)


def texts(dovecot: Dovecot, user: str) -> list[str]:
    found = [
        message_from_bytes(raw, policy=default) for raw in dovecot.messages(user, "Drafts").values()
    ]
    return [one.get_content().strip() for one in found]


async def test_each_version_takes_the_place_of_the_one_before(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sender(sync) as bus, sync.running():
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        writer = Writer(sync, bus, account)
        for text in ("Shall", "Shall we?"):
            await writer.writes(text, bcc=(BOB,))
            await writer.until_filed()
            assert texts(dovecot, user) == [text]
        raw = next(iter(dovecot.messages(user, "Drafts").values()))
        assert message_from_bytes(raw, policy=default)["Bcc"] == "bob@example.org"
        other = Writer(sync, bus, account)
        await other.writes("Dinner?")
        await other.until_filed()
        assert sorted(texts(dovecot, user)) == ["Dinner?", "Shall we?"]

        await writer.bus.js.publish(other.told.nats_subject(), encode(other.told))
        await writer.tells(None)
        await writer.until_filed()
        assert texts(dovecot, user) == ["Dinner?"]


@pytest.mark.parametrize("moment", ["before", "appended", "removed"])
async def test_a_crash_leaves_one_copy_in_the_end(
    sync: Sync, dovecot: Dovecot, user: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    crashes = 1

    def crashing(name: str) -> None:
        nonlocal crashes
        if name == moment and crashes:
            crashes -= 1
            raise filing.NotFiled(f"the process ended: {moment}")

    append, put_filed = Session.append, filing.draft_copies.put_filed

    async def append_and_crash(self: Session, *args: object, **more: object) -> object:
        crashing("before")
        result = await append(self, *args, **more)  # type: ignore[arg-type]
        crashing("appended")
        return result

    async def removed_and_crash(*args: object, **more: object) -> None:
        crashing("removed")
        await put_filed(*args, **more)  # type: ignore[arg-type]

    async with sender(sync) as bus, sync.running():
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        writer = Writer(sync, bus, account)
        await writer.writes("one")
        await writer.until_filed()
        monkeypatch.setattr(Session, "append", append_and_crash)
        monkeypatch.setattr(filing.draft_copies, "put_filed", removed_and_crash)
        await writer.writes("two")

        async def crashed() -> bool:
            trouble = await sync.database.fetchval("SELECT trouble FROM draft_copy")
            return trouble is not None and "the process ended" in trouble

        await until("it crashed", crashed)
        assert "two" in texts(dovecot, user) or "one" in texts(dovecot, user)
        # A version that comes before the last one was put right leaves nothing behind either.
        await writer.writes("three")
        await writer.until_filed()
        assert texts(dovecot, user) == ["three"]


async def test_a_draft_waits_for_a_sender_that_is_away(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    settings = BusSettings(bus_url=sync.platform.bus_url("api"))  # pyright: ignore[reportArgumentType]
    async with sync.running(), open_bus(settings, service="api") as bus:
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        writer = Writer(sync, bus, account)
        await writer.writes("one")

        async def put_off() -> bool:
            return await sync.database.fetchval("SELECT attempts > 0 FROM draft_copy")

        await until("it is put off", put_off)
        assert texts(dovecot, user) == []
        async with sender(sync):
            await sync.database.execute("UPDATE draft_copy SET due_at = now()")
            await writer.until_filed()
        assert texts(dovecot, user) == ["one"]
