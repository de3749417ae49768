"""What is on the server and what is kept of it: proven, told, and asked for."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from unittest.mock import ANY
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from uuid_utils.compat import uuid7

from services.sync.actions.ask_audit import ask_audit
from services.sync.actions.audit_now import audit_now
from services.sync.actions.prove_mailbox import prove_mailbox
from services.sync.actions.read_proofs import read_proofs
from services.sync.store import audits
from services.sync.store.leases import LeaseLost
from shared.bus import heard_until
from shared.contracts.audit import (
    AuditMailbox,
    Bucket,
    MailboxAudited,
    ReadProofs,
    apart,
    pack_buckets,
    second_look_seconds,
    unpack_buckets,
    weigh,
)
from shared.contracts.envelope import Caller, encode
from shared.contracts.mail import MessagesFilled
from shared.db import Pool
from tests.platform import Platform
from tests.sync.proven import Kept, a_kept_mailbox

DAY = 24 * 3600.0


@pytest_asyncio.fixture(loop_scope="session")
async def kept(platform: Platform) -> AsyncIterator[Kept]:
    async with a_kept_mailbox(platform, tenant_id=uuid4(), account_id=uuid4()) as kept:
        yield kept


async def due(kept: Kept, every_seconds: float = DAY) -> list[UUID]:
    async with kept.pool.acquire() as connection:
        return await audits.due(connection, kept.account_id, every_seconds)


async def standing(kept: Kept) -> audits.Standing:
    async with kept.pool.acquire() as connection:
        return await audits.standing(connection)


# --- The proof ------------------------------------------------------------------------------------


async def test_a_proof_tells_what_was_on_the_server_kept_and_quarantined(kept: Kept) -> None:
    messages = [uuid7() for _ in range(40)]
    await kept.keeps(*messages)
    await kept.quarantines(99)
    proof = await kept.proves(server=41)
    assert (proof.server, proof.kept, proof.quarantined) == (41, 40, 1)
    assert (proof.tenant_id, proof.account_id) == (kept.tenant_id, kept.account_id)
    counts = Counter(message.bytes[15] for message in messages)
    buckets = unpack_buckets(proof.buckets)
    assert {n: one.count for n, one in enumerate(buckets) if one.count} == counts
    assert all(bool(one.hash) == bool(one.count) for one in buckets)
    row = await kept.pool.fetchrow("SELECT * FROM audit")
    assert row is not None
    assert row["agreed"] is True
    assert row["as_of_revision"] == proof.as_of_revision
    assert row["proven_at"] == proof.audited_at


async def test_a_mailbox_of_which_something_is_missing_is_not_proven_and_says_so(
    kept: Kept,
) -> None:
    await kept.keeps(uuid7(), uuid7())
    proof = await kept.proves(server=5)
    assert (proof.server, proof.kept, proof.quarantined) == (5, 2, 0)
    assert await kept.pool.fetchval("SELECT agreed FROM audit") is False
    assert (await standing(kept)).unproven_messages == 3
    await kept.proves(server=2)
    assert (await standing(kept)).unproven_messages == 0


async def test_no_two_proofs_are_of_one_revision_and_changes_come_after(kept: Kept) -> None:
    before = await kept.keeps(uuid7())
    first, second = await kept.proves(), await kept.proves()
    after = await kept.keeps(uuid7())
    assert before < first.as_of_revision < second.as_of_revision < after
    assert first.buckets == second.buckets


async def test_a_message_without_its_new_uid_is_not_kept_and_still_in_its_mailbox(
    kept: Kept,
) -> None:
    await kept.keeps(uuid7(), uuid7())
    await kept.pool.execute("UPDATE message SET uid = NULL WHERE uid = 1")
    proof = await kept.proves(server=2)
    assert proof.kept == 1
    assert sum(bucket.count for bucket in unpack_buckets(proof.buckets)) == 2


async def test_whoever_lost_the_account_proves_nothing(kept: Kept) -> None:
    await kept.pool.execute("UPDATE lease SET fence = fence + 1")
    with pytest.raises(LeaseLost):
        await prove_mailbox(kept.lease, kept.mailbox_id, 0, kept.pool, kept.bus)
    assert await kept.told() == []


async def test_a_mailbox_that_went_meanwhile_is_not_proven(kept: Kept) -> None:
    await kept.pool.execute("UPDATE mailbox SET gone_at = now()")
    await prove_mailbox(kept.lease, kept.mailbox_id, 0, kept.pool, kept.bus)
    assert await kept.told() == []


# --- When the next one is due ---------------------------------------------------------------------


async def test_a_mailbox_is_due_when_its_proof_is_missing_or_old(kept: Kept) -> None:
    assert await due(kept) == [kept.mailbox_id]
    await kept.proves()
    assert await due(kept) == []
    await kept.pool.execute("UPDATE audit SET proven_at = now() - interval '25 hours'")
    assert await due(kept) == [kept.mailbox_id]
    assert (await standing(kept)).oldest_proof_seconds == pytest.approx(25 * 3600, abs=60)


async def test_an_operator_hears_what_came_of_every_mailbox(kept: Kept) -> None:
    await kept.keeps(uuid7(), uuid7())
    before = await kept.proves()
    [old], asked_at = await audit_now(kept.pool, None, seconds=0)
    assert (old.proven_at, old.is_since(asked_at)) == (before.audited_at, False)
    assert await due(kept) == [kept.mailbox_id]

    await kept.pool.execute("UPDATE account SET check_asked_at = NULL")
    asking = asyncio.create_task(audit_now(kept.pool, kept.account_id, seconds=60))
    async with asyncio.timeout(60):
        while not await kept.pool.fetchval("SELECT check_asked_at FROM account"):
            await asyncio.sleep(0.01)
    await kept.proves(server=5)
    [new], asked_at = await asking
    assert (new.server, new.kept, new.quarantined, new.lacking) == (5, 2, 0, 3)
    assert await audit_now(kept.pool, uuid4(), seconds=60) == ([], ANY)


async def test_nobody_waits_for_the_proof_of_a_paused_account(kept: Kept) -> None:
    await kept.pool.execute("UPDATE account SET paused_at = now()")
    [one], asked_at = await audit_now(kept.pool, kept.account_id, seconds=3600)
    assert (one.paused, one.is_since(asked_at)) == (True, False)


async def test_a_mailbox_whose_first_copy_is_not_made_is_not_due(kept: Kept) -> None:
    await kept.pool.execute("UPDATE mailbox SET copied_at = NULL, server_count = 7")
    assert await due(kept) == []
    assert (await standing(kept)).unproven_messages == 7


async def test_a_doubt_makes_a_mailbox_due_after_a_while_and_the_next_proof_ends_it(
    kept: Kept,
) -> None:
    doubt = AuditMailbox(
        tenant_id=kept.tenant_id, account_id=kept.account_id, mailbox_id=kept.mailbox_id
    )
    await kept.proves()
    await ask_audit(doubt, kept.pool)
    assert await due(kept) == []
    wait = await kept.pool.fetchval("SELECT extract(epoch FROM due_at - now())::float FROM audit")
    assert 30 < wait <= 60
    await kept.pool.execute("UPDATE audit SET due_at = now()")
    await ask_audit(doubt, kept.pool)  # another listener, later: the earlier wish counts
    assert await due(kept) == [kept.mailbox_id]
    await kept.proves()
    assert await due(kept) == []
    assert await kept.pool.fetchval("SELECT due_at FROM audit") is None


async def test_a_doubt_that_came_during_the_proof_is_not_ended_by_it(kept: Kept) -> None:
    await ask_audit(
        AuditMailbox(
            tenant_id=kept.tenant_id, account_id=kept.account_id, mailbox_id=kept.mailbox_id
        ),
        kept.pool,
    )
    await kept.proves()
    assert await kept.pool.fetchval("SELECT due_at > now() FROM audit")


async def test_nobody_can_make_another_tenants_mailbox_due(kept: Kept) -> None:
    await kept.proves()
    await ask_audit(
        AuditMailbox(
            tenant_id=uuid4(),
            account_id=kept.account_id,
            mailbox_id=kept.mailbox_id,
            wait_seconds=0,
        ),
        kept.pool,
    )
    assert await due(kept) == []


# --- What is answered -----------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def request_pool(platform: Platform) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(
        platform.database_url("sync_request"), min_size=1, max_size=2
    ) as pool:
        yield pool


def asked(tenant_id: UUID, account_id: UUID, *accounts: UUID) -> ReadProofs:
    return ReadProofs(
        caller=Caller(tenant_id=tenant_id, account_ids=accounts), account_id=account_id
    )


async def test_the_numbers_are_those_of_now_and_the_moment_is_that_of_the_proof(
    kept: Kept, request_pool: Pool
) -> None:
    await kept.keeps(uuid7())
    proof = await kept.proves()
    await kept.keeps(uuid7())
    await kept.quarantines(9)
    await kept.pool.execute("UPDATE mailbox SET server_count = 3")
    answer = await read_proofs(
        asked(kept.tenant_id, kept.account_id, kept.account_id), request_pool
    )
    (one,) = answer.mailboxes
    assert (one.mailbox_id, one.server, one.kept, one.quarantined) == (kept.mailbox_id, 3, 2, 1)
    assert (one.proven_at, one.as_of_revision) == (proof.audited_at, proof.as_of_revision)


async def test_nobody_reads_the_proofs_of_an_account_that_he_may_not_see(
    kept: Kept, request_pool: Pool
) -> None:
    await kept.keeps(uuid7())
    await kept.proves()
    for query in (
        asked(uuid4(), kept.account_id, kept.account_id),
        asked(kept.tenant_id, kept.account_id, uuid4()),
        asked(kept.tenant_id, kept.account_id),
    ):
        assert (await read_proofs(query, request_pool)).mailboxes == ()
    async with request_pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit") == 0


# --- What has been heard --------------------------------------------------------------------------


async def test_what_waits_anywhere_has_not_been_heard(platform: Platform, kept: Kept) -> None:
    quiet = await heard_until(kept.bus, kept.pool)
    await kept.proves()  # a fact that waits in the outbox
    waiting = await heard_until(kept.bus, kept.pool)
    written = await kept.pool.fetchval("SELECT min(written_at) FROM outbox")
    assert quiet is not None
    assert waiting is not None
    assert waiting == written
    await kept.publishes()
    page = MessagesFilled(tenant_id=kept.tenant_id, account_id=kept.account_id, messages=())
    await kept.bus.js.publish(page.channel, encode(page))
    before = await kept.pool.fetchval("SELECT clock_timestamp()")
    in_the_stream = await heard_until(kept.bus, kept.pool)
    assert in_the_stream is not None
    assert quiet < in_the_stream < before
    async with platform.admin_bus() as admin:
        await admin.jetstream().purge_stream("FILL")
    heard = await heard_until(kept.bus, kept.pool)
    assert heard is not None
    assert heard > in_the_stream


# --- What a difference means ----------------------------------------------------------------------


def an_audit(
    *, at: datetime, heard: datetime | None = None, **buckets: tuple[int, int]
) -> MailboxAudited:
    return MailboxAudited(
        tenant_id=uuid4(),
        account_id=uuid4(),
        mailbox_id=uuid4(),
        as_of_revision=1,
        server=0,
        kept=0,
        quarantined=0,
        buckets=pack_buckets((int(n[1:]), Bucket(*one)) for n, one in buckets.items()),
        audited_at=at,
        heard_until=heard,
    )


NOON = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
MINUTE = timedelta(minutes=1)


def test_a_difference_lasts_when_nothing_on_its_way_can_explain_it() -> None:
    first = an_audit(at=NOON, heard=NOON, b7=(2, -5))
    assert apart(first, {7: Bucket(2, -5)}) == []
    assert apart(first, {7: Bucket(1, 3), 9: Bucket(1, 1)}) == [7, 9]
    known, lasts = weigh(first, [7], {})
    assert not lasts
    assert not weigh(first, [7], known)[1], "heard twice"
    again, lasts = weigh(an_audit(at=NOON + MINUTE, heard=NOON + MINUTE, b7=(2, -5)), [7], known)
    assert lasts
    assert again[7].since == NOON


def test_a_difference_does_not_last_while_what_was_told_before_it_waits() -> None:
    known, _ = weigh(an_audit(at=NOON, b7=(2, -5)), [7], {})
    for heard in (None, NOON - MINUTE, NOON):
        later = an_audit(at=NOON + MINUTE, heard=heard, b7=(2, -5))
        assert not weigh(later, [7], known)[1]


def test_a_bucket_that_changed_on_the_server_is_looked_at_anew() -> None:
    known, _ = weigh(an_audit(at=NOON, b7=(2, -5)), [7], {})
    later = an_audit(at=NOON + MINUTE, heard=NOON + MINUTE, b7=(3, 11))
    found, lasts = weigh(later, [7], known)
    assert not lasts
    assert found[7].since == NOON + MINUTE


def test_the_next_look_waits_the_longer_the_older_the_difference() -> None:
    known, _ = weigh(an_audit(at=NOON, b7=(2, -5)), [7], {})
    for minutes, seconds in ((0, 60), (5, 300), (500, 3600)):
        later = an_audit(at=NOON + minutes * MINUTE, b7=(2, -5))
        assert second_look_seconds(later, weigh(later, [7], known)[0]) == seconds


def test_buckets_that_are_none_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="256"):
        unpack_buckets(b"short")
