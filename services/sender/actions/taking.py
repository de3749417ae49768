"""Taking due submissions in hand, whoever found them due."""

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
from services.sender.domain.turns import Sender
from shared.contracts.submission import SubmissionChanged
from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Due:
    """A submission in hand, and what its attempt needs."""

    submission: Submission
    account: store.Account
    mime: bytes | None  # None: long, read when it is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """In whose hand, for how long without a sign of life, and how many how fast."""

    owner: UUID
    lease: timedelta
    per_account: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class Taken:
    """What was due, what of it is in hand now, and what is to be told of it."""

    found: Sequence[Submission]
    due: Sequence[Due]
    changes: Sequence[SubmissionChanged]


async def take(connection: Connection, wanted: Mapping[Sender, int], terms: Terms) -> Taken:
    """Take up to so many of each account, its oldest first, under a lease.

    What comes too soon after others of its account is put off until its moment.
    """
    found = await store.hold_due(connection, wanted, per_account=terms.per_account)
    if not found:
        return Taken((), (), ())
    now = datetime.now(UTC)
    # One that is removed meanwhile is left to its removal, with all that waits.
    accounts = await store.hold_accounts(connection, {one.account_id for one in found})
    ours = [one for one in found if _sender_of(one) in accounts]
    too_soon = await _too_soon(connection, ours, terms.limits, now) if terms.limits else {}
    going, ended = await _without_suppressed(
        connection, [one for one in ours if one.submission_id not in too_soon]
    )
    going, put_off = await _today(connection, going, accounts, now)
    begun = [after_claim(one, now=now) for one in going]
    mimes = await store.begin(connection, begun, terms.owner, terms.lease)
    return Taken(
        found,
        [Due(one, accounts[_sender_of(one)], mimes.get(one.submission_id)) for one in begun],
        [one.told() for one in (*ended, *put_off, *begun)],
    )


def _sender_of(submission: Submission) -> Sender:
    return Sender(submission.tenant_id, submission.account_id)


async def _without_suppressed(
    connection: Connection, claimed: Sequence[Submission]
) -> tuple[list[Submission], list[Submission]]:
    """Those that are left when nothing is sent to whom the tenant sends nothing.

    And those that go to nobody else: they have failed.
    """
    suppressed = await store.suppressed(connection, claimed)
    if not suppressed:
        return list(claimed), []
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
    return going, ended


async def _today(
    connection: Connection,
    claimed: Sequence[Submission],
    accounts: Mapping[Sender, store.Account],
    now: datetime,
) -> tuple[list[Submission], list[Submission]]:
    """Those that may go today. And the others: they are given a day to come.

    A place is taken once in a day, however often a message is tried on it. The accounts are held,
    so that who raises a limit meanwhile finds whoever is given a day by the one of before.
    """
    today = now.date()
    of_account: defaultdict[Sender, list[Submission]] = defaultdict(list)
    for one in claimed:
        of_account[_sender_of(one)].append(one)
    limited = {
        sender: per_day for sender in of_account if (per_day := accounts[sender].messages_per_day)
    }
    if not limited:
        return list(claimed), []
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
        if _sender_of(one) in limited and day.waits(one, now)
    ]
    await store.put_states(connection, put_off)
    waiting = {one.submission_id for one in put_off}
    return [one for one in after if one.submission_id not in waiting], put_off


async def _too_soon(
    connection: Connection, claimed: Sequence[Submission], limits: Limits, now: datetime
) -> dict[UUID, datetime]:
    wanted = pace.wanted(claimed, limits)
    first = await store.reserve(connection, wanted, [limits.interval(lane) for lane in wanted])
    slots = pace.slots(claimed, first, limits, now)
    await store.give_slots(connection, slots)
    return slots
