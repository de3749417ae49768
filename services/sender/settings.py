"""What an operator may say about sender."""

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from services.sender.domain.pace import Limits
from services.sender.smtp import Patience
from shared.bus import BusSettings
from shared.db import DatabaseSettings
from shared.dial import DialSettings, ProviderSettings
from shared.telemetry import TelemetrySettings


class Settings(BusSettings, DatabaseSettings, DialSettings, ProviderSettings, TelemetrySettings):
    """Read from the environment, prefix SENDER_."""

    model_config = SettingsConfigDict(
        env_prefix="SENDER_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        validate_by_name=True,
    )

    sending_enabled: bool = Field(
        default=True,
        validation_alias=AliasChoices("SENDING_ENABLED"),
        description="false: nothing is sent; submissions wait and nothing is lost.",
    )
    seal_keys_dir: Path = Field(
        description="Directory with the private keys that open the passwords of mail accounts."
    )
    attempts_at_once: int = Field(
        default=64, ge=1, description="Messages handed over at a time by this process."
    )
    attempts_at_once_per_account: int = Field(
        default=2, ge=1, description="Messages of one account handed over at a time, by anybody."
    )
    messages_per_minute_per_account: int | None = Field(
        default=None, ge=1, description="Messages an account may send in a minute; unset: any."
    )
    messages_per_minute_per_domain: int | None = Field(
        default=None,
        ge=1,
        description="Messages an account may send in a minute to one domain; unset: any.",
    )
    session_idle_seconds: float = Field(
        default=30.0,
        ge=0,
        description="A session with a server is kept so long for the next message.",
    )
    sessions_idle: int = Field(
        default=200, ge=0, description="Sessions kept for a next message by this process."
    )
    sessions_idle_per_server: int = Field(
        default=20,
        ge=0,
        description="Of these, with one server: what is kept with it is what others wait for.",
    )
    poll_seconds: float = Field(
        default=0.5, gt=0, description="How often to look for messages that became due."
    )
    lease_seconds: float = Field(
        default=60.0,
        ge=1,
        description="A process that is silent for so long is believed dead; others go on.",
    )
    stop_seconds: float = Field(
        default=20.0, ge=0, description="Time that attempts under way are given at the end."
    )
    helo_name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._:\[\]-]+$",
        description="The name to greet servers with; unset: the address we come from.",
    )
    command_seconds: float = Field(
        default=300.0, gt=0, description="Time a server has to answer a command."
    )
    block_seconds: float = Field(
        default=180.0, gt=0, description="Time a server has to take the next part of a message."
    )
    dot_seconds: float = Field(
        default=600.0,
        gt=0,
        description="Time a server has to say whether it took a message; then it is uncertain.",
    )
    mime_kept_days: float = Field(
        default=7.0, ge=0, description="Days a message's bytes are kept once a copy is in Sent."
    )
    unfiled_mime_kept_days: float = Field(
        default=90.0, ge=0, description="Days they are kept while no copy is known to be in Sent."
    )

    @property
    def limits(self) -> Limits:
        return Limits(self.messages_per_minute_per_account, self.messages_per_minute_per_domain)

    @property
    def patience(self) -> Patience:
        return Patience(
            dial_seconds=self.dial_timeout_seconds,
            command_seconds=self.command_seconds,
            block_seconds=self.block_seconds,
            dot_seconds=self.dot_seconds,
        )
