"""How much one account may use of its server: connections at a time, bytes and commands a day.

Whoever goes beyond what a provider allows is shut out, mostly for a day, and the account's owner
with them, on every device. So the first copy of a large account stops in time and goes on the
next day, while new mail comes as ever.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.sync.domain.profile import Chosen

#: Of a day's bytes a first copy may use this much; the rest is for new mail, for messages that
#: are opened, and for the owner's other devices, which the provider counts with ours.
_FILL_SHARE = 0.8


class Decider(StrEnum):
    """Whose word a limit is."""

    OPERATOR = "operator"
    ACCOUNT = "account"  # as somebody said of this account
    PROVIDER = "provider"  # as is known of it
    SERVER = "server"  # which refused more


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What an account may use. None: nobody says."""

    connections: int
    connections_by: Decider = Decider.OPERATOR
    bytes_per_day: int | None = None
    bytes_by: Decider | None = None
    commands_per_day: int | None = None
    commands_by: Decider | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What an account has used on one day (UTC)."""

    bytes: int = 0
    commands: int = 0


def budget_of(
    chosen: Chosen,
    *,
    connections: int,
    bytes_per_day: int | None = None,
    commands_per_day: int | None = None,
    learnt: int | None = None,
) -> Budget:
    """What an account on a server that was chosen so may use.

    `connections`, `bytes_per_day` and `commands_per_day` are the operator's word: of connections
    the fewest that anybody allows count, with `learnt`, what the server itself was found to
    allow; of the others the operator's word replaces the provider's, and 0 is no limit. What is
    said of the account replaces the provider's word too, and does not go beyond the operator's.
    """
    own, profile = chosen.own, chosen.profile
    most, by = min(
        (most, by)
        for most, by in (
            (connections, Decider.OPERATOR),
            (profile.connections, _whose(own.connections)),
            (learnt, Decider.SERVER),
        )
        if most is not None
    )
    bytes_, bytes_by = _said(bytes_per_day, own.bytes_per_day, profile.bytes_per_day)
    commands, commands_by = _said(commands_per_day, own.commands_per_day, profile.commands_per_day)
    return Budget(
        connections=max(1, most),
        connections_by=by,
        bytes_per_day=bytes_,
        bytes_by=bytes_by,
        commands_per_day=commands,
        commands_by=commands_by,
    )


def _whose(own: int | None) -> Decider:
    return Decider.PROVIDER if own is None else Decider.ACCOUNT


def _said(
    operator: int | None, own: int | None, profile: int | None
) -> tuple[int | None, Decider | None]:
    """A day's limit, and whose word it is; none where that word is 0, or nobody says anything."""
    if operator and own:
        return min((operator, Decider.OPERATOR), (own, Decider.ACCOUNT))
    if operator or (operator is not None and own is None):
        return operator or None, Decider.OPERATOR
    if own is not None:
        return own or None, Decider.ACCOUNT
    return profile, None if profile is None else Decider.PROVIDER


def may_fill(used: Used, budget: Budget, now: datetime) -> datetime | None:
    """Until when a first copy rests; None when it may go on. New mail always may."""
    spent = (
        budget.bytes_per_day is not None and used.bytes >= budget.bytes_per_day * _FILL_SHARE
    ) or (
        budget.commands_per_day is not None
        and used.commands >= budget.commands_per_day * _FILL_SHARE
    )
    return renews_at(now) if spent else None


def renews_at(now: datetime) -> datetime:
    """When the next day's budget begins: midnight UTC, whatever day the provider counts by."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=1)
