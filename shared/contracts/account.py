"""Mail accounts: how they are reached, and how they are doing.

The api hands connections on as commands, with the password sealed for the one service that
dials. sync alone tells how an account is.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.envelope import Command, Event, OpenEnum


class Security(StrEnum):
    """How a connection to a mail server is protected (RFC 8314)."""

    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"  # required, never optional
    NONE = "none"


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where an account's server is, and as whom to sign in. The password is not here."""

    host: str
    port: int
    security: Security
    username: str
    verify_certificate: bool = True


class AccountState(OpenEnum):
    """How an account is doing, as its owner should see it."""

    CONNECTING = "connecting"  # signing in, nothing known yet
    SYNCING = "syncing"  # the first copy is being made
    LIVE = "live"  # our copy follows the server
    DEGRADED = "degraded"  # works, but not wholly; the reason says what
    AUTH_FAILED = "auth_failed"  # the server refused the password; waits for a new one
    REAUTH_REQUIRED = "reauth_required"  # the consent has ended; somebody has to give it anew
    UNREACHABLE = "unreachable"  # no connection; tried again by itself
    PAUSED = "paused"
    OTHER = "other"


class ConnectSync(Command, frozen=True, kw_only=True):
    """Keep a copy of this account, or go on with new settings. The newest `version` counts."""

    channel: ClassVar[str] = "sync.account.connect"

    account_id: UUID
    version: int
    email: str
    endpoint: Endpoint
    sealed: bytes  # HPKE for sync; empty with a grant
    grant_id: UUID | None = None  # OAuth2 in place of a password: the grant that sync has made


class RemoveSync(Command, frozen=True, kw_only=True):
    """Forget this account: its rows go, its server stays as it is."""

    channel: ClassVar[str] = "sync.account.remove"

    account_id: UUID


class ConnectSender(Command, frozen=True, kw_only=True):
    """Send for this account, or go on with new settings. The newest `version` counts."""

    channel: ClassVar[str] = "sender.account.connect"

    account_id: UUID
    version: int
    email: str
    endpoint: Endpoint
    sealed: bytes  # HPKE for sender; empty with tokens
    by_token: bool = False  # OAuth2 in place of a password: sync is asked for tokens


class RemoveSender(Command, frozen=True, kw_only=True):
    """Send nothing more for this account; what waits is canceled."""

    channel: ClassVar[str] = "sender.account.remove"

    account_id: UUID


class HoldSender(Command, frozen=True, kw_only=True):
    """Send nothing for this account until told to go on (`held` false); what is to be sent waits.

    The newest `version` counts.
    """

    channel: ClassVar[str] = "sender.account.hold"

    account_id: UUID
    version: int
    held: bool


class RetellAccount(Command, frozen=True, kw_only=True):
    """Tell a listener everything about an account again, or about all accounts."""

    channel: ClassVar[str] = "sync.account.retell"

    listener: str  # a service's name
    generation: UUID
    account_id: UUID | None = None  # None: every account


class AccountChanged(Event, frozen=True, kw_only=True):
    """An account is doing differently; told whole, the newest revision counts."""

    channel: ClassVar[str] = "mail.account.changed"

    account_id: UUID
    revision: int
    state: AccountState
    reason: str | None = None  # stable code, e.g. "auth_failed", "name_not_found"
    server_said: str | None = None


class AccountProgressed(Event, frozen=True, kw_only=True):
    """The first copy of an account came this far."""

    channel: ClassVar[str] = "mail.account.progressed"

    account_id: UUID
    revision: int
    done: int  # messages
    total: int
    mailbox: str | None = None  # the one being read
    ends_at: datetime | None = None  # when it will be whole, as far as can be told


class AccountRemoved(Event, frozen=True, kw_only=True):
    """sync has forgotten an account; whoever keeps something of it forgets it too."""

    channel: ClassVar[str] = "mail.account.removed"

    account_id: UUID
    revision: int


class AccountRetold(Event, frozen=True, kw_only=True):
    """Everything about an account was told again: `pages` pages, true as of `as_of_revision`."""

    channel: ClassVar[str] = "fill.account.retold"

    account_id: UUID
    listener: str
    generation: UUID
    as_of_revision: int
    pages: int


class SendingState(OpenEnum):
    """Whether an account's submission server takes mail from us."""

    READY = "ready"
    AUTH_FAILED = "auth_failed"  # the server refuses the password; what is to be sent waits
    UNREACHABLE = "unreachable"  # no session; tried again by itself
    SUSPENDED = "suspended"  # its tenant is; what is to be sent waits until it goes on
    OTHER = "other"


class SendingChanged(Event, frozen=True, kw_only=True):
    """An account can send, or cannot for now; told whole, the newest revision counts."""

    channel: ClassVar[str] = "mail.sending.changed"

    account_id: UUID
    revision: int
    state: SendingState
    reason: str | None = None  # stable code, e.g. "auth_failed", "name_not_found"
    server_said: str | None = None
    retry_at: datetime | None = None
