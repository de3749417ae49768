"""Mail of a first sync is found while it arrives, while it is put into the index, and after."""

import asyncio

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from services.indexer.actions.remove_accounts import sweep_removed
from services.indexer.settings import Settings
from services.indexer.store.arriving import move_words
from services.indexer.workers import keep_in_order
from tests.indexer.mail import (
    ACCOUNT,
    BEGINNING,
    MAILBOX,
    TENANT,
    a_change,
    a_filled_page,
    a_message,
    a_page,
    a_retold_page,
    gone,
    removed,
)

QUERIES = [
    "lunch", "subject:lunch -canteen", '"lunch on friday"', "from:ann larger:500", "lunch is:read",
    "after:2026-02-01 lunch", "lun*", "has:attachment",
]  # fmt: skip


def lunches(count, **more):
    return [
        a_message(
            "Lunch on Friday" if n % 2 else "Lunch on Monday",
            "canteen" if n % 3 else "park",
            keywords=["\\Seen"] if n % 2 else [],
            files=["menu.pdf"] if n % 5 == 0 else [],
            minutes=n,
            **more,
        )
        for n in range(count)
    ]


async def answers(indexer):
    return {query: await indexer.finds(query) for query in QUERIES}


async def tables(indexer):
    return {
        table: {
            row["message_id"]
            for row in await indexer.admin.fetch(f"SELECT message_id FROM indexer.{table}")
        }
        for table in ("words_arriving", "words_live")
    }


@pytest.mark.parametrize("told", [a_filled_page, lambda *mail: a_retold_page(uuid7(), 0, 1, *mail)])
async def test_mail_is_found_alike_while_it_arrives_and_when_it_is_in_the_index(indexer, told):
    mail = lunches(30)
    ids = {one.message_id for one in mail}
    await indexer.hears(told(*mail))
    assert await tables(indexer) == {"words_arriving": ids, "words_live": set()}
    arriving = await answers(indexer)
    assert set(arriving["lunch"]) == ids
    assert all(arriving.values())

    assert await indexer.puts_in_order(20) == 20
    assert await answers(indexer) == arriving
    assert await indexer.puts_in_order(20) == 10
    assert await indexer.puts_in_order(20) == 0
    assert await tables(indexer) == {"words_arriving": set(), "words_live": ids}
    assert await answers(indexer) == arriving


async def test_pages_of_results_lead_through_what_arrives_and_what_is_there(indexer):
    mail = lunches(40)
    await indexer.hears(a_page(*mail[::2]), a_filled_page(*mail[1::2]))
    found, before = [], None
    while True:
        answer = await indexer.asks("lunch", limit=7, before=before)
        found += [one.message_id for one in answer.found]
        if not answer.more:
            break
        before = (answer.found[-1].received_at, answer.found[-1].message_id)
    assert found == [one.message_id for one in reversed(mail)]


async def test_whoever_searches_while_words_are_moved_finds_each_message_once(indexer):
    mail = lunches(60)
    expected = [one.message_id for one in reversed(mail)]
    await indexer.hears(a_filled_page(*mail))

    async def move_all():
        while await indexer.puts_in_order(1):
            pass

    moving = asyncio.create_task(move_all())
    searches = 0
    while not moving.done():
        assert await indexer.finds("lunch") == expected
        assert await indexer.finds("lunch OR larger:100000") == expected
        searches += 1
    await moving
    assert searches > 1


async def test_words_on_their_way_when_the_process_is_killed_are_moved_by_the_next(
    indexer, platform
):
    mail = lunches(10)
    await indexer.hears(a_filled_page(*mail))
    killed = await asyncpg.connect(platform.database_url("indexer"))
    await killed.execute("BEGIN")
    assert await move_words(killed, 10) == 10
    assert len(await indexer.finds("lunch")) == 10
    assert await indexer.puts_in_order() == 0  # another moves them
    killed.terminate()

    async with asyncio.timeout(20):
        while not await indexer.puts_in_order():
            await asyncio.sleep(0.02)
    assert (await tables(indexer))["words_live"] == {one.message_id for one in mail}
    assert len(await indexer.finds("lunch")) == 10


@pytest.mark.parametrize("moved_first", [True, False])
async def test_a_message_that_vanishes_while_its_words_are_moved_leaves_none(
    indexer, platform, moved_first
):
    stays, goes = lunches(2)
    await indexer.hears(a_filled_page(stays, goes))
    mover = await asyncpg.connect(platform.database_url("indexer"))
    if moved_first:
        await mover.execute("BEGIN")
        assert await move_words(mover, 10) == 2
        forgetting = asyncio.create_task(indexer.hears(gone(goes.message_id, 9)))
        done, _ = await asyncio.wait([forgetting], timeout=0.3)
        assert not done
        await mover.execute("COMMIT")
        await forgetting
    else:
        forgetter = await asyncpg.connect(platform.admin_database_url)
        await forgetter.execute("BEGIN")
        await forgetter.execute(
            "DELETE FROM indexer.words_arriving WHERE message_id = $1", goes.message_id
        )
        await mover.execute("BEGIN")
        assert await move_words(mover, 10) == 1  # it does not wait for the other
        await mover.execute("COMMIT")
        await forgetter.execute("ROLLBACK")
        await forgetter.close()
        await indexer.hears(gone(goes.message_id, 9))
        await indexer.puts_in_order()
    await mover.close()
    assert await tables(indexer) == {"words_arriving": set(), "words_live": {stays.message_id}}
    assert await indexer.finds("lunch") == [stays.message_id]


async def test_what_is_told_live_and_by_a_first_sync_has_its_words_once(indexer):
    one, two, three = lunches(3)
    await indexer.hears(a_filled_page(one, two), a_page(one, two, three))
    await indexer.hears(a_filled_page(three))
    assert await tables(indexer) == {
        "words_arriving": {one.message_id, two.message_id},
        "words_live": {three.message_id},
    }
    await indexer.hears(a_change(one.message_id, 5, mailbox_id=None))
    assert await indexer.finds("lunch") == [three.message_id, two.message_id]


async def test_words_lost_of_a_message_that_is_known_come_back_when_it_is_told_again(indexer):
    one, two = lunches(2)
    await indexer.hears(a_page(one, two))
    await indexer.admin.execute(
        "DELETE FROM indexer.words_live WHERE message_id = $1", one.message_id
    )
    await indexer.admin.execute(
        "DELETE FROM indexer.document_text WHERE message_id = $1", two.message_id
    )
    assert await indexer.finds("lunch") == []
    await indexer.hears(a_retold_page(uuid7(), 0, 1, one, two))
    assert await indexer.finds("lunch") == [two.message_id, one.message_id]


async def test_a_removed_account_leaves_nothing_that_arrives(indexer):
    await indexer.hears(a_filled_page(*lunches(10)), removed())
    assert await indexer.finds("lunch") == []
    while await sweep_removed(indexer.world.pool, rows_at_once=4):
        pass
    assert await indexer.waiting() == 0


async def test_of_what_arrives_a_rare_word_is_sought_in_the_newest_5000_of_an_account(indexer):
    await indexer.hears(a_page(a_message("other")))
    rows = await indexer.admin.fetch(
        """
        WITH come AS (
            INSERT INTO indexer.document (
                message_id, tenant_id, account_id, revision, mailbox_id, has_content, received_at,
                size_bytes)
            SELECT gen_random_uuid(), $1, $2, n, $3, true, $4::timestamptz + n * interval '1 s', 1
              FROM generate_series(0, 5000) AS n
            RETURNING message_id, received_at, revision
        ), words AS (
            INSERT INTO indexer.words_arriving (
                message_id, tenant_id, account_id, received_at, words)
            SELECT message_id, $1, $2, received_at,
                   format('needle%s :1 '':tenant:%s'' '':account:%s''', revision,
                          replace($1::text, '-', ''), replace($2::text, '-', ''))::tsvector
              FROM come
        ), texts AS (
            INSERT INTO indexer.document_text
            SELECT message_id, $1, $2, '', '{}', '{}', '{}', '{}', '{}', '', '', '', '', 0 FROM come
        )
        SELECT message_id FROM come ORDER BY revision
        """,
        TENANT,
        ACCOUNT,
        MAILBOX,
        BEGINNING,
    )
    first, second, last = rows[0]["message_id"], rows[1]["message_id"], rows[-1]["message_id"]
    assert await indexer.finds("needle5000") == [last]
    assert await indexer.finds("needle1") == [second]
    assert await indexer.finds("needle0") == []
    await indexer.hears(a_filled_page(a_message("x", "needle0", minutes=-1)))
    while await indexer.puts_in_order(2000):
        pass
    assert first in await indexer.finds("needle0")


@pytest.fixture
def settings(platform, monkeypatch):
    for name, value in platform.environment("indexer").items():
        monkeypatch.setenv(name, value)

    def of(**settings):
        return Settings(probe_port=0, sweep_seconds=3600, **settings)

    return of


async def until_waiting(indexer, rows):
    async with asyncio.timeout(20):
        while await indexer.waiting() != rows:
            await asyncio.sleep(0.02)


async def test_words_are_put_in_order_when_the_flow_pauses(indexer, settings):
    mail = lunches(9)
    await indexer.hears(a_filled_page(*mail[:3]))  # left by a process that ended
    working = asyncio.create_task(
        keep_in_order(indexer.world, settings(arriving_pause_seconds=0.05))
    )
    try:
        await until_waiting(indexer, 0)
        await indexer.hears(a_filled_page(*mail[3:]))
        await until_waiting(indexer, 0)
    finally:
        working.cancel()
    assert (await tables(indexer))["words_live"] == {one.message_id for one in mail}


async def test_while_mail_keeps_coming_no_more_of_it_waits_than_a_search_looks_at(
    indexer, settings
):
    mail = lunches(12)
    await indexer.hears(a_filled_page(mail[0]))
    working = asyncio.create_task(
        keep_in_order(
            indexer.world,
            settings(arriving_pause_seconds=3600, arriving_rows=10, arriving_rows_at_once=5),
        )
    )
    try:
        await indexer.hears(a_filled_page(*mail[1:9]))
        assert await indexer.waiting() == 9
        await indexer.hears(a_filled_page(*mail[9:]))
        await until_waiting(indexer, 7)
    finally:
        working.cancel()
    assert len(await indexer.finds("lunch")) == 12


async def test_what_a_page_lacks_is_looked_up_by_its_key_however_much_the_account_has(indexer):
    async def by_date() -> int:
        async with indexer.world.pool.acquire() as connection:
            await connection.execute("SELECT pg_stat_force_next_flush()")
        return await indexer.admin.fetchval(
            """
            SELECT of_index.idx_scan + of_table.seq_scan
              FROM pg_stat_user_indexes AS of_index
              JOIN pg_stat_user_tables AS of_table USING (relid)
             WHERE indexrelname = 'document_by_tenant_account_received'
            """
        )

    mail = lunches(400)
    await indexer.hears(a_filled_page(*mail[:100]))  # it is planned, and the tables are tiny
    before = await by_date()
    for start in range(100, 400, 50):
        await indexer.hears(a_filled_page(*mail[start : start + 50]))
    assert await by_date() == before
    assert len((await indexer.rows())["words"]) == 400
