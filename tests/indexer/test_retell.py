import random
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.indexer.actions.ask_retell import ask_retell
from shared.contracts.account import RetellAccount
from shared.contracts.envelope import Event, decode
from shared.contracts.mail import SyncedMessage
from tests.indexer.mail import (
    ACCOUNT,
    TENANT,
    a_change,
    a_message,
    a_page,
    a_retold_page,
    gone,
    retold,
)


@dataclass
class ScriptedSync:
    """An account that mail comes to, is read in and leaves, and that can be told again."""

    chance: random.Random
    revision: int = 0
    mail: dict[UUID, SyncedMessage] = field(default_factory=dict)

    def lives(self) -> Event:
        """Anything that happens in a mailbox, as it is told."""
        self.revision += 1
        what = self.chance.random()
        if what < 0.5 or not self.mail:
            message = a_message(f"word{self.revision}", revision=self.revision)
            self.mail[message.message_id] = message
            return a_page(message)
        message_id = self.chance.choice(list(self.mail))
        if what < 0.8:
            changed = a_change(
                message_id, self.revision, self.chance.sample(["\\Seen", "\\Flagged", "x"], 2)
            )
            self.mail[message_id] = SyncedMessage(
                message_id=message_id,
                revision=self.revision,
                arrival=self.mail[message_id].arrival,
                content_id=b"",
                content=self.mail[message_id].content,
                state=changed.messages[0].state,
            )
            return changed
        del self.mail[message_id]
        return gone(message_id, self.revision)

    def lives_and_tells_again(self, page_size: int) -> tuple[list[Event], list[Event]]:
        """A retell with a cursor over ids, while life goes on: live facts, retold facts."""
        generation, as_of, page, cursor = uuid7(), self.revision, 0, UUID(int=0)
        live: list[Event] = []
        again: list[Event] = []
        while True:
            rows = sorted((m for m in self.mail.values() if m.message_id > cursor),
                          key=lambda m: m.message_id)[:page_size]  # fmt: skip
            if not rows:
                break
            again.append(a_retold_page(generation, page, as_of, *rows))
            page, cursor = page + 1, rows[-1].message_id
            live += [self.lives() for _ in range(self.chance.randint(0, 4))]
        return live, [*again, retold(generation, as_of, page)]


@pytest.mark.parametrize("seed", range(6))
async def test_a_wiped_memory_told_again_under_live_traffic_equals_one_that_lost_nothing(
    indexer, seed
):
    chance = random.Random(seed)
    sync = ScriptedSync(chance)
    before = [sync.lives() for _ in range(80)]
    live, again = sync.lives_and_tells_again(page_size=7)
    late = chance.sample(before, 15)  # still on their way when the memory is lost

    everything = [*before, *live]
    chance.shuffle(everything)
    await indexer.hears(*everything)
    lost_nothing = await indexer.rows()
    await indexer.hears(*again)
    also_told_again = await indexer.rows()

    await indexer.forgets_everything()
    heard = [event for event in before if event not in late]
    chance.shuffle(heard)
    await indexer.hears(*heard)
    await indexer.forgets_everything()
    rest = [*late, *live, *again, *chance.sample(again, 3), *chance.sample(live, 3)]
    chance.shuffle(rest)
    await indexer.hears(*rest)

    told_again = await indexer.rows()
    assert told_again == also_told_again

    def readable(rows):
        # Without what only a retell leaves behind: as of when it named a row.
        return [
            {name: value for name, value in row.items() if name != "alive_as_of"}
            for row in rows["document"]
            if row["message_id"] in sync.mail
        ]

    assert readable(told_again) == readable(lost_nothing)
    assert len(readable(told_again)) == len(sync.mail)
    for table in ("words", "document_text"):
        assert told_again[table] == lost_nothing[table]


async def test_what_a_retell_does_not_name_goes_only_when_all_its_pages_are_here(indexer):
    kept, stale = a_message("kept", revision=1), a_message("stale", revision=2)
    await indexer.hears(a_page(kept, stale))
    generation = uuid7()

    await indexer.hears(retold(generation, 5, 2), a_retold_page(generation, 1, 5))
    assert await indexer.finds("stale") == [stale.message_id]

    newer = a_message("newer", revision=6)
    await indexer.hears(a_page(newer), a_retold_page(generation, 0, 5, kept))
    assert await indexer.finds("stale") == []
    assert await indexer.finds("kept OR newer") == [newer.message_id, kept.message_id]


async def test_a_late_page_does_not_bring_back_what_a_complete_retell_left_out(indexer):
    ghost = a_message("ghost", revision=3)
    await indexer.hears(retold(uuid7(), 5, 0))
    await indexer.hears(a_page(ghost), a_change(ghost.message_id, 4), gone(ghost.message_id, 4))
    assert await indexer.rows() == {"document": [], "words": [], "document_text": []}


async def test_a_retell_for_another_listener_is_not_ours(indexer):
    lunch = a_message("lunch")
    generation = uuid7()
    await indexer.hears(a_page(lunch))
    await indexer.hears(
        a_retold_page(generation, 0, 5, a_message("dinner"), listener="api"),
        retold(generation, 5, 1, listener="api"),
    )
    assert await indexer.finds("lunch") == [lunch.message_id]
    assert await indexer.finds("dinner") == []


async def test_asking_for_a_retell_writes_the_command_for_sync(indexer):
    await indexer.hears(a_page(a_message("lunch")))
    generation = await ask_retell(indexer.world.pool, ACCOUNT)
    everything = await ask_retell(indexer.world.pool, None)
    rows = await indexer.admin.fetch("SELECT * FROM indexer.outbox ORDER BY position")
    one, every = (decode(row["body"], RetellAccount) for row in rows)
    assert rows[0]["subject"] == "sync.account.retell"
    assert (one.tenant_id, one.account_id, one.generation, one.listener) == (
        TENANT, ACCOUNT, generation, "indexer",
    )  # fmt: skip
    assert (every.account_id, every.generation) == (None, everything)
