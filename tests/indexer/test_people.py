"""Whom somebody may mean who has begun to type a name."""

from uuid import UUID

from services.indexer import subscribers
from shared.contracts.envelope import Caller
from shared.contracts.search import NamedAccount, SuggestPeople
from tests.indexer.mail import ACCOUNT, TENANT, a_message, a_page

ME = "Me <me@example.com>"
MINE = (NamedAccount(account_id=ACCOUNT, name="Work", email="me@example.com"),)


async def suggested(indexer, prefix, *, tenant=TENANT, account=ACCOUNT, mine=MINE):
    answer = await subscribers.answer_suggest_people(
        SuggestPeople(
            caller=Caller(tenant_id=tenant, account_ids=(account,)), prefix=prefix, accounts=mine
        ),
        indexer.world,
    )
    return [one.email for one in answer.people]


async def test_people_are_suggested_by_how_one_writes_with_them(indexer):
    to_anna = [
        a_message("x", sender=ME, to=["Anna Lee <anna@a.example>"], minutes=n) for n in range(2)
    ]
    from_andy = [a_message("x", sender="Andy <Andy@b.example>", minutes=n) for n in range(4)]
    copied = a_message("x", sender=ME, to=["Bob <bob@b.example>"], cc=["Zoë An <z@c.example>"])
    stranger = a_message("x", sender="Carl <c@c.example>", to=["Anton <anton@d.example>", ME])
    await indexer.hears(a_page(*to_anna, *from_andy, copied, stranger))
    assert await suggested(indexer, "an") == ["anna@a.example", "Andy@b.example", "z@c.example"]
    assert await suggested(indexer, "a") == ["anna@a.example", "Andy@b.example", "z@c.example"]
    assert await suggested(indexer, "LE an") == ["anna@a.example"]
    assert await suggested(indexer, "anna l") == ["anna@a.example"]
    assert await suggested(indexer, "l a") == ["anna@a.example"]
    assert await suggested(indexer, "zoe") == ["z@c.example"]
    assert await suggested(indexer, "anna@a.ex") == ["anna@a.example"]
    assert await suggested(indexer, "b.example") == ["Andy@b.example", "bob@b.example"]
    assert await suggested(indexer, "me") == []
    assert await suggested(indexer, "nobody") == []
    assert await suggested(indexer, "") == ["anna@a.example", "bob@b.example", "z@c.example"]
    assert await suggested(indexer, "!") == await suggested(indexer, "")
    assert await suggested(indexer, "an", mine=()) == ["Andy@b.example"]


async def test_people_of_other_tenants_and_accounts_are_never_suggested(indexer):
    await indexer.hears(a_page(a_message("x", sender="Anna <anna@a.example>")))
    rival = UUID("0190a000-0000-7000-8000-000000000666")
    for prefix in ("an", "", ":from:an", "' | 'anna"):
        assert await suggested(indexer, prefix, tenant=rival) == []
        assert await suggested(indexer, prefix, account=rival) == []
