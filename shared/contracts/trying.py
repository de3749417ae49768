"""Trying a mail server: whether an account would work there, and what is wrong where it would not.

The password travels sealed for the one service that dials, as in every command.
"""

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.account import Endpoint
from shared.contracts.envelope import OpenEnum, Problem, Query

DEADLINE_SECONDS = 30.0


class TryStage(OpenEnum):
    """How far one comes with a server, in this order."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    CERTIFICATE = "certificate"
    GREETING = "greeting"
    CAPABILITY = "capability"  # what the server offers is not enough for us
    AUTH = "auth"
    OTHER = "other"


class TryImap(Query, frozen=True, kw_only=True):
    """Sign in to an IMAP server and leave again."""

    channel: ClassVar[str] = "query.imap.try"
    deadline_seconds: ClassVar[float] = DEADLINE_SECONDS

    account_id: UUID  # of an account, or of none yet
    endpoint: Endpoint | None = None  # None: as the account is kept
    sealed: bytes | None = None  # HPKE for sync, for this account_id and endpoint


class TrySmtp(Query, frozen=True, kw_only=True):
    """Sign in to a submission server and leave again."""

    channel: ClassVar[str] = "query.smtp.try"
    deadline_seconds: ClassVar[float] = DEADLINE_SECONDS

    account_id: UUID
    endpoint: Endpoint | None = None
    sealed: bytes | None = None  # HPKE for sender


class Tried(Struct, frozen=True, kw_only=True):
    """How it went. Without `failed_at` the account works there."""

    failed_at: TryStage | None = None
    reason: str | None = None  # stable code
    detail: str | None = None  # in our words
    server_said: str | None = None
    capabilities: tuple[str, ...] = ()  # what the server offers, as far as it said
    milliseconds: int = 0


class TryAnswer(Struct, frozen=True, kw_only=True):
    """Either how it went or why it was not tried."""

    tried: Tried | None = None
    problem: Problem | None = None
