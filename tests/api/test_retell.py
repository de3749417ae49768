import random
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.account import AccountRetold
from shared.contracts.envelope import Event
from shared.contracts.mail import Arrival, SyncedMessage
from tests.api.conftest import Api, Person
from tests.api.mail import Ground


class Server:
    """A mailbox that changes, what sync tells of it, and what sync would tell again."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.revision = 1
        self.messages: dict[UUID, SyncedMessage] = {}
        self._chance = random.Random(11)

    def begins(self, count: int) -> list[Event]:
        made = [self._new() for _ in range(count)]
        return [self.ground.mailboxes(), self.ground.page(*made)]

    def goes_on(self) -> Event:
        """One thing that happens."""
        self.revision += 1
        ids = sorted(self.messages)
        what = self._chance.choice(["comes", "changes", "changes", "goes"]) if ids else "comes"
        if what == "comes":
            return self.ground.page(self._new())
        message_id = self._chance.choice(ids)
        if what == "goes":
            del self.messages[message_id]
            return self.ground.vanished(message_id, self.revision)
        known = self.messages[message_id]
        state = self.ground.state(
            self._chance.choice([self.ground.inbox, self.ground.archive]),
            *self._chance.sample(["\\Seen", "\\Flagged"], k=1),
        )
        self.messages[message_id] = self.ground.message(
            known.content.subject, message_id=message_id, revision=self.revision, state=state
        )
        return self.ground.changed(message_id, self.revision, state)

    def _new(self) -> SyncedMessage:
        message = self.ground.message(f"No {self._chance.random()}", revision=self.revision)
        self.messages[message.message_id] = message
        return message


async def what_is_shown(admin: asyncpg.Connection) -> dict[str, list[dict[str, Any]]]:
    """All that a list could return, and the numbers beside it."""
    messages = await admin.fetch(
        """
        SELECT message_id, account_id, mailbox_id, thread_id, keywords, labels, revision, subject,
               received_at, preview, details::text
          FROM api.message WHERE listed ORDER BY message_id
        """
    )
    mailboxes = await admin.fetch("SELECT * FROM api.mailbox ORDER BY mailbox_id")
    return {"messages": [dict(m) for m in messages], "mailboxes": [dict(m) for m in mailboxes]}


async def wipe(admin: asyncpg.Connection) -> None:
    await admin.execute("TRUNCATE api.message, api.mailbox, api.retelling")


async def test_a_wiped_projection_retold_under_live_traffic_equals_one_that_lost_nothing(
    api: Api, ada: Person, ground: Ground
) -> None:
    server = Server(ground)
    history: list[Event] = server.begins(60)
    history += [server.goes_on() for _ in range(60)]
    await api.hears(*history)
    await wipe(api.admin)
    logged = len(await ada.events())

    # Ten pages in any order, while life goes on; two pages come twice, the end in the middle.
    generation, as_of = uuid7(), server.revision
    told = sorted(server.messages.values(), key=lambda message: message.message_id)
    pages: list[Event] = [
        ground.retold(*told[n::10], as_of=as_of, generation=generation, page=n) for n in range(10)
    ]
    end = AccountRetold(
        tenant_id=ground.tenant_id,
        account_id=ground.account_id,
        listener="api",
        generation=generation,
        as_of_revision=as_of,
        pages=10,
    )
    chance = random.Random(5)
    retelling = [*pages, *pages[3:5], end]
    chance.shuffle(retelling)
    live: list[Event] = []
    for event in retelling:
        live += [now := server.goes_on()]
        await api.hears(now, event)
    await api.hears(ground.mailboxes(retold=True))
    await api.sweeps()
    retold = await what_is_shown(api.admin)
    events_of_pages = len(await ada.events()) - logged
    assert 0 < events_of_pages <= len(live)  # life, and nothing that is only told again

    await wipe(api.admin)
    await api.hears(*history, *live)
    assert await what_is_shown(api.admin) == retold
    assert {row["message_id"] for row in retold["messages"]} == set(server.messages)


async def test_what_a_retelling_does_not_show_goes_and_what_is_newer_stays(
    api: Api, ground: Ground
) -> None:
    kept, lost, newer = (ground.message(revision=n) for n in (1, 2, 9))
    await api.hears(ground.mailboxes(), ground.page(kept, lost, newer))
    generation = uuid7()
    await api.hears(
        ground.retold(kept, as_of=5, generation=generation),
        an_end(ground, generation, pages=1, as_of=5),
    )
    await api.sweeps()
    shown = await what_is_shown(api.admin)
    assert {row["message_id"] for row in shown["messages"]} == {
        kept.message_id,
        newer.message_id,
    }
    assert {row["message_count"] for row in shown["mailboxes"]} == {2, 0}

    # The page that once told it may still be under way: the tombstone holds.
    await api.hears(ground.page(lost))
    assert await what_is_shown(api.admin) == shown


@pytest.mark.parametrize(
    ("arrival", "logged"),
    [(Arrival.NEW, "message.received"), (Arrival.BACKFILL, "messages.added")],
)
async def test_news_that_a_retelling_overtook_are_news_once(
    api: Api, ada: Person, ground: Ground, arrival: Arrival, logged: str
) -> None:
    message = ground.message("Just now", revision=7, arrival=arrival)
    page = ground.page(message)
    before = len(await ada.events())
    await api.hears(ground.mailboxes(retold=True), ground.retold(message, as_of=5))
    assert len(await ada.events()) == before
    await api.hears(page)
    await api.hears(page)
    assert [event["type"] for event in (await ada.events())[before:]] == [logged]
    counts = [row["message_count"] for row in await api.rows("mailbox", "message_count")]
    assert counts == [0, 1]


async def test_nothing_goes_before_every_page_is_here(api: Api, ground: Ground) -> None:
    first, second = ground.message(), ground.message()
    await api.hears(ground.page(first, second))
    generation = uuid7()
    await api.hears(
        an_end(ground, generation, pages=2, as_of=5),
        ground.retold(first, as_of=5, generation=generation, page=0),
    )
    await api.sweeps()
    assert len((await what_is_shown(api.admin))["messages"]) == 2


async def test_an_empty_retelling_empties_the_account(api: Api, ground: Ground) -> None:
    await api.hears(ground.page(ground.message()))
    await api.hears(an_end(ground, uuid7(), pages=0, as_of=5))
    await api.sweeps()
    assert (await what_is_shown(api.admin))["messages"] == []


async def test_what_is_retold_to_another_listener_is_not_for_us(api: Api, ground: Ground) -> None:
    end = an_end(ground, uuid7(), pages=0, as_of=5)
    await api.hears(ground.page(ground.message()))
    await api.hears(
        AccountRetold(
            tenant_id=end.tenant_id,
            account_id=end.account_id,
            listener="indexer",
            generation=end.generation,
            as_of_revision=5,
            pages=0,
        )
    )
    await api.sweeps()
    assert len((await what_is_shown(api.admin))["messages"]) == 1


def an_end(ground: Ground, generation: UUID, *, pages: int, as_of: int) -> AccountRetold:
    return AccountRetold(
        tenant_id=ground.tenant_id,
        account_id=ground.account_id,
        listener="api",
        generation=generation,
        as_of_revision=as_of,
        pages=pages,
    )
