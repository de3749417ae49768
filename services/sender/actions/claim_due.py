"""Take in hand what is due, as much of each account as it is its turn."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.sender import store
from services.sender.domain import day, pace
from services.sender.domain.pace import Limits
from services.sender.domain.submission import (
    Submission,
    after_claim,
    after_refusal_of_all,
    after_suppression,
)
from services.sender.domain.telling import pages_of
from services.sender.domain.turns import Sender
from shared.bus import tell
from shared.db import Connection, Pool, in_transaction


@dataclass(frozen=True, slots=True)
class Due:
    """A submission in hand, and what its attempt needs."""

    submission: Submission
    account: store.Account
    mime: bytes | None  # None: long, read when it is needed


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was taken, and the accounts that have nothing more for now."""

    due: Sequence[Due]
    exhausted: frozenset[Sender]


async def claim_due(
    wanted: Mapping[Sender, int],
    *,
    owner: UUID,
    lease: timedelta,
    per_account: int,
    limits: Limits,
    pool: Pool,
) -> Claimed:
    """Take these under a lease and tell that they are being sent.

    What comes too soon after others of its account is put off until its moment.
    """

    async def work(connection: Connection) -> Claimed:
        claimed = await store.claim(connection, owner, wanted, lease, per_account=per_account)
        exhausted = _exhausted(wanted, claimed)
        if not claimed:
            return Claimed((), exhausted)
        now = datetime.now(UTC)
        too_soon = await _too_soon(connection, claimed, limits, now) if limits else {}
        going = await _without_suppressed(
            connection, [one for one in claimed if one.submission_id not in too_soon]
        )
        accounts = await store.accounts(connection, {one.account_id for one in going})
        going = await _today(connection, going, accounts, now)
        begun = [after_claim(one, now=now) for one in going]
        await store.begin(connection, begun)
        mimes = await store.short_mimes(connection, begun)
        await tell(connection, *pages_of(one.told() for one in begun))
        return Claimed(
            [
                Due(
                    one,
                    accounts[Sender(one.tenant_id, one.account_id)],
                    mimes.get(one.submission_id),
                )
                for one in begun
            ],
            exhausted,
        )

    return await in_transaction(pool, work)


async def _without_suppressed(
    connection: Connection, claimed: Sequence[Submission]
) -> list[Submission]:
    """Those that are left when nothing is sent to whom the tenant sends nothing.

    A submission that goes to nobody else has failed, and is told so.
    """
    suppressed = await store.suppressed(connection, claimed)
    if not suppressed:
        return list(claimed)
    going: list[Submission] = []
    ended: list[Submission] = []
    for one in claimed:
        after = after_suppression(one, suppressed.get(one.submission_id, frozenset()))
        if after.open_recipients:
            going.append(after)
        else:
            ended.append(after_refusal_of_all(after, reason="suppressed"))
    await store.put_fates(connection, going)
    await store.put_states(connection, ended)
    await tell(connection, *pages_of(one.told() for one in ended))
    return going


async def _today(
    connection: Connection,
    claimed: Sequence[Submission],
    accounts: Mapping[Sender, store.Account],
    now: datetime,
) -> list[Submission]:
    """Those that may go today. The others are given a day to come, and it is told.

    A place is taken once in a day, however often a message is tried on it.
    """
    today = now.date()
    of_account: defaultdict[Sender, list[Submission]] = defaultdict(list)
    for one in claimed:
        of_account[Sender(one.tenant_id, one.account_id)].append(one)
    # Held, so that who raises a limit meanwhile finds whoever is given a day by the one of before.
    held = await store.hold_accounts(
        connection, [one.account_id for one in accounts.values() if one.messages_per_day]
    )
    limited = {
        sender: account.messages_per_day
        for sender, account in held.items()
        if account.messages_per_day
    }
    given: dict[UUID, Submission] = {}
    for sender, per_day in sorted(limited.items(), key=lambda each: each[0].account_id):
        want = day.without_place(of_account[sender], today)
        days = await store.take_days(connection, sender, len(want), per_day=per_day, today=today)
        given |= {
            one.submission_id: day.placed(one, on) for one, on in zip(want, days, strict=True)
        }
    await store.put_days(connection, given.values())
    after = [given.get(one.submission_id, one) for one in claimed]
    put_off = [
        day.after_spent_day(one)
        for one in after
        if Sender(one.tenant_id, one.account_id) in limited and day.waits(one, now)
    ]
    await store.put_states(connection, put_off)
    await tell(connection, *pages_of(one.told() for one in put_off))
    waiting = {one.submission_id for one in put_off}
    return [one for one in after if one.submission_id not in waiting]


async def _too_soon(
    connection: Connection, claimed: Sequence[Submission], limits: Limits, now: datetime
) -> dict[UUID, datetime]:
    wanted = pace.wanted(claimed, limits)
    first = await store.reserve(connection, wanted, [limits.interval(lane) for lane in wanted])
    slots = pace.slots(claimed, first, limits, now)
    await store.give_slots(connection, slots)
    return slots


def _exhausted(wanted: Mapping[Sender, int], claimed: Sequence[Submission]) -> frozenset[Sender]:
    taken: dict[Sender, int] = {}
    for one in claimed:
        sender = Sender(one.tenant_id, one.account_id)
        taken[sender] = taken.get(sender, 0) + 1
    return frozenset(sender for sender, count in wanted.items() if taken.get(sender, 0) < count)
