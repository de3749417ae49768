import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.actions.forget_old import trim_log
from services.api.actions.read_log import Wanted, read_log
from services.api.domain.cursors import LogCursor
from services.api.domain.logbook import Entry, EventType
from services.api.domain.refusals import CursorExpired
from services.api.store import log
from shared.contracts.account import AccountState
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Arrival
from shared.db import Connection, in_transaction
from tests.api.conftest import Api, Person
from tests.api.mail import Ground


async def test_numbers_have_no_gaps_whoever_writes_and_whatever_fails(api: Api) -> None:
    async with api.person() as ada, api.person() as grace:
        grounds = [await person.connects() for person in (ada, grace, ada, grace)]
        written = asyncio.Event()

        async def write(n: int) -> None:
            for turn in range(8):
                pages = [g.page(g.message(f"{n}.{turn}"), g.message()) for g in grounds]
                await api.hears_at_once(*pages, *(pages[:2] if turn % 2 else ()))

        async def write_and_fail() -> None:
            async with api.world.pool.acquire() as connection, connection.transaction():
                await log.append(connection, [an_entry(grounds[0])])
                await connection.execute("SELECT 1 / 0")

        async def fail() -> None:
            for _ in range(10):
                with pytest.raises(asyncpg.DivisionByZeroError):
                    await write_and_fail()

        async def follow(person: Person) -> list[int]:
            """What somebody sees who reads on and on, without ever looking back."""
            seen: list[int] = []
            cursor = "earliest"
            while True:
                over = written.is_set()
                page = (
                    await person.http.get("/events", params={"after": cursor, "limit": 200})
                ).json()
                seen += [int(event["cursor"].partition("-")[2]) for event in page["items"]]
                cursor = page["next_cursor"]
                if over and not page["items"]:
                    return seen

        following = [asyncio.create_task(follow(person)) for person in (ada, grace)]
        await asyncio.gather(*(write(n) for n in range(6)), fail())
        written.set()
        for seen in await asyncio.gather(*following):
            # account.created twice; 6 writers, 8 turns, 2 accounts, 2 messages.
            assert seen == list(range(1, 2 + 6 * 8 * 2 * 2 + 1))


def an_entry(ground: Ground) -> Entry:
    return Entry(
        tenant_id=ground.tenant_id,
        account_id=ground.account_id,
        event_id=uuid7(),
        type=EventType.ACCOUNT_UPDATED,
        occurred_at=datetime.now(UTC),
        body=b"{}",
    )


async def test_a_fact_heard_twice_is_logged_once(api: Api, ada: Person, ground: Ground) -> None:
    page = ground.page(ground.message(), ground.message(arrival=Arrival.BACKFILL))
    await api.hears(page, page)
    await api.hears_at_once(page, page)
    assert [event["type"] for event in await ada.events()] == [
        "account.created",
        "message.received",
        "messages.added",
    ]


async def test_even_when_its_rows_were_lost_a_fact_heard_again_is_not_logged_again(
    api: Api, ada: Person, ground: Ground
) -> None:
    page = ground.page(ground.message())
    await api.hears(page)
    await api.admin.execute("TRUNCATE api.message, api.mailbox")
    await api.hears(page)
    assert len(await ada.events()) == 2


async def test_the_log_tells_what_happens_to_mail(api: Api, ada: Person, ground: Ground) -> None:
    message = ground.message("Lunch")
    message_id = message.message_id
    await api.hears(
        ground.is_in(AccountState.SYNCING, 1),
        ground.mailboxes(),
        ground.page(message),
        ground.changed(message_id, 2, ground.state(None, "\\Seen")),
        ground.changed(message_id, 3, ground.state(ground.archive, "\\Seen")),
        ground.vanished(message_id, 4),
    )
    events = await ada.events()
    assert [event["type"] for event in events] == [
        "account.created",
        "account.state_changed",
        "mailbox.created",
        "mailbox.created",
        "message.received",
        "message.updated",
        "message.moved",
        "message.deleted",
    ]
    received, updated, moved, deleted = (event["data"] for event in events[4:])
    assert received["subject"] == "Lunch"
    assert received["from"] == {"name": "Ada", "email": "ada@example.org"}
    assert updated["unread"] is False
    assert moved["mailbox_id"] == shown(Kind.MAILBOX, ground.archive)
    for data in (received, updated, moved, deleted):
        assert data["id"] == shown(Kind.MESSAGE, message_id)
    assert len({event["id"] for event in events}) == len(events)


async def test_a_mailbox_that_is_there_again_is_listed_under_its_id_and_logged_as_made(
    api: Api, ada: Person, ground: Ground
) -> None:
    there, gone = ground.mailboxes(), ground.mailboxes(2)
    gone = structs.replace(
        gone, mailboxes=tuple(structs.replace(one, gone=True) for one in gone.mailboxes)
    )
    back = ground.mailboxes(3)
    back = structs.replace(
        back, mailboxes=tuple(structs.replace(one, path="Elsewhere") for one in back.mailboxes[1:])
    )
    await api.hears(there, gone)
    assert await ada.items("/mailboxes") == []
    await api.hears(back, there, gone)  # what is older says nothing any more
    (listed,) = await ada.items("/mailboxes")
    archive = shown(Kind.MAILBOX, ground.archive)
    assert (listed["id"], listed["path"]) == (archive, "Elsewhere")
    assert [event["type"] for event in await ada.events()] == [
        "account.created",
        *["mailbox.created"] * 2,
        *["mailbox.deleted"] * 2,
        "mailbox.created",
    ]


async def test_what_a_retelling_brings_back_is_logged_if_it_was_logged_as_deleted(
    api: Api, ada: Person, ground: Ground
) -> None:
    gone = ground.mailboxes(2)
    gone = structs.replace(
        gone, mailboxes=tuple(structs.replace(one, gone=True) for one in gone.mailboxes[1:])
    )
    await api.hears(ground.mailboxes(), gone, ground.mailboxes(3, retold=True))
    types = [event["type"] for event in await ada.events()]
    assert types[1:] == ["mailbox.created", "mailbox.created", "mailbox.deleted", "mailbox.created"]


async def test_a_body_that_would_be_too_long_says_only_whose_it_is(
    api: Api, ada: Person, ground: Ground
) -> None:
    words = [f"keyword-{n}-{'x' * 60}" for n in range(200)]
    await api.hears(ground.page(ground.message(state=ground.state(None, *words))))
    (event,) = (event for event in await ada.events() if event["type"] == "message.received")
    assert set(event["data"]) == {"id", "account_id"}


async def test_old_events_are_forgotten_and_numbers_go_on(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(ground.page(*(ground.message() for _ in range(5))))
    await api.admin.execute(
        "UPDATE api.event_log SET logged_at = now() - interval '40 days' WHERE seq <= 4"
    )
    assert await trim_log(api.world.pool, timedelta(days=30), datetime.now(UTC)) == 4
    assert await trim_log(api.world.pool, timedelta(days=30), datetime.now(UTC)) == 0

    answer = await ada.http.get("/events", params={"after": "1-2"})
    assert (answer.status_code, answer.json()["code"]) == (410, "cursor_expired")
    # The way on: take the place of now, read what there is, and miss nothing of what comes.
    now = (await ada.http.get("/events", params={"after": "latest"})).json()["next_cursor"]
    account = shown(Kind.ACCOUNT, ground.account_id)
    assert len(await ada.items("/messages", account_id=account)) == 5
    await api.hears(ground.page(ground.message("Meanwhile")))
    (event,) = await ada.items("/events", after=now)
    assert event["data"]["subject"] == "Meanwhile"
    assert len(await ada.items("/events", after="1-4")) == 3
    assert len(await ada.events()) == 3


async def test_a_transaction_that_has_to_begin_anew_takes_no_number_twice_and_leaves_none_out(
    api: Api, ada: Person, ground: Ground
) -> None:
    tries = 0

    async def met_another(connection: Connection) -> dict[UUID, int]:
        nonlocal tries
        tries += 1
        grew = await log.append(connection, [an_entry(ground), an_entry(ground)])
        if tries < 3:
            raise asyncpg.DeadlockDetectedError("met another")
        return grew

    assert await in_transaction(api.world.pool, met_another) == {ada.tenant_id: 3}
    numbers = [int(event["cursor"].partition("-")[2]) for event in await ada.events()]
    assert numbers == [1, 2, 3]


async def test_what_is_forgotten_while_somebody_reads_is_refused_and_never_left_out(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(ground.page(*(ground.message() for _ in range(300))))
    await api.admin.execute("UPDATE api.event_log SET logged_at = now() - interval '40 days'")
    reader = Caller(tenant_id=ada.tenant_id, account_ids=(ground.account_id,))

    async def read_on() -> list[int]:
        cursor, seen = LogCursor(1, 0), list[int]()
        while True:
            try:
                page = await read_log(api.world.request_pool, reader, cursor, Wanted(), 7)
            except CursorExpired:
                return seen
            seen += [event.seq for event in page.events]
            cursor = page.cursor
            if not page.more:
                return seen

    async def forget() -> None:
        while True:
            async with api.world.pool.acquire() as connection, connection.transaction():
                if not await log.trim(connection, ada.tenant_id, before=datetime.now(UTC), limit=5):
                    return

    *seen, _ = await asyncio.gather(*(read_on() for _ in range(5)), forget())
    for numbers in seen:
        assert numbers == list(range(1, len(numbers) + 1))
