"""How fast an account may send: so many messages a minute, in all and to one domain."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.sender.domain.submission import Submission

_MINUTE = timedelta(minutes=1)
# A slot that is so near is now: clocks and claims are not more exact.
_NOW = timedelta(milliseconds=50)


@dataclass(frozen=True, slots=True)
class Lane:
    """What is counted apart: an account's messages, or those of them to one domain."""

    tenant_id: UUID
    account_id: UUID
    domain: str  # '' for all

    @property
    def key(self) -> tuple[UUID, str]:
        return self.account_id, self.domain


@dataclass(frozen=True, slots=True)
class Limits:
    """How many messages of an account may go in a minute; None: as many as the server takes."""

    per_account: int | None
    per_domain: int | None

    def __bool__(self) -> bool:
        return self.per_account is not None or self.per_domain is not None

    def interval(self, lane: Lane) -> timedelta:
        per_minute = self.per_domain if lane.domain else self.per_account
        assert per_minute is not None
        return _MINUTE / per_minute

    def lanes(self, submission: Submission) -> list[Lane]:
        """Where this submission takes a place."""
        tenant_id, account_id = submission.tenant_id, submission.account_id
        lanes = [Lane(tenant_id, account_id, "")] if self.per_account is not None else []
        if self.per_domain is not None:
            domains = {one.email.rpartition("@")[2].lower() for one in submission.open_recipients}
            lanes += [Lane(tenant_id, account_id, domain) for domain in sorted(domains)]
        return lanes


def wanted(submissions: Sequence[Submission], limits: Limits) -> dict[Lane, int]:
    """How many places are wanted in each lane by those that have none yet."""
    counts: defaultdict[Lane, int] = defaultdict(int)
    for submission in submissions:
        if submission.slot_at is None:
            for lane in limits.lanes(submission):
                counts[lane] += 1
    return dict(counts)


def slots(
    submissions: Sequence[Submission],
    first: Mapping[Lane, datetime],
    limits: Limits,
    now: datetime,
) -> dict[UUID, datetime]:
    """When each of those may go that must wait; the others may go now.

    `first` is the first free moment of each lane. The slowest lane of a submission decides.
    """
    free = dict(first)
    given: dict[UUID, datetime] = {}
    for submission in submissions:
        slot_at = submission.slot_at
        if slot_at is None:
            lanes = limits.lanes(submission)
            slot_at = max((free[lane] for lane in lanes), default=now)
            for lane in lanes:
                free[lane] += limits.interval(lane)
        if slot_at > now + _NOW:
            given[submission.submission_id] = slot_at
    return given
