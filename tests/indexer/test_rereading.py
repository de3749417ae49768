"""Words made anew by other rules, without a moment in which a message cannot be found."""

from services.indexer.actions.read_words_again import ask_reading, count_unread, read_words_again
from services.indexer.domain.tokenise import WORDS_VERSION
from tests.indexer.mail import ACCOUNT, TENANT, a_filled_page, a_message, a_page, gone, removed

_OLD = "''old'':1A"


async def versions(indexer):
    rows = await indexer.admin.fetch("SELECT words_version FROM indexer.account")
    return {row["words_version"] for row in rows}


async def grow_old(indexer):
    """As if everything had been read by the first rules."""
    for table in ("words_live", "words_arriving"):
        await indexer.admin.execute(
            f"""
            UPDATE indexer.{table} SET words = '{_OLD}'::tsvector
                || format(''':tenant:%s''', replace(tenant_id::text, '-', ''))::tsvector
                || format(''':account:%s''', replace(account_id::text, '-', ''))::tsvector
            """
        )
    await indexer.admin.execute("UPDATE indexer.account SET words_version = 1")


async def test_words_of_older_rules_are_made_anew_while_the_old_ones_are_found(indexer):
    live = [a_message(f"lunch {n}", minutes=n) for n in range(7)]
    waiting = [a_message(f"dinner {n}", minutes=n) for n in range(3)]
    await indexer.hears(a_page(*live), a_filled_page(*waiting))
    before = await indexer.rows()
    assert await versions(indexer) == {WORDS_VERSION}
    await grow_old(indexer)
    steps = 0
    while True:
        # Each is found by its old word or by its new ones, at every moment.
        found = [*await indexer.finds("old"), *await indexer.finds("lunch OR dinner")]
        assert sorted(found) == sorted(one.message_id for one in (*live, *waiting))
        if not await read_words_again(indexer.world.pool, rows_at_once=3):
            break
        steps += 1
    assert steps == 4
    assert await indexer.rows() == before
    assert await versions(indexer) == {WORDS_VERSION}
    assert (await count_unread(indexer.world.pool)).accounts == 0


async def test_mail_that_comes_goes_and_is_removed_meanwhile_does_not_disturb_it(indexer):
    mail = [a_message("lunch", minutes=n) for n in range(9)]
    await indexer.hears(a_page(*mail))
    await grow_old(indexer)
    assert await read_words_again(indexer.world.pool, rows_at_once=3)
    assert (await count_unread(indexer.world.pool)).messages == 6
    new = a_message("lunch", minutes=100)
    old = a_message("lunch", minutes=-100)
    await indexer.hears(a_page(new, old), gone(mail[0].message_id, 3))
    while await read_words_again(indexer.world.pool, rows_at_once=3):
        pass
    expected = {one.message_id for one in (*mail[1:], new, old)}
    assert set(await indexer.finds("lunch")) == expected
    await grow_old(indexer)
    await indexer.hears(removed())
    assert not await read_words_again(indexer.world.pool, rows_at_once=3)


async def test_an_account_a_tenant_or_everything_is_made_anew_when_asked(indexer):
    await indexer.hears(a_page(a_message("lunch")))
    pool = indexer.world.pool
    for asked in ({"account_id": ACCOUNT}, {"tenant_id": TENANT}, {}):
        whose = {"account_id": None, "tenant_id": None, **asked}
        assert await ask_reading(pool, **whose) == 1
        assert await versions(indexer) == {0}
        while await read_words_again(pool, rows_at_once=100):
            pass
        assert await versions(indexer) == {WORDS_VERSION}
    assert await ask_reading(pool, account_id=TENANT, tenant_id=None) == 0
