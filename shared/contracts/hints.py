"""Nudges that may be lost."""

from typing import ClassVar
from uuid import UUID

from shared.contracts.envelope import Hint


class LogGrew(Hint, frozen=True, kw_only=True):
    """A tenant's event log has new rows up to `seq`."""

    channel: ClassVar[str] = "hint.log.grew"

    tenant_id: UUID
    seq: int


class AccountsFollowed(Hint, frozen=True, kw_only=True):
    """Somebody has the events of these accounts before their eyes now; said again every seconds."""

    channel: ClassVar[str] = "hint.accounts.followed"

    account_ids: tuple[UUID, ...]


class CopyProgressed(Hint, frozen=True, kw_only=True):
    """A first copy goes on: so many of its messages are still to come. 0: all are told."""

    channel: ClassVar[str] = "hint.copy.progressed"

    account_id: UUID
    to_come: int
    seconds_left: float | None = None  # as far as can be told
