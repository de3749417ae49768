"""What people want changed is shown at once, and in the end as the server has it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec import structs

from services.api.actions.forget_account import forget_account
from services.api.actions.gather_jobs import gather_some
from shared.contracts.envelope import unpack
from shared.contracts.ids import Kind, read, shown
from shared.contracts.intent import (
    CarryIntent,
    Destroy,
    Exempt,
    IntentSettled,
    Mark,
    Move,
    Outcome,
)
from shared.contracts.mail import (
    ChangedMessage,
    ChangeReason,
    MailboxesSynced,
    MailboxRole,
    State,
    SyncedMessage,
    VanishedMessage,
)
from shared.contracts.search import Found, SearchAnswer, SearchMessages
from tests.api.conftest import Api, Person
from tests.api.mail import NOON, Ground


async def commands(api: Api) -> list[CarryIntent]:
    """What sync is told, in its order."""
    rows = await api.admin.fetch(
        "SELECT body FROM api.outbox WHERE subject = 'sync.intent.carry' ORDER BY position"
    )
    return [msgspec.json.decode(unpack(row["body"]), type=CarryIntent) for row in rows]


def settled(
    command: CarryIntent,
    outcome: Outcome = Outcome.DONE,
    *states: tuple[UUID, int, State],
    vanished: tuple[tuple[UUID, int], ...] = (),
    **more: Any,
) -> IntentSettled:
    return IntentSettled(
        tenant_id=command.tenant_id,
        account_id=command.account_id,
        intent_id=command.intent_id,
        outcome=outcome,
        messages=tuple(
            ChangedMessage(
                message_id=message_id,
                revision=revision,
                state=state,
                reasons=frozenset({ChangeReason.OTHER}),
            )
            for message_id, revision, state in states
        ),
        vanished=tuple(
            VanishedMessage(message_id=message_id, revision=revision)
            for message_id, revision in vanished
        ),
        **more,
    )


async def some(api: Api, ground: Ground, count: int = 1) -> list[SyncedMessage]:
    messages = [ground.message(f"Number {n}", minutes=n) for n in range(count)]
    await api.hears(ground.mailboxes(), ground.page(*messages))
    return messages


async def changes(
    person: Person, message: SyncedMessage, *, wait: int | None = None, **change: Any
) -> dict[str, Any]:
    answer = await person.http.patch(
        f"/messages/{shown(Kind.MESSAGE, message.message_id)}",
        json=change,
        headers={} if wait is None else {"Prefer": f"wait={wait}"},
    )
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


async def listed(person: Person, mailbox: UUID) -> dict[str, dict[str, Any]]:
    found = await person.items("/messages", mailbox_id=shown(Kind.MAILBOX, mailbox), limit=200)
    return {one["subject"]: one for one in found}


async def counts(person: Person, ground: Ground) -> dict[str, tuple[int, int]]:
    boxes = await person.items("/mailboxes", account_id=shown(Kind.ACCOUNT, ground.account_id))
    return {one["path"]: (one["message_count"], one["unread_count"]) for one in boxes}


async def kinds(person: Person, since: int) -> list[str]:
    return [event["type"] for event in (await person.events())[since:]]


async def job(person: Person, job_id: str) -> dict[str, Any]:
    return (await person.http.get(f"/jobs/{job_id}")).json()


async def test_a_mark_is_shown_at_once_and_stays_when_the_server_has_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    before = len(await ada.events())
    made = await changes(ada, message, keywords={"seen": True, "custom": {"$label1": True}})
    assert made["state"] == "pending"
    shown_now = (await listed(ada, ground.inbox))["Number 0"]
    assert (shown_now["unread"], shown_now["keywords"]) == (False, ["$label1", "\\Seen"])
    assert await counts(ada, ground) == {"INBOX": (1, 0), "Archive": (0, 0)}

    [command] = await commands(api)
    assert [step.change for step in command.steps] == [Mark(add=frozenset({"\\Seen", "$label1"}))]
    state = ground.state(None, "\\Seen", "$label1")
    await api.hears(
        ground.changed(message.message_id, 2, state),
        settled(command, Outcome.DONE, (message.message_id, 2, state)),
    )
    assert (await job(ada, made["id"]))["state"] == "done"
    assert (await listed(ada, ground.inbox))["Number 0"]["keywords"] == ["$label1", "\\Seen"]
    assert await counts(ada, ground) == {"INBOX": (1, 0), "Archive": (0, 0)}
    assert await kinds(ada, before) == ["message.updated", "job.done"]


@pytest.mark.parametrize("state_first", [True, False])
async def test_the_order_in_which_state_and_end_are_heard_shows_nothing_wrong(
    api: Api, ada: Person, ground: Ground, state_first: bool
) -> None:
    [message] = await some(api, ground)
    before = len(await ada.events())
    await changes(ada, message, mailbox_id=shown(Kind.MAILBOX, ground.archive))
    [command] = await commands(api)
    told = ground.state(ground.archive)
    state = ground.changed(message.message_id, 3, told)
    end = settled(command, Outcome.DONE, (message.message_id, 3, told))
    await api.hears(*((state, end) if state_first else (end, state)))
    assert set(await listed(ada, ground.archive)) == {"Number 0"}
    assert await counts(ada, ground) == {"INBOX": (0, 0), "Archive": (1, 1)}
    assert await kinds(ada, before) == ["message.moved", "job.done"]


async def test_a_refused_change_is_taken_back_and_says_why(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    before = len(await ada.events())
    made = await changes(ada, message, mailbox_id=shown(Kind.MAILBOX, ground.archive))
    [command] = await commands(api)
    await api.hears(
        settled(
            command,
            Outcome.REFUSED,
            (message.message_id, 1, message.state),
            reason="over_quota",
            server_said="Quota exceeded",
        )
    )
    after = await job(ada, made["id"])
    assert (after["state"], after["reason"]) == ("failed", "over_quota")
    assert after["server_said"] == "Quota exceeded"
    assert set(await listed(ada, ground.inbox)) == {"Number 0"}
    assert await counts(ada, ground) == {"INBOX": (1, 1), "Archive": (0, 0)}
    assert await kinds(ada, before) == ["message.moved", "message.moved", "job.failed"]
    assert await api.rows("confirmed", "message_id") == []


async def test_what_others_do_meanwhile_is_shown_with_what_is_wanted(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    await changes(ada, message, keywords={"seen": True})
    # Another program stars it; that we want it read is not forgotten.
    flagged = ground.state(None, "\\Flagged")
    await api.hears(ground.changed(message.message_id, 5, flagged))
    assert (await listed(ada, ground.inbox))["Number 0"]["keywords"] == ["\\Flagged", "\\Seen"]
    # A page that is told again changes nothing either.
    again = structs.replace(message, revision=5, state=flagged)
    await api.hears(ground.page(again), ground.retold(again, as_of=5))
    assert (await listed(ada, ground.inbox))["Number 0"]["keywords"] == ["\\Flagged", "\\Seen"]
    [command] = await commands(api)
    await api.hears(settled(command, Outcome.REFUSED, (message.message_id, 5, flagged)))
    assert (await listed(ada, ground.inbox))["Number 0"]["keywords"] == ["\\Flagged"]
    assert await counts(ada, ground) == {"INBOX": (1, 1), "Archive": (0, 0)}


async def test_several_wishes_are_shown_together_and_settle_one_by_one(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    await changes(ada, message, keywords={"seen": True})
    await changes(ada, message, mailbox_id=shown(Kind.MAILBOX, ground.archive))
    await changes(ada, message, keywords={"seen": False, "flagged": True})
    first, second, third = await commands(api)
    assert [one.seq for one in (first, second, third)] == [1, 2, 3]
    now = (await listed(ada, ground.archive))["Number 0"]
    assert (now["keywords"], now["unread"]) == (["\\Flagged"], True)
    await api.hears(
        settled(first, Outcome.DONE, (message.message_id, 2, ground.state(None, "\\Seen"))),
        settled(second, Outcome.REFUSED, (message.message_id, 2, ground.state(None, "\\Seen"))),
    )
    assert (await listed(ada, ground.inbox))["Number 0"]["keywords"] == ["\\Flagged"]
    end = ground.state(None, "\\Flagged")
    await api.hears(settled(third, Outcome.DONE, (message.message_id, 3, end)))
    assert (await listed(ada, ground.inbox))["Number 0"]["keywords"] == ["\\Flagged"]
    assert await counts(ada, ground) == {"INBOX": (1, 1), "Archive": (0, 0)}


async def test_an_end_that_is_told_twice_counts_once(api: Api, ada: Person, ground: Ground) -> None:
    messages = await some(api, ground, 2)
    answer = await ada.http.post(
        "/messages:batch",
        json={
            "message_ids": [shown(Kind.MESSAGE, one.message_id) for one in messages],
            "change": {"keywords": {"flagged": True}},
        },
    )
    [made] = answer.json()["jobs"]
    [command] = await commands(api)
    end = settled(
        command,
        Outcome.DONE,
        *((one.message_id, 2, ground.state(None, "\\Flagged")) for one in messages[:1]),
        vanished=((messages[1].message_id, 3),),
        exempt=(
            Exempt(
                message_id=messages[1].message_id,
                outcome=Outcome.SUPERSEDED,
                reason="message_gone",
            ),
        ),
    )
    await api.hears(end, end)
    after = await job(ada, made["id"])
    assert (after["state"], after["done"], after["failed"]) == ("partly_done", 1, 1)
    assert after["reason"] == "message_gone"
    assert set(await listed(ada, ground.inbox)) == {"Number 0"}


async def test_what_is_destroyed_is_gone_at_once_and_waits_for_the_time_to_undo_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    made = await changes(ada, message, destroy=True)
    assert await listed(ada, ground.inbox) == {}
    [command] = await commands(api)
    assert [step.change for step in command.steps] == [Destroy()]
    assert command.not_before is not None
    assert command.not_before - command.occurred_at > timedelta(seconds=25)
    undone = (await ada.http.post(f"/jobs/{made['id']}:undo")).json()
    _, undo = await commands(api)
    assert (undo.undoes, undo.steps) == (command.intent_id, ())
    state = (message.message_id, 1, message.state)
    await api.hears(settled(command, Outcome.CANCELED, state), settled(undo, Outcome.DONE, state))
    assert set(await listed(ada, ground.inbox)) == {"Number 0"}
    assert (await job(ada, made["id"]))["state"] == "undone"
    assert (await job(ada, undone["id"]))["state"] == "done"
    assert (await ada.http.post(f"/jobs/{made['id']}:undo")).json()["code"] == "already_undone"


async def test_undoing_gives_each_message_back_what_it_was(
    api: Api, ada: Person, ground: Ground
) -> None:
    read_one = ground.message("Read", state=ground.state(None, "\\Seen"))
    unread = ground.message("Unread", state=ground.state(ground.archive))
    await api.hears(ground.mailboxes(), ground.page(read_one, unread))
    messages = [read_one, unread]
    answer = await ada.http.post(
        "/messages:batch",
        json={
            "message_ids": [shown(Kind.MESSAGE, one.message_id) for one in messages],
            "change": {
                "keywords": {"seen": True},
                "mailbox_id": shown(Kind.MAILBOX, ground.archive),
            },
        },
    )
    [made] = answer.json()["jobs"]
    assert (await ada.http.post(f"/jobs/{made['id']}:undo")).status_code == 202
    _, undo = await commands(api)
    assert {(step.change, step.message_ids) for step in undo.steps} == {
        (Mark(remove=frozenset({"\\Seen"})), (unread.message_id,)),
        (Move(mailbox_id=ground.inbox), (read_one.message_id,)),
    }
    assert set(await listed(ada, ground.inbox)) == {"Read"}
    assert (await listed(ada, ground.archive))["Unread"]["unread"] is True
    assert await counts(ada, ground) == {"INBOX": (1, 0), "Archive": (1, 1)}


async def test_after_a_while_nothing_is_undone(api: Api, ada: Person, ground: Ground) -> None:
    [message] = await some(api, ground)
    made = await changes(ada, message, keywords={"seen": True})
    await api.admin.execute("UPDATE api.job SET created_at = now() - interval '31 seconds'")
    answer = await ada.http.post(f"/jobs/{made['id']}:undo")
    assert (answer.status_code, answer.json()["code"]) == (409, "undo_too_late")


async def test_whoever_waits_gets_the_servers_word(api: Api, ada: Person, ground: Ground) -> None:
    [message] = await some(api, ground)
    made = await changes(ada, message, wait=0, keywords={"seen": True})
    assert made["state"] == "pending"
    [first] = await commands(api)
    await api.hears(settled(first))
    # The end of another job is no end of this one; and what waits is not held back.
    made = await changes(ada, message, wait=1, destroy=True)
    assert made["state"] == "pending"
    assert (await commands(api))[-1].not_before is None


async def test_a_large_job_goes_on_by_itself_and_leaves_what_comes_later(
    api: Api, ada: Person, ground: Ground
) -> None:
    for turn in range(13):
        pages = [ground.message(f"{turn} {n}", minutes=turn) for n in range(100)]
        await api.hears(ground.mailboxes(), ground.page(*pages))
    answer = await ada.http.post(f"/mailboxes/{shown(Kind.MAILBOX, ground.inbox)}:mark-all-read")
    made = answer.json()
    assert (answer.status_code, made["total"], made["is_counted"]) == (202, 1000, False)
    assert await counts(ada, ground) == {"INBOX": (1300, 300), "Archive": (0, 0)}
    await api.hears(ground.page(ground.message("Later", minutes=99)))
    while await gather_some(api.world.pool, timedelta()) is not None:
        pass
    after = await job(ada, made["id"])
    assert (after["total"], after["is_counted"], after["state"]) == (1300, True, "pending")
    assert await counts(ada, ground) == {"INBOX": (1301, 1), "Archive": (0, 0)}
    for command in await commands(api):
        await api.hears(settled(command))
    after = await job(ada, made["id"])
    assert (after["state"], after["done"], after["failed"]) == ("done", 1300, 0)


async def test_a_mailbox_is_shown_as_soon_as_it_is_wanted(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(ground.mailboxes())
    account = shown(Kind.ACCOUNT, ground.account_id)
    wanted = {"account_id": account, "path": "Projects/Lunch"}
    assert (await ada.http.post("/mailboxes", json=wanted)).status_code == 202
    box = next(b for b in await ada.items("/mailboxes") if b["path"] == "Projects/Lunch")
    assert (box["name"], box["pending"]) == ("Lunch", "create")
    taken = await ada.http.post("/mailboxes", json=wanted)
    assert taken.json()["code"] == "path_taken"
    [command] = await commands(api)
    await api.hears(settled(command, Outcome.REFUSED, reason="not_permitted"))
    assert "Projects/Lunch" not in {b["path"] for b in await ada.items("/mailboxes")}


async def test_deleting_moves_to_trash_and_says_when_there_is_none(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    path = f"/messages/{shown(Kind.MESSAGE, message.message_id)}"
    answer = await ada.http.patch(path, json={"delete": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_trash")
    boxes = ground.mailboxes(2)
    trash = structs.replace(boxes.mailboxes[1], role=MailboxRole.TRASH)
    told: MailboxesSynced = structs.replace(boxes, mailboxes=(boxes.mailboxes[0], trash))
    await api.hears(told)
    assert (await ada.http.patch(path, json={"delete": True})).status_code == 202
    assert set(await listed(ada, ground.archive)) == {"Number 0"}


async def test_a_thread_is_changed_as_one(api: Api, ada: Person, ground: Ground) -> None:
    messages = await some(api, ground, 3)
    thread = shown(Kind.THREAD, messages[0].state.thread_id)
    answer = await ada.http.patch(f"/threads/{thread}", json={"keywords": {"junk": True}})
    assert [one["total"] for one in answer.json()["jobs"]] == [3]
    assert {tuple(one["keywords"]) for one in (await listed(ada, ground.inbox)).values()} == {
        ("$Junk",)
    }


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"delete": True, "destroy": True},
        {"keywords": {"custom": {"two words": True}}},
        {"keywords": {"custom": {"\\Deleted": True}}},
        {"keywords": {"deleted": True}},
        {"labels": {"add": ["a\r\nb"]}},
    ],
)
async def test_what_makes_no_sense_is_refused(
    api: Api, ada: Person, ground: Ground, change: dict[str, Any]
) -> None:
    [message] = await some(api, ground)
    path = f"/messages/{shown(Kind.MESSAGE, message.message_id)}"
    answer = await ada.http.patch(path, json=change)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert await commands(api) == []


async def test_a_message_goes_to_no_mailbox_of_another_account(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    other = await ada.connects()
    await api.hears(other.mailboxes())
    for body in ({"mailbox_id": other.archive}, {"copy_to": other.archive}):
        wanted = {name: shown(Kind.MAILBOX, value) for name, value in body.items()}
        answer = await ada.http.patch(
            f"/messages/{shown(Kind.MESSAGE, message.message_id)}", json=wanted
        )
        assert answer.status_code == 404
    assert await commands(api) == []


async def test_a_deleted_account_leaves_nothing_of_what_was_wanted(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    made = await changes(ada, message, keywords={"seen": True})
    await ada.http.delete(f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}")
    while await forget_account(api.world.pool):
        pass
    for table in ("job", "intent", "intent_message", "confirmed", "intent_clock"):
        assert await api.admin.fetchval(f"SELECT count(*) FROM api.{table}") == 0, table
    assert read(Kind.JOB, made["id"])


async def test_a_message_is_pending_in_lists_as_when_found_until_the_server_has_spoken(
    api: Api, ada: Person, ground: Ground
) -> None:
    messages = await some(api, ground, 2)
    await changes(ada, messages[0], keywords={"seen": True})
    await changes(ada, messages[0], copy_to=shown(Kind.MAILBOX, ground.archive))
    mark, copy = await commands(api)

    async def pending() -> dict[str, bool]:
        return {
            subject: one["pending"] for subject, one in (await listed(ada, ground.inbox)).items()
        }

    assert await pending() == {"Number 0": True, "Number 1": False}
    found = SearchAnswer(
        found=tuple(Found(message_id=one.message_id, received_at=NOON) for one in messages)
    )
    async with api.answering("indexer", SearchMessages, found):
        hits = await ada.items("/search", q="number")
    assert {one["subject"]: one["pending"] for one in hits} == await pending()
    await api.hears(
        settled(mark, Outcome.DONE, (messages[0].message_id, 2, ground.state(None, "\\Seen")))
    )
    assert await pending() == {"Number 0": True, "Number 1": False}
    await api.hears(settled(copy))
    assert await pending() == {"Number 0": False, "Number 1": False}
