"""How searches are asked for, and what of them is passed on."""

from typing import Any
from uuid import UUID

import pytest

from shared.contracts.envelope import Problem
from shared.contracts.ids import Kind, shown
from shared.contracts.search import (
    Condition,
    ExplainedTerm,
    ExplainSearch,
    Explanation,
    Found,
    Order,
    SearchAnswer,
    SearchMessages,
    Total,
    TotalKind,
    Unit,
)
from tests.api.conftest import Api, Person
from tests.api.mail import NOON, Ground


async def test_a_search_says_where_when_and_how(api: Api, ada: Person, ground: Ground) -> None:
    account = shown(Kind.ACCOUNT, ground.account_id)
    total = Total(messages=1234, kind=TotalKind.ESTIMATED)
    async with api.answering("indexer", SearchMessages, SearchAnswer(total=total)) as asked:
        answer = await ada.http.get(
            "/search",
            params={
                "q": "lunch in:inbox",
                "account_id": [account],
                "order": "relevance",
                "unit": "threads",
                "time_zone": "Europe/Berlin",
                "total": "true",
            },
        )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "items": [],
        "next_cursor": None,
        "total": {"messages": 1234, "kind": "estimated"},
    }
    query = asked[0]
    assert query.caller.account_ids == (ground.account_id,)
    assert (query.order, query.unit, query.with_total) == (Order.RELEVANCE, Unit.THREADS, True)
    assert query.time_zone == "Europe/Berlin"
    assert [one.account_id for one in query.accounts] == [ground.account_id]


async def test_mailboxes_are_named_to_the_memory_only_where_they_are_asked_for(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(ground.mailboxes())
    async with api.answering(
        "indexer", SearchMessages, SearchAnswer(), SearchAnswer(), SearchAnswer()
    ) as asked:
        for query in ("lunch", "from:me", "in:inbox"):
            assert (await ada.http.get("/search", params={"q": query})).status_code == 200
    assert [bool(one.accounts) for one in asked] == [False, True, True]
    assert [bool(one.mailboxes) for one in asked] == [False, False, True]


async def test_a_tree_is_passed_on_as_it_is(api: Api, ada: Person, ground: Ground) -> None:
    tree: dict[str, Any] = {
        "all": [
            {"operator": "from", "value": "ada"},
            {"any": [{"value": "lunch"}, {"value": "roof party", "phrase": True}]},
            {"not": {"operator": "is", "value": "read"}},
        ]
    }
    async with api.answering("indexer", SearchMessages, SearchAnswer()) as asked:
        answer = await ada.http.post("/search", json={"query": tree, "limit": 7})
    assert answer.status_code == 200, answer.text
    assert asked[0].limit == 7
    assert asked[0].condition == Condition(
        all=(
            Condition(operator="from", value="ada"),
            Condition(any=(Condition(value="lunch"), Condition(value="roof party", phrase=True))),
            Condition(not_=Condition(operator="is", value="read")),
        )
    )


async def test_what_is_wrong_with_a_tree_is_said_with_a_pointer_into_the_body(
    api: Api, ada: Person, ground: Ground
) -> None:
    problem = Problem(code="query_invalid", detail="No such operator.", pointer="/all/1/operator")
    async with api.answering("indexer", SearchMessages, SearchAnswer(problem=problem)):
        answer = await ada.http.post("/search", json={"query": {"value": "x"}})
    assert (answer.status_code, answer.json()["code"]) == (400, "query_invalid")
    assert answer.json()["errors"][0]["pointer"] == "/query/all/1/operator"


async def test_a_page_by_relevance_goes_on_where_it_ended(
    api: Api, ada: Person, ground: Ground
) -> None:
    message = ground.message("lunch")
    await api.hears(ground.page(message))
    found = Found(message_id=message.message_id, received_at=NOON, rank=0.123456789)
    anchor = (NOON, message.message_id)
    first = SearchAnswer(found=(found,), more=True, anchor=anchor)
    params = {"q": "lunch", "order": "relevance"}
    async with api.answering("indexer", SearchMessages, first, SearchAnswer()) as asked:
        answer = (await ada.http.get("/search", params=params)).json()
        end = await ada.http.get("/search", params=params | {"cursor": answer["next_cursor"]})
        newest = await ada.http.get("/search", params={"q": "x", "cursor": answer["next_cursor"]})
    assert end.json()["items"] == []
    assert asked[1].before == anchor
    assert asked[1].ranked_after == (0.123456789, message.message_id)
    assert (newest.status_code, newest.json()["code"]) == (400, "cursor_invalid")


async def test_a_snippet_is_safe_to_be_shown(api: Api, ada: Person, ground: Ground) -> None:
    message = ground.message("lunch")
    await api.hears(ground.page(message))
    found = Found(
        message_id=message.message_id,
        received_at=NOON,
        snippet="<b>lunch</b> & more",
        marks=((3, 8), (15, 19)),
        text_is_cut=True,
    )
    async with api.answering("indexer", SearchMessages, SearchAnswer(found=(found,))):
        (item,) = await ada.items("/search", q="lunch")
    assert item["snippet"] == "<b>lunch</b> & more"
    assert item["snippet_html"] == "&lt;b&gt;<mark>lunch</mark>&lt;/b&gt; &amp; <mark>more</mark>"
    assert item["text_is_cut"] is True


async def test_a_search_is_explained(api: Api, ada: Person, ground: Ground) -> None:
    explanation = Explanation(
        condition=Condition(operator="from", value="me"),
        terms=(ExplainedTerm(operator="from", value="me", position=0, meaning="“a@b” in from"),),
        cut_texts=2,
    )
    async with api.answering("indexer", ExplainSearch, explanation) as asked:
        answer = await ada.http.get("/search/explain", params={"q": "from:me"})
    assert answer.json() == {
        "query": {"operator": "from", "value": "me"},
        "terms": [{"operator": "from", "value": "me", "position": 0, "meaning": "“a@b” in from"}],
        "cut_texts": 2,
    }
    assert asked[0].accounts


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"q": "x", "time_zone": "Middle/Earth"}, 422, "validation_failed"),
        ({"q": "x", "time_zone": "../../etc/passwd"}, 422, "validation_failed"),
        ({"q": "x", "order": "best"}, 422, "validation_failed"),
        ({"q": "x", "unit": "other"}, 422, "validation_failed"),
        ({"q": "x", "account_id": "acc_nobody"}, 404, "not_found"),
        ({"q": "x", "account_id": shown(Kind.ACCOUNT, UUID(int=7))},
         404, "not_found"),
    ],
)  # fmt: skip
async def test_what_is_asked_wrongly_is_refused(
    ada: Person, ground: Ground, params: dict[str, str], status: int, code: str
) -> None:
    answer = await ada.http.get("/search", params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"q": "x", "query": {"value": "x"}},
        {"query": {"value": "x", "colour": "red"}},
        {"q": "x", "time_zone": "Middle/Earth"},
        {"q": "x", "order": "best"},
        {"q": ""},
    ],
)
async def test_a_body_that_is_wrong_is_refused(
    ada: Person, ground: Ground, body: dict[str, Any]
) -> None:
    answer = await ada.http.post("/search", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
