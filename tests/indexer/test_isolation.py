from itertools import product
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.contracts.search import NamedAccount, NamedMailbox, Order, Unit
from shared.db import tenant_transaction
from tests.indexer.mail import (
    ACCOUNT,
    BEGINNING,
    MAILBOX,
    TENANT,
    THREAD,
    a_filled_page,
    a_message,
    a_page,
)

RIVAL = UUID("0190a000-0000-7000-8000-000000000666")
RIVAL_ACCOUNT = UUID("0190a000-0000-7000-8000-00000000066a")

FORGED = [
    f":tenant:{TENANT.hex}", f"':tenant:{TENANT.hex}'", f"tenant:{TENANT.hex}", TENANT.hex,
    f":account:{ACCOUNT.hex}", f"' ':tenant:{TENANT.hex}' '", f"\\' ':tenant:{TENANT.hex}",
    f"x':1A ':tenant:{TENANT.hex}':1 'y", "' | '", "'' | !''", "\\", "'", "\\'", "!x", "secret:*",
    "a & b", "a <-> b", ":*", ":tenant*", "t*", "s*", "-zebra", "secret OR -secret", "is:unread",
    "is:read OR is:unread", "-is:starred", "after:1990-01-01", "larger:1", "-(zebra is:starred)",
    '"\' | \':tenant"', "rfc822msgid:x' | 'secret", "rfc822msgid:'", "rfc822msgid:\\",
    "in:anywhere", "-in:anywhere", "in:inbox OR secret", f"thread:{shown(Kind.THREAD, THREAD)}",
    f"-thread:{shown(Kind.THREAD, THREAD)}", "label:x OR -label:x", "from:me OR secret", "on:2026",
    "has:pdf OR -has:pdf", "larger:0 OR smaller:9g", "subject:secret", "-subject:x", "body:s*",
    f"rfc822msgid:x':*|':tenant:{TENANT.hex}", "$$", "%s", "$1", "; DROP TABLE document",
]  # fmt: skip


@pytest.fixture(params=[a_page, a_filled_page], ids=["in the index", "arriving"])
async def victim(indexer, request):
    """A message of one tenant, and a rival's whose text forges what holds tenants apart."""
    told = request.param
    secret = a_message("secret plan", "the secret", header_id="s@example.com")
    await indexer.hears(told(secret))
    decoys = [
        a_message(
            forged,
            f"secret {forged}",
            sender=f"{forged} <x@example.com>",
            files=[forged],
            header_id=forged,
            list_id=forged,
        )
        for forged in FORGED
    ]
    await indexer.hears(told(*decoys, account=RIVAL_ACCOUNT, tenant=RIVAL))
    return secret


@pytest.mark.parametrize(
    "query", [*FORGED, "secret", "plan", "from:ann", "rfc822msgid:s@example.com"]
)
async def test_no_query_finds_mail_of_another_tenant(indexer, victim, query):
    mine = await indexer.asks(query)
    assert {found.message_id for found in mine.found} <= {victim.message_id}
    seen = ([RIVAL_ACCOUNT], [RIVAL_ACCOUNT, ACCOUNT], [ACCOUNT])
    for accounts, with_lines in product(seen, (True, False)):
        theirs = await indexer.asks(query, tenant=RIVAL, accounts=accounts, with_lines=with_lines)
        assert victim.message_id not in {found.message_id for found in theirs.found}
    assert await indexer.finds("secret") == [victim.message_id]


@given(text=st.text(max_size=60) | st.lists(st.sampled_from(FORGED), max_size=4).map(" ".join))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_no_random_query_finds_mail_of_another_tenant(indexer, victim, text):
    answer = await indexer.asks(text, tenant=RIVAL, accounts=[RIVAL_ACCOUNT, ACCOUNT])
    assert victim.message_id not in {found.message_id for found in answer.found}


async def test_who_names_mailboxes_accounts_and_threads_of_another_tenant_finds_nothing(
    indexer, victim
):
    theirs = NamedAccount(account_id=ACCOUNT, name="theirs", email="ann@example.com")
    box = NamedMailbox(mailbox_id=MAILBOX, account_id=RIVAL_ACCOUNT, path="theirs")
    for query in ("in:theirs", "in:theirs secret", "-in:theirs", "secret", "from:ann", "is:unread"):
        for more in (
            {},
            {"order": Order.RELEVANCE},
            {"unit": Unit.THREADS},
            {"unit": Unit.THREADS, "before": (BEGINNING, victim.message_id)},
        ):
            answer = await indexer.asks(
                query,
                tenant=RIVAL,
                accounts=[RIVAL_ACCOUNT, ACCOUNT],
                named=[theirs],
                mailboxes=[box],
                with_total=True,
                **more,
            )
            found = {one.message_id for one in answer.found}
            assert victim.message_id not in found, query
            if not more:
                assert answer.total.messages == len(found), query


async def test_an_account_that_the_caller_may_not_see_stays_unseen_in_his_own_tenant(indexer):
    private = UUID(int=5)
    await indexer.hears(
        a_page(a_message("secret"), account=private),
        a_filled_page(a_message("secret"), account=private),
    )
    assert await indexer.finds("secret") == []
    assert await indexer.finds("-zebra") == []
    assert await indexer.finds("is:unread") == []


async def test_the_index_takes_tenant_and_accounts_from_the_session_alone(indexer, victim):
    ask = """
        SELECT count(*) FROM find_messages($1::text::tsquery, '{}', '{}', '{}', NULL, $2, $3, '{}',
                                           '-infinity', 'infinity',
                                           'ffffffff-ffff-ffff-ffff-ffffffffffff', 50)
    """
    places = ([MAILBOX], None), (None, [THREAD]), (None, None)
    pool = indexer.world.request_pool
    queries = ("'secret'", f"':tenant:{TENANT.hex}'", "!'zebra'", None)
    for asked, place in product(queries, places):
        async with pool.acquire() as connection:
            assert await connection.fetchval(ask, asked, *place) == 0
        rival = Caller(tenant_id=RIVAL, account_ids=(ACCOUNT,))
        async with tenant_transaction(pool, rival) as connection:
            assert await connection.fetchval(ask, asked, *place) == 0
        owner = Caller(tenant_id=TENANT, account_ids=(ACCOUNT,))
        async with tenant_transaction(pool, owner) as connection:
            assert await connection.fetchval(ask, asked, *place) == 1


@pytest.mark.parametrize(
    "table", ["account", "document", "words_live", "words_arriving", "document_text"]
)
async def test_a_request_reads_only_rows_of_its_tenant_and_accounts_and_writes_none(
    indexer, victim, table
):
    for account, tenant in ((ACCOUNT, TENANT), (RIVAL_ACCOUNT, RIVAL)):
        for told in (a_page, a_filled_page):
            await indexer.hears(told(a_message("more"), account=account, tenant=tenant))
    pool = indexer.world.request_pool
    rival = Caller(tenant_id=RIVAL, account_ids=(ACCOUNT, RIVAL_ACCOUNT))
    async with tenant_transaction(pool, rival) as connection:
        rows = await connection.fetch(f"SELECT DISTINCT tenant_id FROM {table}")
        assert [row["tenant_id"] for row in rows] == [RIVAL]
    async with pool.acquire() as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"DELETE FROM {table}")
