"""Events by what they say: a query of the search language, as far as an event answers it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import nats
import pytest

from services.api.domain.event_query import EventQuery, matches
from services.indexer.actions.explain_search import explain_search
from shared.contracts.envelope import Caller, decode, encode
from shared.contracts.ids import Kind, shown
from shared.contracts.search import Condition, ExplainSearch, NamedMailbox
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_events import next_of, stream

_BOX = NamedMailbox(
    mailbox_id=UUID(int=7), account_id=UUID(int=8), path="Lists.Python", delimiter=".", role=None
)
_BOXES = {shown(Kind.MAILBOX, _BOX.mailbox_id): _BOX}
RECEIVED = {
    "id": "msg_1",
    "mailbox_id": shown(Kind.MAILBOX, _BOX.mailbox_id),
    "thread_id": "thr_01jdpk21dre3x0r6v3k7d1ad91",
    "keywords": ["\\Flagged", "$Important"],
    "labels": ["Family and friends"],
    "unread": True,
    "subject": "Réunion d’été: 会議の議事録",
    "from": {"name": "Grace Hopper", "email": "grace.h@example.org"},
    "has_attachments": False,
}
STATE = {
    name: RECEIVED[name]
    for name in ("id", "mailbox_id", "thread_id", "keywords", "labels", "unread")
}


@asynccontextmanager
async def reading_queries(api: Api) -> AsyncGenerator[None]:
    """The memory, as far as it reads queries."""
    client = await nats.connect(api.platform.bus_url("indexer"), inbox_prefix=b"_INBOX.indexer")

    async def answer(message: Any) -> None:
        said = explain_search(decode(message.data, ExplainSearch), datetime.now(UTC))
        await message.respond(encode(said))

    await client.subscribe(ExplainSearch.channel, cb=answer)
    await client.flush()
    try:
        yield
    finally:
        await client.close()


def understood(text: str) -> EventQuery:
    said = explain_search(
        ExplainSearch(
            caller=Caller(tenant_id=UUID(int=1), account_ids=(_BOX.account_id,)),
            text=text,
            mailboxes=(_BOX,),
        ),
        datetime.now(UTC),
    )
    assert said.condition is not None, said.problem
    return EventQuery(text=text, condition=said.condition)


def told(text: str, data: dict[str, Any], kind: str = "message.received") -> bool:
    return matches(understood(text), kind, json.dumps(data), _BOXES)


@pytest.mark.parametrize(
    "text",
    [
        "from:grace",
        "from:GRACE.H@example.org",
        "from:example.org",
        "from:hop*",
        'from:"grace hopper"',
        "subject:reunion",
        "subject:議事録",
        "subject:ete subject:réunion",
        "is:unread is:starred is:important",
        "in:python",
        "in:lists/*",
        "in:anywhere",
        'label:"family and friends"',
        "thread:thr_01jdpk21dre3x0r6v3k7d1ad91",
        "-has:attachment",
        "(from:nobody OR subject:reunion) -is:read",
    ],
)
def test_an_event_is_told_that_is_as_asked(text: str) -> None:
    assert told(text, RECEIVED)


@pytest.mark.parametrize(
    "text",
    [
        "from:grac",
        'from:"hopper grace"',
        "from:example.com",
        "-subject:reunion",
        "is:read",
        "in:inbox",
        "label:family",
        "has:attachment",
        "from:grace is:answered",
    ],
)
def test_an_event_is_not_told_that_is_otherwise(text: str) -> None:
    assert not told(text, RECEIVED)


def test_what_an_event_does_not_say_is_neither_so_nor_otherwise() -> None:
    assert told("is:starred", STATE, "message.updated")
    assert told("from:grace OR is:starred", STATE, "message.moved")
    for text in ("from:grace", "-from:grace", "subject:reunion is:starred", "has:attachment"):
        assert not told(text, STATE, "message.updated")
    for kind in ("message.deleted", "messages.added", "account.updated", "submission.accepted"):
        assert not told("in:anywhere", {"id": "x"}, kind)


def test_a_mailbox_that_is_gone_is_not_told_of() -> None:
    query = understood("-in:python")
    assert not matches(query, "message.received", json.dumps(RECEIVED), {})


def test_an_event_that_was_cut_to_its_ids_is_told_rather_than_missed() -> None:
    assert told("from:grace", {"id": "msg_1", "account_id": "acc_1"})
    assert not told("from:grace", {}), "of a deleted account, nothing is left to tell"


def test_a_query_that_asks_for_nothing_wants_every_message() -> None:
    query = EventQuery(text=" ", condition=Condition(all=()))
    assert matches(query, "message.updated", json.dumps(STATE), {})


@pytest.mark.parametrize(
    ("q", "position"),
    [
        ("from:ada invoice", 9),
        ("is:unread to:bob", 10),
        ("from:me", 0),
        ("has:pdf", 0),
        ("is:starred -older_than:3d", 12),
        ("from:ada is:blue", 12),
        ("in:nowhere-such", 3),
        ("(from:ada", 0),
    ],
)
async def test_what_no_event_tells_is_refused_with_its_place(
    api: Api, ada: Person, q: str, position: int
) -> None:
    async with reading_queries(api):
        found = await ada.http.get("/events", params={"q": q})
    assert (found.status_code, found.json()["code"]) == (400, "query_invalid")
    assert found.json()["position"] == position


async def test_nobody_follows_by_a_query_that_nobody_reads(api: Api, ada: Person) -> None:
    found = await ada.http.get("/events", params={"q": "from:ada"})
    assert (found.status_code, found.json()["code"]) == (503, "search_unavailable")
    assert (await ada.http.get("/events", params={"q": "a\0b"})).status_code == 422


async def test_a_stream_and_a_page_tell_only_what_matches(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(ground.mailboxes())
    asked = {"q": "in:inbox -subject:newsletter"}
    async with reading_queries(api), stream(ada.http, **asked) as said:
        await api.hears(
            ground.page(
                ground.message("Newsletter of May"),
                ground.message("Lunch", minutes=1),
                ground.message("Filed", minutes=2, state=ground.state(ground.archive)),
            ),
            ground.page(ground.message("Supper", minutes=3)),
        )
        assert [(await next_of(said))["data"]["subject"] for _ in range(2)] == ["Lunch", "Supper"]
        items: list[dict[str, Any]] = []
        page = {"next_cursor": "earliest", "more": True}
        while page["more"]:
            found = await ada.http.get(
                "/events", params={**asked, "limit": 1, "after": page["next_cursor"]}
            )
            page = found.json()
            items += page["items"]
        assert [one["data"]["subject"] for one in items] == ["Lunch", "Supper"]
        # All that came was looked at, also behind the last that matched.
        latest = (await ada.http.get("/events", params={"after": "latest"})).json()
        assert page["next_cursor"] == latest["next_cursor"]


async def test_a_page_waits_for_what_matches(api: Api, ada: Person, ground: Ground) -> None:
    async with reading_queries(api):
        params = {"q": "subject:wanted", "after": "latest", "wait": 0}
        place = (await ada.http.get("/events", params=params)).json()["next_cursor"]
        await api.hears(ground.page(*(ground.message("Other", minutes=n) for n in range(250))))
        found = await ada.http.get(
            "/events", params={"q": "subject:wanted", "after": place, "wait": 30}
        )
        page = found.json()
        assert (page["items"], page["more"]) == ([], True), "there is more to look at at once"
