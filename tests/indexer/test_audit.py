"""What can be found is held against what sync proved; what lacks is told again."""

from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from uuid_utils.compat import uuid7

from services.indexer import subscribers
from services.indexer.actions.remove_accounts import sweep_removed
from shared.contracts.account import RetellAccount
from shared.contracts.audit import AuditMailbox, CountSearchable
from shared.contracts.envelope import Caller, decode
from tests.indexer.mail import (
    ACCOUNT,
    MAILBOX,
    TENANT,
    a_change,
    a_message,
    a_page,
    a_retold_page,
    gone,
    removed,
    retold,
)
from tests.sync.proven import a_kept_mailbox


@pytest_asyncio.fixture(loop_scope="session")
async def kept(indexer, platform):
    """What sync keeps of the same account; what it tells is for the test to hand on."""
    async with a_kept_mailbox(platform, tenant_id=TENANT, account_id=ACCOUNT) as kept:
        kept.mailbox_id = MAILBOX
        await kept.has_mailbox(MAILBOX, "Found")
        yield kept


async def mail(kept, count=30):
    """Messages that came into the mailbox, as sync tells them."""
    ids = [uuid7() for _ in range(count)]
    revision = await kept.keeps(*ids)
    return [
        a_message(f"word{n}", revision=revision, message_id=one, minutes=n)
        for n, one in enumerate(ids)
    ]


async def proof(kept):
    """A proof, before which everything that was told has been heard."""
    await kept.publishes()
    return await kept.proves()


async def commands(indexer, kind):
    rows = await indexer.admin.fetch(
        "SELECT body FROM indexer.outbox WHERE subject = $1 ORDER BY position", kind.channel
    )
    return [decode(row["body"], kind) for row in rows]


async def differing(indexer):
    rows = await indexer.admin.fetch("SELECT bucket FROM indexer.audit_difference ORDER BY bucket")
    return [row["bucket"] for row in rows]


async def loses(indexer, table, *messages):
    await indexer.admin.execute(
        f"DELETE FROM indexer.{table} WHERE message_id = ANY($1)",
        [message.message_id for message in messages],
    )


async def searchable(indexer, *, tenant=TENANT, accounts=(ACCOUNT,), of=ACCOUNT):
    answer = await subscribers.answer_count_searchable(
        CountSearchable(caller=Caller(tenant_id=tenant, account_ids=accounts), account_id=of),
        indexer.world,
    )
    return {one.mailbox_id: one.searchable for one in answer.mailboxes}


async def test_a_memory_that_has_everything_agrees(indexer, kept):
    messages = await mail(kept)
    await indexer.hears(a_page(*messages), await proof(kept), await proof(kept))
    assert await differing(indexer) == []
    assert await commands(indexer, AuditMailbox) == []
    assert await searchable(indexer) == {MAILBOX: 30}


@pytest.mark.parametrize("table", ["document", "words_live", "document_text"])
async def test_a_lost_row_is_found_by_two_audits_and_told_again(indexer, kept, table):
    messages = await mail(kept)
    await indexer.hears(a_page(*messages))
    await loses(indexer, table, *messages[3:6])
    await loses(indexer, "words_arriving", *(messages[3:6] if table == "words_live" else ()))
    assert (await searchable(indexer))[MAILBOX] == 27

    await indexer.hears(await proof(kept))
    assert await differing(indexer) == sorted({m.message_id.bytes[15] for m in messages[3:6]})
    (again,) = await commands(indexer, AuditMailbox)
    assert (again.tenant_id, again.account_id, again.mailbox_id) == (TENANT, ACCOUNT, MAILBOX)
    assert again.wait_seconds == 60
    assert await commands(indexer, RetellAccount) == []

    await indexer.hears(await proof(kept))
    (retell,) = await commands(indexer, RetellAccount)
    assert (retell.tenant_id, retell.account_id, retell.listener) == (TENANT, ACCOUNT, "indexer")

    as_of = await kept.pool.fetchval("SELECT revision FROM clock")
    await indexer.hears(
        a_retold_page(retell.generation, 0, as_of, *messages), retold(retell.generation, as_of, 1)
    )
    assert await searchable(indexer) == {MAILBOX: 30}
    for n in range(3, 6):
        assert await indexer.finds(f"word{n}") == [messages[n].message_id]
    await indexer.hears(await proof(kept), await proof(kept))
    assert await differing(indexer) == []
    assert len(await commands(indexer, RetellAccount)) == 1


async def test_a_row_too_many_and_a_row_of_another_state_are_found_too(indexer, kept):
    messages = await mail(kept)
    stray = a_message("stray", revision=1)
    await indexer.hears(a_page(*messages, stray))
    await indexer.admin.execute(
        "UPDATE indexer.document SET revision = 0 WHERE message_id = $1", messages[0].message_id
    )
    await indexer.hears(await proof(kept))
    assert await differing(indexer) == sorted(
        {message.message_id.bytes[15] for message in (messages[0], stray)}
    )


async def test_what_is_on_its_way_is_no_loss(indexer, kept):
    messages = await mail(kept)
    await indexer.hears(a_page(*messages[:20]))
    # What was told waits in the outbox: it is not known that everything was heard.
    late = [await kept.proves() for _ in range(3)]
    await indexer.hears(*late)
    assert await commands(indexer, RetellAccount) == []
    assert len(await commands(indexer, AuditMailbox)) == 3
    await indexer.hears(a_page(*messages[20:]))
    await indexer.hears(await proof(kept))
    assert await differing(indexer) == []


async def test_one_audit_that_comes_twice_is_one_look(indexer, kept):
    await mail(kept)
    once = await proof(kept)
    await indexer.hears(once, once, once)
    assert await commands(indexer, RetellAccount) == []


async def test_what_is_newer_than_the_audit_alarms_nobody(indexer, kept):
    messages = await mail(kept)
    await indexer.hears(a_page(*messages))
    audits = [await proof(kept), await proof(kept)]
    newer = await kept.keeps()
    moved, marked, vanished, new = *messages[:3], a_message("new", revision=newer)
    await indexer.hears(
        a_change(moved.message_id, newer, mailbox_id=UUID(int=9)),
        a_change(marked.message_id, newer, keywords=["\\Seen"]),
        gone(vanished.message_id, newer),
        a_page(new),
        *audits,
    )
    assert await differing(indexer) == []
    assert await commands(indexer, AuditMailbox) == []


async def test_a_difference_that_is_undecided_is_not_forgotten(indexer, kept):
    messages = await mail(kept)
    await indexer.hears(a_page(*messages))
    await loses(indexer, "document", messages[0])
    await indexer.hears(await proof(kept))
    (bucket,) = await differing(indexer)
    later = await proof(kept)
    twin = a_message("twin", revision=await kept.keeps(), message_id=twin_of(messages[0]))
    await indexer.hears(a_page(twin), later)
    assert await differing(indexer) == [bucket]
    assert await commands(indexer, RetellAccount) == []


def twin_of(message):
    """Another id of the same bucket."""
    return UUID(bytes=uuid7().bytes[:15] + message.message_id.bytes[15:])


async def test_an_account_that_a_retell_did_not_mend_is_not_told_again_at_once(indexer, kept):
    await mail(kept)
    for _ in range(5):
        await indexer.hears(await proof(kept))
    assert len(await commands(indexer, RetellAccount)) == 1
    await indexer.admin.execute(
        "UPDATE indexer.account SET retell_asked_at = now() - interval '1 day'"
    )
    await indexer.hears(await proof(kept))
    assert len(await commands(indexer, RetellAccount)) == 2


async def test_a_removed_account_is_not_compared_and_leaves_nothing(indexer, kept):
    await mail(kept)
    await indexer.hears(await proof(kept), removed(), await proof(kept))
    assert len(await commands(indexer, AuditMailbox)) == 1
    while await sweep_removed(indexer.world.pool, rows_at_once=100):
        pass
    assert await differing(indexer) == []


# --- What is counted ------------------------------------------------------------------------------


async def test_what_a_search_could_not_find_is_not_counted(indexer, kept):
    adrift = a_message("adrift", revision=1, mailbox_id=None)
    deleted = a_message("deleted", revision=1, keywords=["\\Deleted"])
    plain, vanished = a_message("plain", revision=1), a_message("vanished", revision=1)
    await indexer.hears(
        a_page(adrift, deleted, plain, vanished),
        a_change(uuid7(), 2),  # a stub: its content has not come
        gone(vanished.message_id, 2),
    )
    assert await searchable(indexer) == {MAILBOX: 2}  # one is only marked for removal


async def test_words_that_arrive_are_counted_as_well(indexer, kept):
    messages = await mail(kept, 4)
    await indexer.hears(a_page(*messages))
    await indexer.admin.execute(
        """
        WITH moved AS (DELETE FROM indexer.words_live WHERE message_id = $1 RETURNING *)
        INSERT INTO indexer.words_arriving (message_id, tenant_id, account_id, received_at, words)
        SELECT message_id, tenant_id, account_id, received_at, words FROM moved
        """,
        messages[0].message_id,
    )
    assert await searchable(indexer) == {MAILBOX: 4}
    await indexer.hears(await proof(kept))
    assert await differing(indexer) == []


async def test_nobody_counts_in_an_account_that_he_may_not_see(indexer, kept):
    await indexer.hears(a_page(*await mail(kept)))
    rival, other = UUID(int=5), UUID(int=6)
    assert await searchable(indexer, tenant=rival) == {}
    assert await searchable(indexer, accounts=()) == {}
    assert await searchable(indexer, accounts=(other,)) == {}
    assert await searchable(indexer, accounts=(ACCOUNT, other), of=other) == {}
    async with indexer.world.request_pool.acquire() as connection:
        assert await connection.fetch("SELECT * FROM count_findable($1)", ACCOUNT) == []
        for relation in ("findable", "audit_difference"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {relation}")
