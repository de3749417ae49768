import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from services.sync.actions.ask_check import ask_check
from services.sync.actions.give_back_slot import give_back_slot
from services.sync.actions.learn_connections import learn_connections
from services.sync.actions.list_quarantine import list_quarantine
from services.sync.actions.note_doing import note_doing
from services.sync.actions.note_signed_in import note_signed_in
from services.sync.actions.note_well import note_well
from services.sync.actions.read_standing import read_standing
from services.sync.actions.rest_account import rest_account
from services.sync.actions.set_profile import set_profile
from services.sync.actions.switch_account import switch_account
from services.sync.actions.take_turn import Wait
from services.sync.domain.budget import budget_of
from services.sync.domain.profile import choose
from services.sync.domain.provider_limits import Limit, LimitKind, Scope
from services.sync.domain.reason import Reason
from services.sync.domain.trouble import Trouble
from services.sync.store import accounts, connections, hosts, quarantine, servers, standing
from services.sync.store.accounts import Account, Doing
from services.sync.store.connections import ANSWER, FILING, Slot
from services.sync.store.quarantine import Case
from services.sync.workers.meter import Meter
from shared.bus import Retry
from shared.contracts.account import AccountState
from shared.contracts.envelope import Caller
from shared.contracts.standing import (
    CheckSync,
    ListQuarantine,
    OwnProfile,
    PauseSync,
    ReadStanding,
    ResumeSync,
    SetSyncProfile,
    Standing,
)
from shared.db import tenant_transaction
from tests.platform import Platform
from tests.sync.standing import Ground, caller_of, ground_of

REFUSED = Trouble(
    state=AccountState.UNREACHABLE,
    reason=Reason.CONNECT_REFUSED,
    server_said="nobody",
    of_host=True,
)
LOST = Trouble(state=AccountState.UNREACHABLE, reason=Reason.CONNECTION_LOST, server_said=None)
WRONG_PASSWORD = Trouble(
    state=AccountState.AUTH_FAILED, reason=Reason.AUTH_FAILED, server_said="no"
)
THROTTLED = Trouble(
    state=AccountState.UNREACHABLE,
    reason=Reason.RATE_LIMITED,
    server_said="Suggested Backoff Time: 300000 milliseconds",
    limit=Limit(kind=LimitKind.COMMANDS, retry_after_seconds=300.0),
)
TOO_MANY = Trouble(
    state=AccountState.UNREACHABLE,
    reason=Reason.TOO_MANY_CONNECTIONS,
    server_said="Too many simultaneous connections",
    limit=Limit(kind=LimitKind.CONNECTIONS),
)


@pytest_asyncio.fixture(loop_scope="session")
async def ground(platform: Platform, tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground_of(platform, tmp_path / "keys") as ground:
        yield ground


async def stands(ground: Ground, account: Account) -> Standing:
    answer = await read_standing(
        ReadStanding(caller=caller_of(account), account_id=account.account_id),
        ground.settings,
        ground.request_pool,
    )
    assert answer.standing is not None
    return answer.standing


async def pauses(ground: Ground, account: Account, version: int) -> bool:
    command = PauseSync(tenant_id=account.tenant_id, account_id=account.account_id, version=version)
    return await switch_account(command, ground.pool)


async def resumes(ground: Ground, account: Account, version: int) -> bool:
    command = ResumeSync(
        tenant_id=account.tenant_id, account_id=account.account_id, version=version
    )
    return await switch_account(command, ground.pool)


# --- Connections ----------------------------------------------------------------------------------


async def test_an_account_has_at_most_its_connections_and_one_is_kept_for_answering(
    ground: Ground,
) -> None:
    account, replica = await ground.account(), await ground.replica()
    for _ in range(3):
        await ground.slot(account, replica)
    waits = await ground.turn(account, replica)
    assert isinstance(waits, Wait)
    assert waits.reason == Reason.TOO_MANY_CONNECTIONS
    answering = await ground.slot(account, replica, ANSWER)
    assert isinstance(await ground.turn(account, replica, ANSWER), Wait)
    assert (await stands(ground, account)).connections == 4
    await give_back_slot(answering, ground.pool)
    await ground.slot(account, replica, ANSWER)


async def test_who_files_a_copy_takes_any_connection_that_is_free_the_answering_ones_last(
    ground: Ground,
) -> None:
    account, replica, other = await ground.account(), await ground.replica(), await ground.replica()
    filing = [await ground.slot(account, replica, FILING) for _ in range(4)]
    assert [slot.number for slot in filing] == [4, 3, 2, 1]
    assert isinstance(await ground.turn(account, other, FILING), Wait)
    # It files one account's copies at a time: what it still holds was left over.
    again = await ground.turn(account, replica, FILING, alone=True)
    assert isinstance(again, Slot)


async def test_many_who_claim_at_once_never_share_a_connection(ground: Ground) -> None:
    account = await ground.account()
    replicas = [await ground.replica() for _ in range(8)]
    turns = await asyncio.gather(*(ground.turn(account, replica) for replica in replicas))
    slots = [turn for turn in turns if isinstance(turn, Slot)]
    assert sorted(slot.number for slot in slots) == [2, 3, 4]


async def test_what_a_dead_replica_held_is_free(ground: Ground) -> None:
    account, dead, alive = await ground.account(), await ground.replica(), await ground.replica()
    held = [await ground.slot(account, dead) for _ in range(3)]
    assert isinstance(await ground.turn(account, alive), Wait)
    await ground.dies(dead)
    assert (await stands(ground, account)).connections == 0
    taken = [await ground.slot(account, alive) for _ in range(3)]
    # What the dead one would still give back is no longer its own.
    await give_back_slot(held[0], ground.pool)
    assert (await stands(ground, account)).connections == 3
    async with ground.pool.acquire() as connection:
        await connections.release_all(connection, alive)
    assert taken
    assert (await stands(ground, account)).connections == 0


async def test_what_a_replica_could_not_give_back_it_gives_back_when_it_comes_again(
    ground: Ground,
) -> None:
    account, replica = await ground.account(), await ground.replica()
    answering = await ground.slot(account, replica, ANSWER)
    for _ in range(10):
        assert isinstance(await ground.turn(account, replica, alone=True), Slot)
    await ground.slot(account, replica)
    assert (await stands(ground, account)).connections == 3
    await give_back_slot(answering, ground.pool)
    assert (await stands(ground, account)).connections == 2


async def test_a_server_that_refuses_the_third_connection_is_asked_for_two_for_a_day(
    ground: Ground,
) -> None:
    account, replica = await ground.account(), await ground.replica()
    await ground.slot(account, replica)
    await ground.slot(account, replica, ANSWER)
    refused = await ground.slot(account, replica)
    await learn_connections(account, refused, ground.pool)
    assert isinstance(await ground.turn(account, replica), Wait)
    assert (await stands(ground, account)).connections_allowed == 2
    await ground.time_passes(25 * 3600)
    assert (await stands(ground, account)).connections_allowed == 4
    await ground.slot(account, replica)


async def test_where_only_one_connection_is_allowed_both_roles_take_it_in_turn(
    ground: Ground,
) -> None:
    account, replica = await ground.account(), await ground.replica()
    await rest_account(
        account, TOO_MANY, await ground.slot(account, replica), ground.settings, ground.pool
    )
    async with ground.pool.acquire() as connection:
        await connections.release_all(connection, replica)
    await note_well(account, ground.pool)
    assert (await stands(ground, account)).connections_allowed == 1
    listening = await ground.slot(account, replica)
    assert isinstance(await ground.turn(account, replica, ANSWER), Wait)
    waits = await ground.turn(account, replica, FILING)
    assert isinstance(waits, Wait)
    assert waits.for_the_only
    await give_back_slot(listening, ground.pool)
    await ground.slot(account, replica, ANSWER)


# --- Resting --------------------------------------------------------------------------------------


async def test_an_account_in_trouble_rests_longer_each_time_whoever_takes_it_over(
    ground: Ground,
) -> None:
    account = await ground.account()
    trouble = Trouble(state=AccountState.UNREACHABLE, reason=Reason.NOT_IMAP, server_said=None)
    seconds = [
        (await rest_account(account, trouble, None, ground.settings, ground.pool)).seconds
        for _ in range(12)
    ]
    assert seconds[0] <= 5.0
    assert seconds[5] > 60.0
    assert 300.0 <= seconds[-1] <= 600.0
    waits = await ground.turn(account, await ground.replica())
    assert isinstance(waits, Wait)
    assert waits.reason == Reason.NOT_IMAP
    await note_well(account, ground.pool)
    await ground.slot(account, await ground.replica())
    again = await rest_account(account, trouble, None, ground.settings, ground.pool)
    assert again.seconds <= 5.0


async def test_a_connection_that_is_lost_once_is_nothing_to_tell(ground: Ground) -> None:
    account = await ground.account()
    first = await rest_account(account, LOST, None, ground.settings, ground.pool)
    assert not first.worth_telling
    assert first.seconds < 1.0
    second = await rest_account(account, LOST, None, ground.settings, ground.pool)
    assert second.worth_telling


async def test_a_new_password_waits_for_nothing_that_the_old_one_waited_for(
    ground: Ground,
) -> None:
    account, replica = await ground.account(), await ground.replica()
    rested = await rest_account(account, WRONG_PASSWORD, None, ground.settings, ground.pool)
    assert rested.seconds >= 0.9 * ground.settings.auth_retry_seconds
    assert isinstance(await ground.turn(account, replica), Wait)
    changed = await ground.account(
        account_id=account.account_id, tenant_id=account.tenant_id, version=2
    )
    await ground.slot(changed, replica)
    # What is still said of the old settings is of no interest.
    await rest_account(changed, WRONG_PASSWORD, None, ground.settings, ground.pool)
    await rest_account(account, THROTTLED, None, ground.settings, ground.pool)
    waits = await ground.turn(changed, replica)
    assert isinstance(waits, Wait)
    assert waits.reason == Reason.AUTH_FAILED


async def test_who_asks_for_a_look_does_not_wait_for_us_but_for_the_server(
    ground: Ground,
) -> None:
    account, replica = await ground.account(), await ground.replica()
    command = CheckSync(tenant_id=account.tenant_id, account_id=account.account_id)
    assert await ask_check(command, ground.pool)
    await rest_account(account, WRONG_PASSWORD, None, ground.settings, ground.pool)
    assert isinstance(await ground.turn(account, replica), Wait)
    assert await ask_check(command, ground.pool)
    slot = await ground.slot(account, replica)
    # Once: the try that follows has been made, in vain.
    await rest_account(account, WRONG_PASSWORD, slot, ground.settings, ground.pool)
    await give_back_slot(slot, ground.pool)
    assert isinstance(await ground.turn(account, replica), Wait)

    rested = await rest_account(account, THROTTLED, None, ground.settings, ground.pool)
    assert rested.seconds >= 300.0
    await ask_check(command, ground.pool)
    waits = await ground.turn(account, replica)
    assert isinstance(waits, Wait)
    assert waits.until > datetime.now(UTC) + timedelta(seconds=250)


async def test_a_look_that_is_asked_for_is_heard_of_by_the_replica_that_keeps_the_account(
    ground: Ground,
) -> None:
    account, other, replica = await ground.account(), uuid4(), await ground.replica()
    await ground.leases_of(replica)
    before = datetime.now(UTC) - timedelta(seconds=1)
    async with ground.pool.acquire() as connection:
        assert await standing.checks_asked(connection, replica) == {}
        assert not await standing.check_asked_since(connection, account.account_id, before)
        await ask_check(
            CheckSync(tenant_id=account.tenant_id, account_id=account.account_id), ground.pool
        )
        asked = await standing.checks_asked(connection, replica)
        assert asked.keys() == {account.account_id}
        assert await standing.checks_asked(connection, other) == {}
        assert await standing.check_asked_since(connection, account.account_id, before)
        assert not await standing.check_asked_since(
            connection, account.account_id, asked[account.account_id]
        )
    stranger = CheckSync(tenant_id=uuid4(), account_id=account.account_id)
    assert not await ask_check(stranger, ground.pool)


# --- Hosts ----------------------------------------------------------------------------------------


async def test_a_host_that_is_down_is_called_by_one_account_and_then_by_all(
    ground: Ground,
) -> None:
    replica = await ground.replica()
    first, second, third = [await ground.account() for _ in range(3)]
    elsewhere = await ground.account("imap.example.net")
    await rest_account(first, REFUSED, None, ground.settings, ground.pool)
    waits = await ground.turn(second, replica)
    assert isinstance(waits, Wait)
    assert waits.of_host
    assert waits.reason == Reason.CONNECT_REFUSED
    assert (await stands(ground, second)).connections == 0
    assert (await stands(ground, second)).resting_reason == Reason.CONNECT_REFUSED
    await ground.slot(elsewhere, replica)
    # Told once, by whoever keeps it.
    lease = (await ground.leases_of(replica))[second.account_id]
    doing = Doing(state=AccountState.UNREACHABLE, reason=waits.reason)
    assert await note_doing(lease, doing, ground.pool)
    again = await ground.turn(second, replica)
    assert isinstance(again, Wait)
    assert not again.of_host

    await ground.time_passes(10)
    probing = await ground.slot(second, replica)
    for other in (first, third):
        assert isinstance(await ground.turn(other, replica), Wait)
    await note_signed_in(
        second, "1.0", ground.pool, chosen=choose(second.endpoint.host), server_name=None
    )
    await give_back_slot(probing, ground.pool)
    for account in (first, third):
        await ground.slot(account, replica)


async def test_a_probe_that_is_never_heard_of_again_is_followed_by_another(
    ground: Ground,
) -> None:
    replica = await ground.replica()
    first, second = await ground.account(), await ground.account()
    await rest_account(first, REFUSED, None, ground.settings, ground.pool)
    await ground.time_passes(10)
    await ground.slot(first, replica)
    assert isinstance(await ground.turn(second, replica), Wait)
    await ground.time_passes(ground.settings.command_seconds + 1)
    await ground.slot(second, replica)


async def test_a_thousand_accounts_that_find_a_host_down_count_as_one(ground: Ground) -> None:
    async with ground.pool.acquire() as connection:
        for _ in range(50):
            await hosts.note_trouble(
                connection, "imap.example.org", 993, reason="connect_refused", pause_seconds=5.0
            )
        async with connection.transaction():
            rest = await hosts.rests(connection, "imap.example.org", 993)
        assert rest is not None
        assert rest.failures == 1
        await ground.time_passes(6)
        await hosts.note_trouble(
            connection, "imap.example.org", 993, reason="connect_refused", pause_seconds=10.0
        )
        async with connection.transaction():
            rest = await hosts.rests(connection, "imap.example.org", 993)
        assert rest is not None
        assert rest.failures == 2


async def test_a_wrong_password_or_a_limit_of_one_account_never_rests_its_host(
    ground: Ground,
) -> None:
    first, second, replica = await ground.account(), await ground.account(), await ground.replica()
    for trouble in (WRONG_PASSWORD, THROTTLED, TOO_MANY, LOST):
        await rest_account(first, trouble, None, ground.settings, ground.pool)
    await ground.slot(second, replica)
    assert await ground.admin.fetchval("SELECT count(*) FROM sync.host_rest") == 0


async def test_a_host_that_allows_no_more_connections_rests_as_long_as_it_asked(
    ground: Ground,
) -> None:
    first, second, replica = await ground.account(), await ground.account(), await ground.replica()
    trouble = Trouble(
        state=AccountState.UNREACHABLE,
        reason=Reason.TOO_MANY_CONNECTIONS,
        server_said="Too many connections from your IP, try again in 120 seconds",
        limit=Limit(kind=LimitKind.CONNECTIONS, scope=Scope.HOST, retry_after_seconds=120.0),
        of_host=True,
    )
    await rest_account(first, trouble, None, ground.settings, ground.pool)
    waits = await ground.turn(second, replica)
    assert isinstance(waits, Wait)
    assert waits.until > datetime.now(UTC) + timedelta(seconds=100)
    assert (await stands(ground, first)).connections_allowed == 4


# --- Pausing --------------------------------------------------------------------------------------


async def test_pausing_wins_over_everything_and_lasts(ground: Ground) -> None:
    account, replica = await ground.account(), await ground.replica()
    lease = (await ground.leases_of(replica))[account.account_id]
    assert await pauses(ground, account, 1)
    assert not await note_doing(lease, Doing(state=AccountState.LIVE), ground.pool)
    assert (await stands(ground, account)).state is AccountState.PAUSED
    assert await ground.leases_of(replica) == {}
    # A replica that begins anew leaves it alone, too.
    await ground.dies(replica)
    assert await ground.leases_of(await ground.replica()) == {}
    changed = await ground.account(
        account_id=account.account_id, tenant_id=account.tenant_id, version=2
    )
    shown = await stands(ground, changed)
    assert (shown.state, shown.reason, shown.paused) == (
        AccountState.PAUSED,
        Reason.PAUSED_BY_OWNER,
        True,
    )


async def test_a_pause_that_commits_while_a_keeper_is_about_to_tell_still_wins(
    ground: Ground,
) -> None:
    account, replica = await ground.account(), await ground.replica()
    lease = (await ground.leases_of(replica))[account.account_id]
    paused = Doing(state=AccountState.PAUSED)
    async with ground.pool.acquire() as connection, connection.transaction():
        ids = (account.account_id, account.tenant_id)
        await standing.pause(connection, *ids, 1)
        revision = await accounts.next_revision(connection, account.account_id)
        await accounts.put_doing(connection, *ids, paused, revision)
        telling = asyncio.create_task(
            note_doing(lease, Doing(state=AccountState.LIVE), ground.pool)
        )
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await ground.admin.fetchval(waiting):
            assert not telling.done()
    assert not await telling
    assert (await stands(ground, account)).state is AccountState.PAUSED


async def test_a_resumed_account_is_kept_again(ground: Ground) -> None:
    account, replica = await ground.account(), await ground.replica()
    await pauses(ground, account, 1)
    assert await resumes(ground, account, 2)
    assert (await stands(ground, account)).state is AccountState.CONNECTING
    assert (await ground.leases_of(replica)).keys() == {account.account_id}


async def test_of_pauses_and_resumptions_in_any_order_the_newest_counts(ground: Ground) -> None:
    account = await ground.account()
    assert await resumes(ground, account, 2)
    assert not await pauses(ground, account, 1)
    assert (await stands(ground, account)).state is AccountState.CONNECTING
    assert await pauses(ground, account, 3)
    assert not await pauses(ground, account, 3)
    assert not await resumes(ground, account, 2)
    assert (await stands(ground, account)).paused
    # Told once each: connected, paused.
    assert await ground.told() == ["mail.account.changed"] * 2


async def test_a_pause_that_overtakes_the_connection_is_obeyed_later(ground: Ground) -> None:
    early = PauseSync(tenant_id=uuid4(), account_id=uuid4(), version=1)
    with pytest.raises(Retry):
        await switch_account(early, ground.pool)


async def test_nobody_pauses_another_tenants_account_or_one_that_was_removed(
    ground: Ground,
) -> None:
    account = await ground.account()
    stranger = PauseSync(tenant_id=uuid4(), account_id=account.account_id, version=1)
    with pytest.raises(Retry):
        await switch_account(stranger, ground.pool)
    async with ground.pool.acquire() as connection, connection.transaction():
        await accounts.remove(connection, account.account_id, account.tenant_id)
    assert not await pauses(ground, account, 2)


# --- Budgets --------------------------------------------------------------------------------------


async def test_what_is_used_is_counted_by_all_replicas_together_and_by_day(
    ground: Ground,
) -> None:
    account = await ground.account("imap.gmail.com")
    budget = budget_of(choose("imap.gmail.com"), connections=4)
    here, there = Meter(account, budget, ground.pool), Meter(account, budget, ground.pool)
    here.count(bytes=1_200_000_000, commands=10)
    assert await here.filling_rests_until() is None
    there.count(bytes=900_000_000, commands=5)
    until = await there.filling_rests_until()
    assert until is not None
    await there.write(now=True)
    shown = await stands(ground, account)
    assert (shown.bytes_today, shown.commands_today) == (2_100_000_000, 15)
    assert shown.bytes_allowed == 2_500_000_000
    assert shown.filling_rests_until == shown.renews_at == until
    await ground.admin.execute("UPDATE sync.account_use SET day = day - 1")
    assert (await stands(ground, account)).bytes_today == 0
    async with ground.pool.acquire() as connection:
        await standing.forget_old_use(connection, 0)
    assert await ground.admin.fetchval("SELECT count(*) FROM sync.account_use") == 0


async def test_an_idle_account_writes_nothing_down(ground: Ground) -> None:
    account = await ground.account()
    meter = Meter(account, budget_of(choose("imap.example.org"), connections=4), ground.pool)
    meter.count(bytes=10)
    await meter.write(now=True)
    version = "SELECT xmin::text FROM sync.account_use"
    written = await ground.admin.fetchval(version)
    await meter.write(now=True)
    assert await ground.admin.fetchval(version) == written


# --- Quarantine -----------------------------------------------------------------------------------


async def quarantines(ground: Ground, account: Account, *cases: Case, release: str = "1.0") -> None:
    mailbox_id = account.account_id  # any
    async with ground.pool.acquire() as connection:
        await quarantine.put(
            connection, account.tenant_id, account.account_id, mailbox_id, cases, release
        )


async def test_what_could_not_be_kept_is_tried_again_by_the_next_release_only(
    ground: Ground,
) -> None:
    account = await ground.account()
    await quarantines(ground, account, Case(uid=7, reason="too_large", size_bytes=99))
    await quarantines(ground, account, Case(uid=3, reason="missing"))
    async with ground.pool.acquire() as connection:
        assert await quarantine.retry(connection, account.account_id, "1.0") == 0
        assert await quarantine.retry(connection, account.account_id, "1.1") == 2
        await quarantines(ground, account, Case(uid=7, reason="too_large"), release="1.1")
        assert await quarantine.forget(connection, account.account_id, [3, 4]) == 1
        assert await quarantine.retry(connection, account.account_id, "1.1") == 0
    row = await ground.admin.fetchrow("SELECT * FROM sync.quarantine")
    assert row is not None
    assert (row["uid"], row["attempts"], row["size_bytes"]) == (7, 2, 99)
    assert row["last_tried_at"] > row["noticed_at"]


async def test_an_upgrade_makes_the_quarantine_owed_once_and_leaves_it_listed(
    ground: Ground,
) -> None:
    account, other = await ground.account(), await ground.account()
    mailbox_id = account.account_id
    await ground.admin.execute(
        """
        INSERT INTO sync.mailbox (mailbox_id, tenant_id, account_id, path, raw_name, selectable,
                                  revision, covered)
        VALUES ($1, $2, $3, 'INBOX', 'INBOX', true, 1, '{[1,100)}')
        """,
        mailbox_id,
        account.tenant_id,
        account.account_id,
    )
    cases = [Case(uid=uid, reason="missing") for uid in (3, 4, 7)]
    await quarantines(ground, account, *cases)
    await quarantines(ground, other, Case(uid=9, reason="missing"))
    async with ground.pool.acquire() as connection:
        assert await quarantine.retry(connection, account.account_id, "1.0") == 0
        assert await quarantine.retry(connection, account.account_id, "1.1") == 3
        covered = "SELECT covered::text FROM sync.mailbox"
        assert await ground.admin.fetchval(covered) == "{[1,3),[5,7),[8,100)}"
        assert await quarantine.retry(connection, account.account_id, "1.1") == 0
        assert await quarantine.uids_of(connection, mailbox_id) == {3, 4, 7}
        assert await quarantine.retry(connection, other.account_id, "1.1") == 1
    assert (await stands(ground, account)).quarantined == 3


async def test_the_quarantine_is_listed_page_by_page_newest_first(ground: Ground) -> None:
    account, other = await ground.account(), await ground.account()
    for uid in range(1, 6):
        await quarantines(ground, account, Case(uid=uid, reason="missing", detail=str(uid)))
    await quarantines(ground, account, Case(uid=9, reason="too_large", detail="9\0"))
    await quarantines(ground, other, Case(uid=1, reason="missing"))
    seen: list[str] = []
    after = None
    while True:
        answer = await list_quarantine(
            ListQuarantine(
                caller=caller_of(account), account_id=account.account_id, limit=4, after=after
            ),
            ground.request_pool,
        )
        seen += [message.detail for message in answer.messages]
        totals = [(total.reason, total.count) for total in answer.totals]
        assert totals == [("missing", 5), ("too_large", 1)]
        if not answer.more:
            break
        last = answer.messages[-1]
        after = (last.noticed_at, last.quarantine_id)
    assert seen == ["9", "5", "4", "3", "2", "1"]


async def test_nobody_sees_how_another_tenants_account_stands(ground: Ground) -> None:
    mine, theirs = await ground.account(), await ground.account("imap.example.net")
    await quarantines(ground, theirs, Case(uid=1, reason="missing"))
    await rest_account(theirs, REFUSED, None, ground.settings, ground.pool)
    for caller in (
        caller_of(mine),
        Caller(tenant_id=theirs.tenant_id, account_ids=()),
        Caller(tenant_id=mine.tenant_id, account_ids=(theirs.account_id,)),
    ):
        answer = await read_standing(
            ReadStanding(caller=caller, account_id=theirs.account_id),
            ground.settings,
            ground.request_pool,
        )
        assert answer.standing is None
        assert answer.problem is not None
        assert answer.problem.code == "not_found"
        page = await list_quarantine(
            ListQuarantine(caller=caller, account_id=theirs.account_id), ground.request_pool
        )
        assert (page.messages, page.totals) == ((), ())


async def test_who_acts_for_callers_cannot_read_uids_passwords_or_other_servers(
    ground: Ground,
) -> None:
    mine, theirs = await ground.account(), await ground.account("imap.example.net")
    await rest_account(theirs, REFUSED, None, ground.settings, ground.pool)
    async with tenant_transaction(ground.request_pool, caller_of(mine)) as connection:
        assert await connection.fetch("SELECT host FROM host_rest") == []
    for query in ("SELECT uid FROM quarantine", "SELECT sealed FROM account"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ground.request_pool.fetch(query)


async def test_nothing_of_how_it_stood_is_left_of_a_removed_account(ground: Ground) -> None:
    account, replica = await ground.account(), await ground.replica()
    await ground.slot(account, replica)
    await rest_account(account, THROTTLED, None, ground.settings, ground.pool)
    await quarantines(ground, account, Case(uid=1, reason="missing"))
    meter = Meter(account, budget_of(choose("imap.example.org"), connections=4), ground.pool)
    meter.count(bytes=1)
    await meter.write()
    async with ground.pool.acquire() as connection:
        async with connection.transaction():
            await accounts.remove(connection, account.account_id, account.tenant_id)
        while await accounts.forget_some(connection, account.account_id, 100):
            pass
    for table in ("account_rest", "account_use", "connection_slot", "quarantine"):
        assert await ground.admin.fetchval(f"SELECT count(*) FROM sync.{table}") == 0, table


# --- Profiles -------------------------------------------------------------------------------------


async def test_an_account_says_whose_server_it_is_on_and_why(ground: Ground) -> None:
    account = await ground.account("imap.gmail.com")
    shown = await stands(ground, account)
    assert shown.profile is not None
    assert (shown.profile.provider, shown.profile.chosen_by) == ("google", "host")
    assert (shown.profile.files_sent, shown.profile.files_sent_is_learnt) == (True, False)
    assert (shown.bytes_by, shown.connections_by) == ("provider", "operator")


async def test_a_server_known_by_what_it_says_is_used_as_its_provider_allows(
    ground: Ground,
) -> None:
    account = await ground.account("mail.example.org")
    await note_signed_in(
        account,
        "1.0",
        ground.pool,
        chosen=choose("mail.example.org", "GImap"),
        server_name="GImap\0",
    )
    shown = await stands(ground, account)
    assert shown.profile is not None
    assert (shown.profile.provider, shown.profile.chosen_by) == ("google", "server_id")
    assert shown.profile.server_name == "GImap"
    assert shown.bytes_allowed == 2_500_000_000


async def test_what_was_learnt_of_a_server_outweighs_its_profile_and_ends_with_it(
    ground: Ground,
) -> None:
    account = await ground.account("imap.gmail.com")
    await note_signed_in(
        account, "1.0", ground.pool, chosen=choose("imap.gmail.com"), server_name=None
    )
    async with ground.pool.acquire() as connection:
        await servers.note_filing(connection, account, files_sent=False)
    profile = (await stands(ground, account)).profile
    assert profile is not None
    assert (profile.files_sent, profile.files_sent_is_learnt) == (False, True)
    moved = await ground.account(
        "mail.example.org", account_id=account.account_id, tenant_id=account.tenant_id, version=2
    )
    profile = (await stands(ground, moved)).profile
    assert profile is not None
    assert (profile.provider, profile.files_sent) == (None, None)


async def says(ground: Ground, account: Account, version: int, **said: Any) -> bool:
    command = SetSyncProfile(
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        version=version,
        own=OwnProfile(**said),
    )
    return await set_profile(command, ground.pool)


async def test_who_knows_a_server_better_is_believed(ground: Ground) -> None:
    account = await ground.account("imap.gmail.com")
    async with ground.pool.acquire() as connection:
        await servers.note_filing(connection, account, files_sent=True)
    assert await says(ground, account, 1, connections=2, bytes_per_day=7, files_sent=False)
    shown = await stands(ground, account)
    assert shown.profile is not None
    assert (shown.connections_allowed, shown.connections_by) == (2, "account")
    assert (shown.bytes_allowed, shown.bytes_by) == (7, "account")
    assert (shown.profile.files_sent, shown.profile.files_sent_is_learnt) == (False, False)
    assert shown.profile.own.bytes_per_day == 7
    first, second = await ground.replica(), await ground.replica()
    await ground.slot(account, first)
    assert isinstance(await ground.turn(account, second), Wait), "one is kept for opening"
    async with ground.pool.acquire() as connection:
        server = await servers.learnt(connection, account.account_id, "imap.gmail.com", 1)
    assert server.files_by_itself is False


async def test_what_was_said_is_taken_back(ground: Ground) -> None:
    account = await ground.account("mail.example.org")
    await says(ground, account, 1, provider="google")
    shown = await stands(ground, account)
    assert shown.profile is not None
    assert (shown.profile.provider, shown.profile.chosen_by) == ("google", "account")
    assert shown.bytes_by == "provider"
    assert await says(ground, account, 2)
    shown = await stands(ground, account)
    assert shown.profile is not None
    assert (shown.profile.provider, shown.bytes_allowed) == (None, None)


async def test_of_two_words_on_a_server_the_newer_counts(ground: Ground) -> None:
    account = await ground.account("mail.example.org")
    assert await says(ground, account, 2, connections=2)
    assert not await says(ground, account, 1, connections=3)
    assert (await stands(ground, account)).connections_allowed == 2


async def test_a_word_on_a_server_that_is_not_known_yet_waits(ground: Ground) -> None:
    account = await ground.account("mail.example.org")
    unknown = msgspec.structs.replace(account, account_id=uuid4())
    with pytest.raises(Retry):
        await says(ground, unknown, 1, connections=2)


async def test_who_keeps_an_account_begins_anew_with_what_was_said(ground: Ground) -> None:
    account, replica = await ground.account("mail.example.org"), await ground.replica()
    before = (await ground.leases_of(replica))[account.account_id]
    await says(ground, account, 1, idle_seconds=60)
    after = (await ground.leases_of(replica))[account.account_id]
    assert after != before, "so the session of before ends"
    assert after.fence == before.fence
    chosen = await note_signed_in(
        account, "1.0", ground.pool, chosen=choose("mail.example.org"), server_name=None
    )
    assert chosen.profile.idle_seconds == 60
