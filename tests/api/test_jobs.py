"""What one request asked for: how far it came, and how it ends."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.api.actions.gather_jobs import gather_some
from shared.contracts.ids import Kind, shown
from shared.contracts.intent import Outcome
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_changes import changes, commands, job, settled, some
from tests.stories.stack import until


async def flagged(api: Api, person: Person, ground: Ground, count: int) -> dict[str, Any]:
    """A job that changes all that is in INBOX: a thousand at once, the others when it goes on."""
    for turn in range(0, count, 100):
        pages = [ground.message(f"{turn} {n}", minutes=turn) for n in range(min(100, count - turn))]
        await api.hears(ground.mailboxes(), ground.page(*pages))
    answer = await person.http.post(
        "/messages:batch",
        json={
            "query": {"mailbox_id": shown(Kind.MAILBOX, ground.inbox)},
            "change": {"keywords": {"flagged": True}},
        },
    )
    [made] = answer.json()["jobs"]
    return made


async def test_a_job_that_is_undone_before_all_of_it_was_gathered_comes_to_its_end(
    api: Api, ada: Person, ground: Ground
) -> None:
    made = await flagged(api, ada, ground, 1100)
    await api.hears(*(settled(command) for command in await commands(api)))
    assert (await job(ada, made["id"]))["state"] == "pending"
    undone = (await ada.http.post(f"/jobs/{made['id']}:undo")).json()
    after = await job(ada, made["id"])
    assert (after["state"], after["done"], after["total"]) == ("done", 1000, 1000)
    told = await api.admin.fetch("SELECT body FROM api.event_log WHERE type = 'job.done'")
    assert [msgspec.json.decode(one["body"])["id"] for one in told] == [made["id"]]
    assert await gather_some(api.world.pool, timedelta()) is None
    await api.hears(*(settled(command) for command in (await commands(api))[2:]))
    back = await job(ada, undone["id"])
    assert (back["state"], back["done"], back["total"]) == ("done", 1000, 1000)


@pytest.mark.parametrize("canceled_first", [True, False])
async def test_a_job_of_which_some_was_canceled_is_undone_whichever_end_is_heard_last(
    api: Api, ada: Person, ground: Ground, canceled_first: bool
) -> None:
    made = await flagged(api, ada, ground, 600)
    first, second = await commands(api)
    await ada.http.post(f"/jobs/{made['id']}:undo")
    ends = [settled(second, Outcome.CANCELED), settled(first)]
    for end in ends if canceled_first else reversed(ends):
        await api.hears(end)
    after = await job(ada, made["id"])
    assert (after["state"], after["done"], after["failed"]) == ("undone", 500, 0)


async def test_two_ends_of_one_job_that_are_heard_at_once_end_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    made = await flagged(api, ada, ground, 600)
    first, second = await commands(api)
    async with api.admin.transaction():
        await api.admin.execute("SELECT FROM api.job FOR UPDATE")
        heard = asyncio.gather(api.hears(settled(first)), api.hears(settled(second)))

        async def both_wait() -> bool:
            return (
                await api.admin.fetchval(
                    "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
                )
                == 2
            )

        await until("both come to the job", both_wait)
    await heard
    after = await job(ada, made["id"])
    assert (after["state"], after["done"]) == ("done", 600)


async def test_undoing_counts_messages_also_where_little_has_to_be_given_back(
    api: Api, ada: Person, ground: Ground
) -> None:
    messages = await some(api, ground, 3)
    answer = await ada.http.post(
        "/messages:batch",
        json={
            "message_ids": [shown(Kind.MESSAGE, one.message_id) for one in messages],
            "change": {"destroy": True},
        },
    )
    [made] = answer.json()["jobs"]
    undone = (await ada.http.post(f"/jobs/{made['id']}:undo")).json()
    destroy, undo = await commands(api)
    await api.hears(settled(destroy, Outcome.CANCELED), settled(undo))
    after = await job(ada, undone["id"])
    assert (after["state"], after["total"], after["done"]) == ("done", 3, 3)
    assert (await job(ada, made["id"]))["state"] == "undone"


async def test_a_mailbox_shows_the_last_of_what_is_wanted_of_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(ground.mailboxes())
    path = f"/mailboxes/{shown(Kind.MAILBOX, ground.archive)}"

    async def pending() -> str | None:
        return next(b["pending"] for b in await ada.items("/mailboxes") if b["path"] == "Archive")

    renamed = (await ada.http.patch(path, json={"path": "Old"})).json()
    await ada.http.patch(path, json={"subscribed": True})
    assert await pending() == "subscribe"
    rename, subscribe = await commands(api)
    await api.hears(settled(rename))
    assert await pending() == "subscribe"
    await api.hears(settled(subscribe))
    assert await pending() is None
    await ada.http.post(f"/jobs/{renamed['id']}:undo")
    assert await pending() == "rename"


async def test_undoing_a_new_mailbox_takes_no_mail_with_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    wanted = {"account_id": shown(Kind.ACCOUNT, ground.account_id), "path": "Projects"}
    made = (await ada.http.post("/mailboxes", json=wanted)).json()
    box = next(b["id"] for b in await ada.items("/mailboxes") if b["path"] == "Projects")
    moved = await changes(ada, message, mailbox_id=box)
    answer = await ada.http.post(f"/jobs/{made['id']}:undo")
    assert (answer.status_code, answer.json()["code"]) == (409, "mailbox_not_empty")
    assert (await ada.http.post(f"/jobs/{moved['id']}:undo")).status_code == 202
    assert (await ada.http.post(f"/jobs/{made['id']}:undo")).status_code == 202
