"""What one request asked for: how far it came, and how it ends."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.api.actions.gather_jobs import gather_some
from shared.contracts.envelope import Problem
from shared.contracts.ids import Kind, shown
from shared.contracts.intent import Outcome
from shared.contracts.mail import SyncedMessage
from shared.contracts.search import Found, SearchAnswer, SearchMessages
from tests.api.conftest import Api, Person
from tests.api.mail import NOON, Ground
from tests.api.test_changes import changes, commands, job, listed, settled, some
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


# --- By what is in them ---------------------------------------------------------------------------


def by_text(person: Person, account: UUID, text: str, **more: Any) -> Any:
    query = {"account_id": shown(Kind.ACCOUNT, account), "q": text} | more
    return person.http.post(
        "/messages:batch", json={"query": query, "change": {"keywords": {"flagged": True}}}
    )


def an_answer(*messages: SyncedMessage, more: bool = False) -> SearchAnswer:
    return SearchAnswer(
        found=tuple(Found(message_id=one.message_id, received_at=NOON) for one in messages),
        more=more,
    )


async def test_what_a_search_finds_is_changed_and_nothing_beside_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    messages = await some(api, ground, 4)
    other = await ada.connects()
    pages = (an_answer(*messages[:2], more=True), an_answer(messages[1], messages[3]))
    async with api.answering("indexer", SearchMessages, *pages) as asked:
        answer = await by_text(ada, ground.account_id, "number")
    [made] = answer.json()["jobs"]
    assert (made["total"], made["is_counted"]) == (3, True)
    flagged_now = {
        name for name, one in (await listed(ada, ground.inbox)).items() if one["keywords"]
    }
    assert flagged_now == {"Number 0", "Number 1", "Number 3"}
    assert not any(one.with_lines for one in asked)
    assert [one.before for one in asked] == [None, (NOON, messages[1].message_id)]
    assert {one.caller.account_ids for one in asked} == {(ground.account_id,)}
    assert other.account_id not in asked[0].caller.account_ids
    assert await api.rows("job_message", "message_id") == []


async def test_of_what_is_found_only_what_the_query_says_beside_is_changed(
    api: Api, ada: Person, ground: Ground
) -> None:
    here = ground.message("Here")
    there = ground.message("There", state=ground.state(ground.archive))
    await api.hears(ground.mailboxes(), ground.page(here, there))
    async with api.answering("indexer", SearchMessages, an_answer(here, there)):
        query = {"mailbox_id": shown(Kind.MAILBOX, ground.archive), "account_id": None}
        answer = await by_text(ada, ground.account_id, "e", **query)
    assert [one["total"] for one in answer.json()["jobs"]] == [1]
    assert (await listed(ada, ground.archive))["There"]["keywords"] == ["\\Flagged"]


async def test_what_a_search_finds_in_any_account_is_changed_by_a_job_for_each(
    api: Api, ada: Person, ground: Ground
) -> None:
    [here] = await some(api, ground, 1)
    other, empty = await ada.connects(), await ada.connects()
    there = other.message("There")
    await api.hears(other.mailboxes(), other.page(there))
    await api.hears(empty.mailboxes(), empty.page(empty.message("Quiet")))

    async def batch(query: Any, change: Any) -> Any:
        return await ada.http.post("/messages:batch", json={"query": query, "change": change})

    found = {ground.account_id: [here], other.account_id: [there], empty.account_id: []}
    answers = [an_answer(*found[account]) for account in sorted(found)]
    async with api.answering("indexer", SearchMessages, *answers) as asked:
        answer = await batch({"q": "roof"}, {"keywords": {"flagged": True}})
    assert [one["total"] for one in answer.json()["jobs"]] == [1, 1]
    assert [one.caller.account_ids for one in asked] == [(account,) for account in sorted(found)]
    async with api.answering("indexer", SearchMessages, *[an_answer()] * 3):
        answer = await batch({"q": "roof"}, {"keywords": {"seen": True}})
    assert (answer.status_code, answer.json()["jobs"]) == (200, [])  # nothing is left to wait for

    # All mail there is, and a mailbox that only one account has, are meant by nobody.
    assert (await batch({"unread": True}, {"destroy": True})).status_code == 422
    box = shown(Kind.MAILBOX, ground.archive)
    assert (await batch({"q": "roof"}, {"mailbox_id": box})).status_code == 422


async def test_what_more_than_a_thousand_messages_match_goes_on_by_itself(
    api: Api, ada: Person, ground: Ground
) -> None:
    kept: list[SyncedMessage] = []
    for turn in range(12):
        page = [ground.message(f"{turn} {n}", minutes=turn) for n in range(100)]
        await api.hears(ground.mailboxes(), ground.page(*page))
        kept += page
    async with api.answering("indexer", SearchMessages, an_answer(*kept[:1150])):
        answer = await by_text(ada, ground.account_id, "shall")
    [made] = answer.json()["jobs"]
    assert (made["total"], made["is_counted"]) == (1000, False)
    while await gather_some(api.world.pool, timedelta()) is not None:
        pass
    after = await job(ada, made["id"])
    assert (after["total"], after["is_counted"]) == (1150, True)
    assert await api.rows("job_message", "message_id") == []


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (
            SearchAnswer(problem=Problem(code="query_invalid", detail="No.", position=3)),
            400,
            "query_invalid",
        ),
        (SearchAnswer(problem=Problem(code="search_too_slow")), 503, "search_unavailable"),
        (SearchAnswer(more=True), 503, "search_unavailable"),
        (
            SearchAnswer(
                found=tuple(Found(message_id=UUID(int=n), received_at=NOON) for n in range(2_000)),
                more=True,
            ),
            422,
            "query_too_wide",
        ),
    ],
)
async def test_nothing_is_changed_when_not_all_can_be_found(
    api: Api, ada: Person, ground: Ground, answer: SearchAnswer, status: int, code: str
) -> None:
    await some(api, ground)
    async with api.answering("indexer", SearchMessages, *[answer] * 50):
        refused = await by_text(ada, ground.account_id, "number")
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert await commands(api) == []


async def test_a_thread_of_more_than_a_thousand_messages_is_changed_as_one(
    api: Api, ada: Person, ground: Ground
) -> None:
    for turn in range(11):
        page = [ground.message(f"{turn} {n}", minutes=turn) for n in range(100)]
        await api.hears(ground.mailboxes(), ground.page(*page))
    other = await ada.connects()
    await api.hears(other.mailboxes(), other.page(other.message("Elsewhere")))
    thread = shown(Kind.THREAD, ground.state().thread_id)
    answer = await ada.http.patch(f"/threads/{thread}", json={"keywords": {"flagged": True}})
    assert answer.status_code == 202
    assert sorted(one["total"] for one in answer.json()["jobs"]) == [1, 1000]
    while await gather_some(api.world.pool, timedelta()) is not None:
        pass
    totals = [(await job(ada, one["id"]))["total"] for one in answer.json()["jobs"]]
    assert sorted(totals) == [1, 1100]


async def test_destroying_is_not_brought_about_by_undoing_an_undoing(
    api: Api, ada: Person, ground: Ground
) -> None:
    [message] = await some(api, ground)
    made = await changes(ada, message, destroy=True)
    undone = (await ada.http.post(f"/jobs/{made['id']}:undo")).json()
    destroy, undo = await commands(api)
    await api.hears(settled(destroy, Outcome.CANCELED), settled(undo))
    again = await ada.http.post(f"/jobs/{undone['id']}:undo")
    assert (again.status_code, again.json()["code"]) == (409, "undo_too_late")
    # What can be brought back can be had again, too.
    made = await changes(ada, message, keywords={"seen": True})
    undone = (await ada.http.post(f"/jobs/{made['id']}:undo")).json()
    assert (await ada.http.post(f"/jobs/{undone['id']}:undo")).status_code == 202
    assert (await listed(ada, ground.inbox))["Number 0"]["unread"] is False


async def test_nothing_more_is_wanted_of_an_account_that_was_removed(
    api: Api, ada: Person, ground: Ground
) -> None:
    await flagged(api, ada, ground, 1100)
    asked = len(await commands(api))
    path = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    assert (await ada.http.delete(path)).status_code == 204
    while await gather_some(api.world.pool, timedelta()) is not None:
        pass
    assert len(await commands(api)) == asked
