"""What an operator may say about sync."""

from enum import StrEnum
from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from shared.bus import BusSettings
from shared.db import DatabaseSettings
from shared.dial import DialSettings
from shared.telemetry import TelemetrySettings


class Role(StrEnum):
    """What this process does."""

    LISTEN = "listen"  # pulls
    ANSWER = "answer"  # hands out what was kept


class Settings(DatabaseSettings, BusSettings, DialSettings, TelemetrySettings):
    """Settings of a process of sync, from the environment (`SYNC_…`)."""

    model_config = SettingsConfigDict(
        env_prefix="SYNC_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        validate_by_name=True,
    )

    role: Role = Field(default=Role.LISTEN, description="listen: pulls mail; answer: hands it out.")
    seal_keys_dir: Path = Field(description="Key pairs that open the accounts' passwords.")
    enabled: bool = Field(
        default=True,
        validation_alias=AliasChoices("SYNC_ENABLED"),
        description="Off: no mail server is called; commands wait as rows.",
    )
    accounts_per_replica: int = Field(
        default=2000, ge=1, description="At most so many accounts are kept by one process."
    )
    first_copies_at_once: int = Field(
        default=4, ge=1, description="Accounts whose first copy is made at the same time."
    )
    poll_seconds: float = Field(
        default=60.0, gt=0, description="Mailboxes without a push are looked at this often."
    )
    compare_seconds: float = Field(
        default=300.0,
        gt=0,
        description="A server without HIGHESTMODSEQ: flags are compared this often.",
    )
    command_seconds: float = Field(
        default=60.0, gt=0, description="A mail server that is silent for longer is left."
    )
    retry_seconds: float = Field(
        default=5.0, gt=0, description="First pause before an unreachable server is called again."
    )
    retry_longest_seconds: float = Field(
        default=600.0, gt=0, description="Longest pause before an unreachable server is called."
    )
    auth_retry_seconds: float = Field(
        default=3600.0, gt=0, description="A refused password is tried again this often."
    )
    heartbeat_seconds: float = Field(
        default=3.0, gt=0, description="How often a process says that it lives."
    )
    lease_seconds: float = Field(
        default=15.0, gt=0, description="Silent for longer, a process loses its accounts."
    )
    largest_message_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024,
        description="Larger messages are quarantined, not fetched.",
    )
