import asyncio
import random
from collections import Counter
from collections.abc import Callable
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.contracts.envelope import Event
from shared.contracts.mail import State
from tests.api.conftest import Api
from tests.api.mail import Ground

History = Callable[[Ground, UUID], list[Event]]


def a_life(ground: Ground, message: UUID) -> list[Event]:
    """It comes, is starred, is moved, and goes."""
    return [
        ground.page(ground.message(message_id=message, revision=1)),
        ground.changed(message, 2, ground.state(None, "\\Flagged")),
        ground.changed(message, 3, ground.state(ground.archive, "\\Flagged", "\\Seen")),
        ground.vanished(message, 5),
    ]


def without_an_end(ground: Ground, message: UUID) -> list[Event]:
    return [
        *a_life(ground, message)[:3],
        ground.changed(message, 4, ground.state(ground.inbox)),
    ]


def in_transit_at_the_end(ground: Ground, message: UUID) -> list[Event]:
    between = ground.state()
    between = type(between)(mailbox_id=None, keywords=between.keywords, thread_id=between.thread_id)
    return [*a_life(ground, message)[:3], ground.changed(message, 4, between)]


def marked_for_removal_at_the_end(ground: Ground, message: UUID) -> list[Event]:
    return [
        *a_life(ground, message)[:3],
        ground.changed(message, 4, ground.state(ground.archive, "\\Seen", "\\Deleted")),
    ]


def marked_for_removal_for_a_while(ground: Ground, message: UUID) -> list[Event]:
    return [
        ground.page(ground.message(message_id=message, revision=1)),
        ground.changed(message, 2, ground.state(None, "\\Deleted")),
        ground.retold(
            ground.message(message_id=message, revision=2, state=ground.state(None, "\\Deleted")),
            as_of=3,
        ),
        ground.changed(message, 4, ground.state(ground.archive, "\\Seen")),
    ]


def retold_after_it_was_wrongly_buried(ground: Ground, message: UUID) -> list[Event]:
    moved = ground.state(ground.archive)
    return [
        ground.page(ground.message(message_id=message, revision=1)),
        ground.changed(message, 2, moved),
        ground.vanished(message, 3),
        ground.retold(ground.message(message_id=message, revision=2, state=moved), as_of=4),
        ground.changed(message, 6, ground.state(ground.inbox, "\\Seen")),
    ]


def gone_after_a_retelling_saw_it(ground: Ground, message: UUID) -> list[Event]:
    return [
        ground.page(ground.message(message_id=message, revision=1)),
        ground.retold(ground.message(message_id=message, revision=1), as_of=4),
        ground.changed(message, 5, ground.state(ground.archive)),
        ground.vanished(message, 6),
    ]


def two_retellings_and_two_ends(ground: Ground, message: UUID) -> list[Event]:
    return [
        ground.retold(ground.message(message_id=message, revision=1), as_of=2),
        ground.vanished(message, 3),
        ground.retold(ground.message(message_id=message, revision=1), as_of=4),
        ground.vanished(message, 5),
        ground.changed(message, 4, ground.state(ground.archive)),
    ]


def labelled_one_way_and_another(ground: Ground, message: UUID) -> list[Event]:
    def so(*labels: str) -> State:
        return ground.state(None, labels=labels)

    return [
        ground.page(ground.message(message_id=message, revision=1, state=so("\\Inbox", "Work"))),
        ground.changed(message, 2, so("Work", "Ørsted")),
        ground.retold(
            ground.message(message_id=message, revision=2, state=so("Work", "Ørsted")), as_of=3
        ),
        ground.changed(message, 4, ground.state(None, "\\Deleted", labels=("Work",))),
        ground.changed(message, 5, so("Work", "\\Starred")),
    ]


def labelled_and_gone(ground: Ground, message: UUID) -> list[Event]:
    return [
        *labelled_one_way_and_another(ground, message)[:2],
        ground.vanished(message, 3),
    ]


def as_it_stands(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what differs from message to message: its id, and when it was written."""
    return {
        name: value for name, value in row.items() if name not in {"message_id", "vanished_at"}
    } | {"has_tombstone": row["vanished_at"] is not None}


async def counts_are_right(api: Api) -> None:
    """The numbers beside mailboxes, and the rows of labels, are those of what a list returns."""
    rows = await api.rows("message", "message_id")
    assert not [row for row in rows if row["listed"] and "\\Deleted" in row["keywords"]]
    listed: Counter[UUID] = Counter()
    unread: Counter[UUID] = Counter()
    for row in await api.rows("message", "message_id"):
        if row["listed"]:
            listed[row["mailbox_id"]] += 1
            unread[row["mailbox_id"]] += row["unread"]
    for mailbox in await api.rows("mailbox", "mailbox_id"):
        assert mailbox["message_count"] == listed[mailbox["mailbox_id"]]
        assert mailbox["unread_count"] == unread[mailbox["mailbox_id"]]
    labelled = await api.rows("message_label", "message_id")
    assert {(row["message_id"], row["label"], row["received_at"]) for row in labelled} == {
        (row["message_id"], label, row["received_at"])
        for row in rows
        if row["listed"]
        for label in row["labels"]
    }


@pytest.mark.parametrize(
    ("history", "gone"),
    [
        (a_life, True),
        (without_an_end, False),
        (in_transit_at_the_end, False),
        (marked_for_removal_at_the_end, False),
        (marked_for_removal_for_a_while, False),
        (retold_after_it_was_wrongly_buried, False),
        (gone_after_a_retelling_saw_it, True),
        (two_retellings_and_two_ends, True),
        (labelled_one_way_and_another, False),
        (labelled_and_gone, True),
    ],
)
async def test_whatever_the_order_and_however_often_told_a_message_ends_the_same(
    api: Api, ground: Ground, history: History, gone: bool
) -> None:
    chance = random.Random(7)
    order = list(range(len(history(ground, uuid7()))))
    for turn in permutations(order):
        message = uuid7()
        events = history(ground, message)
        # Everything in this order, and some of it again at any later time.
        told = list(turn)
        for n in chance.sample(order, k=2):
            told.insert(chance.randint(told.index(n) + 1, len(told)), n)
        await api.hears(*(events[n] for n in told))

    rows = await api.rows("message", "message_id")
    assert len(rows) == len(list(permutations(order)))
    first = as_it_stands(rows[0])
    assert all(as_it_stands(row) == first for row in rows)
    assert (first["received_at"] is None) is gone
    assert first["has_tombstone"] is gone
    await counts_are_right(api)


async def test_a_batch_that_tells_a_message_twice_keeps_its_newest_state(
    api: Api, ground: Ground
) -> None:
    message = uuid7()
    await api.hears_at_once(
        ground.page(
            ground.message(message_id=message, revision=3, state=ground.state(ground.archive))
        ),
        ground.page(ground.message(message_id=message, revision=1)),
    )
    (row,) = await api.rows("message", "message_id")
    assert (row["revision"], row["mailbox_id"]) == (3, ground.archive)
    await counts_are_right(api)


async def test_a_star_before_its_message_is_hidden_and_not_lost(api: Api, ground: Ground) -> None:
    message = uuid7()
    await api.hears(ground.changed(message, 2, ground.state(None, "\\Flagged")))
    (row,) = await api.rows("message", "message_id")
    assert not row["listed"]
    assert [row["type"] for row in await api.rows("event_log", "seq")] == ["account.created"]

    await api.hears(ground.page(ground.message(message_id=message, revision=1)))
    (row,) = await api.rows("message", "message_id")
    assert row["listed"]
    assert row["keywords"] == ["\\Flagged"]
    assert [row["type"] for row in await api.rows("event_log", "seq")] == [
        "account.created",
        "message.received",
    ]


async def test_two_replicas_that_hear_one_page_at_once_show_and_log_it_once(
    api: Api, ground: Ground
) -> None:
    for turn in range(5):
        pages = [
            ground.page(*(ground.message(minutes=turn) for _ in range(50))),
            ground.page(*(ground.message(minutes=turn) for _ in range(50))),
        ]
        marked = [
            ground.changed(message.message_id, 2, ground.state(ground.archive, "\\Deleted"))
            for message in pages[0].messages[::2]
        ]
        await asyncio.gather(*(api.hears_at_once(*pages[::order]) for order in (1, -1, 1)))
        await asyncio.gather(*(api.hears_at_once(*marked[::order]) for order in (1, -1, 1)))
    await counts_are_right(api)
    types = Counter(row["type"] for row in await api.rows("event_log", "seq"))
    assert types == {"account.created": 1, "message.received": 500, "message.moved": 125}


async def test_what_another_account_says_of_a_message_is_not_believed(
    api: Api, ground: Ground
) -> None:
    message = ground.message()
    await api.hears(ground.page(message))
    stranger = Ground(ground.tenant_id, uuid7())
    await api.hears(stranger.vanished(message.message_id, 9))
    (row,) = await api.rows("message", "message_id")
    assert row["listed"]


async def test_text_that_postgresql_cannot_hold_is_kept_without_what_it_cannot(
    api: Api, ground: Ground
) -> None:
    message = ground.message("Nul\0l", preview="\0", message_id=uuid7())
    await api.hears(ground.page(message))
    (row,) = await api.rows("message", "message_id")
    assert row["subject"] == "Null"
