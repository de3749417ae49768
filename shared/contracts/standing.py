"""How an account stands with its server: what it may use, what it waits for, what was not kept.

The api hands on what the owner wants of an account's copy; sync alone knows how it stands.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.account import AccountState
from shared.contracts.envelope import Command, Hint, Problem, Query


class PauseSync(Command, frozen=True, kw_only=True):
    """Leave this account's server alone until told to go on. The newest `version` counts."""

    channel: ClassVar[str] = "sync.account.pause"

    account_id: UUID
    version: int  # counts pauses and resumptions of the account together


class ResumeSync(Command, frozen=True, kw_only=True):
    """Go on with this account. The newest `version` counts."""

    channel: ClassVar[str] = "sync.account.resume"

    account_id: UUID
    version: int


class CheckSync(Command, frozen=True, kw_only=True):
    """Look at this account's server now, whatever was being waited for on our own account."""

    channel: ClassVar[str] = "sync.account.check"

    account_id: UUID


class OwnProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody says of an account's servers. None: what is known of its provider counts.

    Of a day's limits, 0 is none at all.
    """

    provider: str | None = None  # whose servers these are, as shared/dial/providers.toml names it
    connections: int | None = None
    bytes_per_day: int | None = None
    commands_per_day: int | None = None
    messages_per_day: int | None = None
    idle_seconds: int | None = None
    files_sent: bool | None = None


class SetSyncProfile(Command, frozen=True, kw_only=True):
    """Read this account's mail by this profile from now on. The newest `version` counts."""

    channel: ClassVar[str] = "sync.profile.set"

    account_id: UUID
    version: int
    own: OwnProfile


class SetSenderProfile(Command, frozen=True, kw_only=True):
    """Send for this account by this profile from now on. The newest `version` counts."""

    channel: ClassVar[str] = "sender.profile.set"

    account_id: UUID
    version: int
    own: OwnProfile


class AccountAsked(Hint, frozen=True, kw_only=True):
    """Somebody wants something of this account: whoever keeps it looks now."""

    channel: ClassVar[str] = "hint.account.asked"

    account_id: UUID


class ReadStanding(Query, frozen=True, kw_only=True):
    """How an account stands with its server."""

    channel: ClassVar[str] = "query.account.standing"

    account_id: UUID


class AppliedProfile(Struct, frozen=True, kw_only=True):
    """Whose server an account is on, and what is known of it. None: nobody says."""

    provider: str | None = None  # as shared/dial/providers.toml names it
    title: str | None = None
    chosen_by: str | None = None  # host, server_id, capability, account
    server_name: str | None = None  # by its answer to ID (RFC 2971)
    connections: int | None = None
    bytes_per_day: int | None = None
    commands_per_day: int | None = None
    messages_per_day: int | None = None  # that it takes for sending
    idle_seconds: int | None = None
    files_sent: bool | None = None  # what is sent comes to Sent by itself
    files_sent_is_learnt: bool = False  # by looking, whatever is known of the provider
    quirks: tuple[str, ...] = ()
    own: OwnProfile = OwnProfile()  # what of this somebody said


class Standing(Struct, frozen=True, kw_only=True):
    """What an account uses of its server, what it may use, and what it waits for."""

    state: AccountState
    reason: str | None
    server_said: str | None
    state_since: datetime
    paused: bool
    resting_until: datetime | None  # no sign-in before
    resting_reason: str | None  # stable code
    resting_because_asked: bool = False  # the server asked for it; not even a check goes before
    checked_for_at: datetime | None = None  # when somebody last asked for a look
    connections: int  # open now
    connections_allowed: int
    bytes_today: int  # fetched, since midnight UTC
    bytes_allowed: int | None  # None: nobody says
    commands_today: int
    filling_rests_until: datetime | None  # the first copy; new mail comes as ever
    renews_at: datetime  # when the next day's budget begins
    quarantined: int
    connections_by: str | None = None  # whose word it is: operator, account, provider, server
    bytes_by: str | None = None
    commands_allowed: int | None = None
    commands_by: str | None = None
    profile: AppliedProfile | None = None


class StandingAnswer(Struct, frozen=True, kw_only=True):
    """Either the standing or why there is none."""

    standing: Standing | None = None
    problem: Problem | None = None


class ListQuarantine(Query, frozen=True, kw_only=True):
    """What is on an account's server and could not be kept, newest first."""

    channel: ClassVar[str] = "query.quarantine.list"

    account_id: UUID
    limit: int = 50
    after: tuple[datetime, UUID] | None = None  # noticed_at and quarantine_id of the last shown


class QuarantinedMessage(Struct, frozen=True, kw_only=True):
    """A message that could not be kept."""

    quarantine_id: UUID
    mailbox_id: UUID
    reason: str  # stable code, e.g. "too_large", "missing"
    detail: str
    size_bytes: int | None
    attempts: int
    noticed_at: datetime
    last_tried_at: datetime


class QuarantineTotal(Struct, frozen=True, kw_only=True):
    """How many messages could not be kept for one reason."""

    reason: str
    count: int


class QuarantineAnswer(Struct, frozen=True, kw_only=True):
    """A page of the quarantine, and what is in all of it."""

    messages: tuple[QuarantinedMessage, ...] = ()
    more: bool = False
    totals: tuple[QuarantineTotal, ...] = ()  # most first
    problem: Problem | None = None
