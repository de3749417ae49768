"""Searches that people keep, those they made lately, and whom they may mean."""

from shared.contracts.ids import Kind, shown
from shared.contracts.search import (
    PeopleSuggested,
    SearchAnswer,
    SearchMessages,
    SuggestedPerson,
    SuggestPeople,
)
from tests.api.conftest import Api, Person
from tests.api.mail import NOON, Ground


async def test_a_search_is_kept_changed_and_forgotten(ada: Person, ground: Ground) -> None:
    account = shown(Kind.ACCOUNT, ground.account_id)
    asked = {"name": "Unpaid", "q": "invoice", "account_ids": [account], "unit": "threads"}
    answer = await ada.http.post("/saved-searches", json=asked)
    assert answer.status_code == 201, answer.text
    saved = answer.json()
    assert {name: saved[name] for name in asked} == asked
    assert await ada.items("/saved-searches") == [saved]

    path = f"/saved-searches/{saved['id']}"
    changed = (await ada.http.patch(path, json={"q": "bill", "order": "relevance"})).json()
    assert (changed["q"], changed["order"], changed["unit"]) == ("bill", "relevance", "threads")
    assert await ada.items("/saved-searches") == [changed]

    assert (await ada.http.delete(path)).status_code == 204
    assert (await ada.http.delete(path)).status_code == 404
    assert await ada.items("/saved-searches") == []


async def test_two_searches_of_one_person_have_two_names(ada: Person) -> None:
    for name in ("one", "two"):
        assert (
            await ada.http.post("/saved-searches", json={"name": name, "q": "x"})
        ).status_code == 201
    again = await ada.http.post("/saved-searches", json={"name": "One", "q": "y"})
    assert (again.status_code, again.json()["code"]) == (409, "search_name_taken")
    second = (await ada.items("/saved-searches"))[1]
    renamed = await ada.http.patch(f"/saved-searches/{second['id']}", json={"name": "ONE"})
    assert (renamed.status_code, renamed.json()["code"]) == (409, "search_name_taken")


async def test_the_searches_of_others_are_not_there(api: Api, ada: Person) -> None:
    saved = (await ada.http.post("/saved-searches", json={"name": "mine", "q": "x"})).json()
    path = f"/saved-searches/{saved['id']}"
    async with api.person() as eve:
        assert await eve.items("/saved-searches") == []
        assert (await eve.http.patch(path, json={"name": "hers"})).status_code == 404
        assert (await eve.http.delete(path)).status_code == 404
    assert await ada.items("/saved-searches") == [saved]


async def test_what_is_to_be_remembered_was_searched_for_lately(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with api.answering("indexer", SearchMessages, *[SearchAnswer()] * 54):
        for n in range(52):
            await ada.http.get("/search", params={"q": f"q{n}", "remember": "true"})
        await ada.http.get("/search", params={"q": "q40", "remember": "true"})
        await ada.http.get("/search", params={"q": "not this"})
    recent = [item["q"] for item in await ada.items("/search/recent")]
    assert recent == ["q40", *(f"q{n}" for n in range(51, 1, -1) if n != 40)]
    assert (await ada.http.delete("/search/recent")).status_code == 204
    assert await ada.items("/search/recent") == []


async def test_people_are_suggested_to_whom_has_these_addresses(
    api: Api, ada: Person, ground: Ground
) -> None:
    grace = SuggestedPerson(
        name="Grace", email="grace@example.org", sent=2, received=1, last_at=NOON
    )
    async with api.answering("indexer", SuggestPeople, PeopleSuggested(people=(grace,))) as asked:
        (item,) = await ada.items("/suggestions/people", prefix="gr", limit=3)
    assert (item["email"], item["sent"], item["received"]) == ("grace@example.org", 2, 1)
    assert (asked[0].prefix, asked[0].limit) == ("gr", 3)
    assert [one.account_id for one in asked[0].accounts] == [ground.account_id]


async def test_who_leaves_leaves_no_searches_behind(api: Api, ada: Person) -> None:
    await ada.http.post("/saved-searches", json={"name": "mine", "q": "x"})
    async with api.answering("indexer", SearchMessages, SearchAnswer()):
        await ada.http.get("/search", params={"q": "x", "remember": "true"})
    kept = """
        SELECT (SELECT count(*) FROM saved_search WHERE tenant_id = $1)
               + (SELECT count(*) FROM recent_search WHERE tenant_id = $1)
    """
    assert await api.world.pool.fetchval(kept, ada.tenant_id) == 2
    await api.world.pool.execute("DELETE FROM membership WHERE tenant_id = $1", ada.tenant_id)
    assert await api.world.pool.fetchval(kept, ada.tenant_id) == 0
