"""Whatever order a message's facts come in, and however often, one result."""

import asyncio
import random
from collections.abc import Callable
from itertools import groupby, permutations
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.contracts.envelope import Event
from shared.contracts.mail import MessagesSynced
from tests.indexer.mail import (
    a_change,
    a_filled_page,
    a_message,
    a_page,
    a_retold_page,
    gone,
    retold,
)


def starred(account: UUID, one: UUID, two: UUID) -> list[Event]:
    return [
        a_page(a_message("lunch", "x", message_id=one, revision=1), account=account),
        a_change(one, 3, ["\\Flagged"], account=account),
        a_change(one, 5, ["\\Seen"], account=account),
        a_change(two, 4, ["\\Seen"], account=account),
        a_change(one, 6, ["\\Seen"], None, account=account),
    ]


def vanished_during_a_retell(account: UUID, one: UUID, two: UUID) -> list[Event]:
    first = a_message("lunch", "x", message_id=one, revision=1)
    return [
        a_page(first, account=account),
        a_change(one, 3, ["\\Flagged"], account=account),
        gone(one, 5, account=account),
        a_retold_page(two, 0, 2, first, account=account),
        retold(two, 2, 1, account=account),
    ]


def vanished_before_a_retell(account: UUID, one: UUID, two: UUID) -> list[Event]:
    second = a_message("dinner", "y", message_id=two, revision=2)
    return [
        a_page(a_message("lunch", "x", message_id=one, revision=1), account=account),
        gone(one, 3, account=account),
        a_retold_page(one, 0, 4, second, account=account),
        retold(one, 4, 1, account=account),
        a_change(two, 5, ["\\Seen"], account=account),
    ]


def two_retells(account: UUID, one: UUID, two: UUID) -> list[Event]:
    first = a_message("lunch", "x", message_id=one, revision=1)
    second = a_message("dinner", "y", message_id=two, revision=2)
    return [
        a_retold_page(one, 0, 2, first, second, account=account),
        retold(one, 2, 1, account=account),
        gone(one, 3, account=account),
        a_retold_page(two, 0, 4, second, account=account),
        retold(two, 4, 1, account=account),
    ]


def back_after_a_restore(account: UUID, one: UUID, two: UUID) -> list[Event]:
    """The server was restored: a revision of the lost history is older than a new epoch's."""
    epoch = 1 << 48
    return [
        a_page(a_message("lunch", "x", message_id=one, revision=1), account=account),
        gone(one, 3, account=account),
        a_retold_page(
            two, 0, epoch, a_message("lunch", "x", message_id=one, revision=1), account=account
        ),
        retold(two, epoch, 1, account=account),
        a_change(one, epoch + 1, ["\\Seen"], account=account),
    ]


History = Callable[[UUID, UUID, UUID], list[Event]]
HISTORIES = [
    starred,
    vanished_during_a_retell,
    vanished_before_a_retell,
    two_retells,
    back_after_a_restore,
]


def live(event: Event, chance: random.Random) -> Event:
    """News come as they came."""
    return event


def filled(event: Event, chance: random.Random) -> Event:
    """What comes live and what a first sync brings may be the same messages."""
    if not isinstance(event, MessagesSynced) or chance.random() < 0.3:
        return event
    return a_filled_page(*event.messages, account=event.account_id)


Path = Callable[[Event, random.Random], Event]
PATHS = [live, filled]


async def outcome(
    indexer: Any,
    history: History,
    order: tuple[int, ...],
    path: Path,
    *,
    batched: bool,
) -> Any:
    """What is known of an account of its own after this order of events."""
    account, one, two = uuid7(), uuid7(), uuid7()
    names = {account: "account", one: "one", two: "two"}
    told = history(account, one, two)
    chance = random.Random(f"{history.__name__} {order}")
    events = [path(told[index], chance) for index in order]
    batches = [[event] for event in events]
    if batched:
        batches = [list(several) for _, several in groupby(events, key=type)]
    for batch in batches:
        await indexer.hears_at_once(*batch)
        # At any moment words may go from one table to the other.
        if path is filled and chance.random() < 0.5:
            await indexer.puts_in_order()
    known = await indexer.kept("account_id = $1", account)
    return {
        table: [
            tuple(
                names.get(value, str(value).replace(account.hex, "account"))
                if isinstance(value, UUID | str)
                else value
                for value in row
            )
            for row in rows
        ]
        for table, rows in known.items()
    }


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
async def test_every_order_of_a_messages_facts_gives_one_result(indexer, history, path):
    count = len(history(uuid7(), uuid7(), uuid7()))
    orders = list(permutations(range(count)))
    expected = await outcome(indexer, history, orders[0], live, batched=False)
    for order in orders:
        assert await outcome(indexer, history, order, path, batched=False) == expected, order


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
async def test_repeated_facts_in_batches_of_any_cut_change_nothing(indexer, history, path):
    count = len(history(uuid7(), uuid7(), uuid7()))
    expected = await outcome(indexer, history, tuple(range(count)), live, batched=False)
    chance = random.Random(history.__name__)
    for _ in range(100):
        order = [*range(count), *chance.choices(range(count), k=chance.randint(1, 6))]
        chance.shuffle(order)
        known = await outcome(indexer, history, tuple(order), path, batched=True)
        assert known == expected, order


async def test_a_star_that_arrives_before_its_message_is_not_lost(indexer):
    lunch = a_message("Lunch on Friday")
    await indexer.hears(a_change(lunch.message_id, 2, ["\\Flagged"]), a_page(lunch))
    assert await indexer.finds("lunch is:starred") == [lunch.message_id]


async def test_no_fact_about_one_account_changes_a_message_of_another(indexer):
    lunch = a_message("lunch")
    await indexer.hears(a_page(lunch))
    stranger = uuid7()
    await indexer.hears(
        gone(lunch.message_id, 99, account=stranger),
        a_change(lunch.message_id, 99, ["\\Deleted"], account=stranger),
        a_page(a_message("dinner", message_id=lunch.message_id, revision=99), account=stranger),
    )
    assert await indexer.finds("lunch") == [lunch.message_id]
    assert await indexer.finds("dinner", accounts=[stranger]) == []


async def test_batches_worked_on_at_the_same_time_give_the_result_of_one_after_the_other(indexer):
    chance = random.Random(7)
    mail = [a_message(f"mail {n}", revision=n, minutes=n) for n in range(60)]
    events: list[Event] = []
    for start in range(0, 60, 10):
        events += [a_page(*mail[start : start + 20]), a_filled_page(*mail[start : start + 20])]
        events += [a_change(one.message_id, 1000 + start, ["\\Seen"]) for one in mail[::7]]
        events += [gone(one.message_id, 5000) for one in mail[::9]]
    generation = uuid7()
    told_again = [a_retold_page(generation, n, 4000, *mail[n * 20 : n * 20 + 20]) for n in range(3)]
    events += [*told_again, *told_again, retold(generation, 4000, 3)]
    await indexer.hears(*events)
    expected = await indexer.rows()

    await indexer.forgets_everything()
    chance.shuffle(events)
    async with asyncio.TaskGroup() as working:
        for n, event in enumerate(events):
            working.create_task(indexer.hears_at_once(event))
            if n % 5 == 0:
                working.create_task(indexer.puts_in_order(7))
    assert await indexer.rows() == expected
