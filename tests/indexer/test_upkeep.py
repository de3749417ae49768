import asyncio
from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from services.indexer.actions.forget_tombstones import KEPT, forget_tombstones
from services.indexer.actions.remove_accounts import sweep_removed
from services.indexer.domain.told import Account
from services.indexer.settings import Settings
from services.indexer.store.accounts import share_accounts
from services.indexer.subscribers import on_account_removed
from services.indexer.workers import keep_tidy
from shared.db import in_transaction
from tests.indexer.mail import (
    ACCOUNT,
    BEGINNING,
    TENANT,
    a_change,
    a_filled_page,
    a_message,
    a_page,
    a_retold_page,
    gone,
    removed,
)

NOTHING = {"document": [], "words": [], "document_text": []}


async def test_the_rows_of_a_removed_account_go_in_steps_and_those_of_others_stay(indexer):
    stays = a_message("lunch")
    other = uuid7()
    await indexer.hears(
        a_page(*[a_message(f"mail {n}") for n in range(15)]),
        a_filled_page(*[a_message(f"mail {n}") for n in range(10)]),
        a_change(uuid7(), 3),
        gone(uuid7(), 4),
        a_retold_page(uuid7(), 0, 1),
        a_page(stays, account=other),
        removed(),
    )
    steps = 0
    while await sweep_removed(indexer.world.pool, rows_at_once=10):
        steps += 1
    assert steps == 3
    for rows in (await indexer.rows()).values():
        assert [row["message_id"] for row in rows] == [stays.message_id]
    assert await indexer.admin.fetchval("SELECT count(*) FROM indexer.retelling") == 0
    assert await indexer.finds("lunch", accounts=[other]) == [stays.message_id]


async def test_a_removal_waits_for_a_page_that_is_being_stored(indexer):
    account = Account(account_id=ACCOUNT, tenant_id=TENANT)
    async with indexer.world.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await share_accounts(connection, [account]) == {ACCOUNT}
        removal = asyncio.create_task(on_account_removed([removed()], indexer.world))
        done, _ = await asyncio.wait([removal], timeout=0.3)
        assert not done
        await transaction.commit()
    await removal
    assert (
        await in_transaction(
            indexer.world.pool, lambda connection: share_accounts(connection, [account])
        )
        == set()
    )


async def test_a_removed_account_is_swept_without_waiting_for_the_clock(
    indexer, platform, monkeypatch
):
    monkeypatch.setenv("INDEXER_PROBE_PORT", "0")
    monkeypatch.setenv("INDEXER_SWEEP_SECONDS", "3600")
    for name, value in platform.environment("indexer").items():
        monkeypatch.setenv(name, value)
    tidying = asyncio.create_task(keep_tidy(indexer.world, Settings()))
    await indexer.hears(a_page(a_message("lunch")), removed())
    async with asyncio.timeout(10):
        while await indexer.rows() != NOTHING:
            await asyncio.sleep(0.02)
    tidying.cancel()


async def test_tombstones_are_forgotten_when_no_late_page_can_come(indexer):
    message = a_message("lunch")
    await indexer.hears(a_page(message), gone(message.message_id, 2))
    pool = indexer.world.pool
    await forget_tombstones(pool, BEGINNING + KEPT - timedelta(days=1), rows_at_once=10)
    await indexer.hears(a_page(message))
    assert await indexer.finds("lunch") == []
    await forget_tombstones(pool, BEGINNING + KEPT + timedelta(days=1), rows_at_once=10)
    assert await indexer.rows() == NOTHING


async def test_a_removed_accounts_name_is_remembered_so_that_nothing_comes_back(indexer):
    await indexer.hears(removed())
    while await sweep_removed(indexer.world.pool, rows_at_once=10):
        pass
    await forget_tombstones(
        indexer.world.pool, datetime.now(UTC) + timedelta(days=999), rows_at_once=10
    )
    await indexer.hears(a_page(a_message("lunch")))
    assert await indexer.rows() == NOTHING
