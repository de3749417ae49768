"""What an operator may say about sync."""

from enum import StrEnum
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import msgspec
from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.sync.web.token_endpoint import Client
from shared.bus import BusSettings
from shared.contracts.oauth import GOOGLE, MICROSOFT, ProviderSecret
from shared.db import DatabaseSettings
from shared.dial import DialSettings, OAuthSettings, ProviderSettings
from shared.telemetry import TelemetrySettings


def release() -> str:
    """The version of this software: what it could not keep, a later one may."""
    try:
        return version("postbus")
    except PackageNotFoundError:
        return "unreleased"


class Role(StrEnum):
    """What this process does."""

    LISTEN = "listen"  # pulls
    ANSWER = "answer"  # hands out what was kept


class Settings(
    DatabaseSettings, BusSettings, DialSettings, OAuthSettings, ProviderSettings, TelemetrySettings
):
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
    readers: int = Field(
        default=1, ge=0, description="Processes in which messages are read; 0: in a thread."
    )
    audit_seconds: float = Field(
        default=86_400.0,
        gt=0,
        description="Each mailbox is compared with its server message by message this often.",
    )
    poll_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Mailboxes without a push are looked at this often; with one (NOTIFY), a third"
        " as often.",
    )
    near_poll_seconds: float = Field(
        default=0.06,
        ge=0,
        description="A server within 10 ms is asked for new mail this often while somebody follows"
        " the account's events; 0: it is waited for, as it is everywhere else.",
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
    connections_per_account: int = Field(
        default=4,
        ge=1,
        description="At most so many connections to one account's server at a time; one of them"
        " is kept for opening messages. A server that allows fewer is believed.",
    )
    account_bytes_per_day: int | None = Field(
        default=None,
        ge=0,
        description="At most so many bytes are fetched for an account's first copy in a day (UTC):"
        " a fifth is left for new mail. Unset: what its provider is known to allow; 0: any number.",
    )
    account_commands_per_day: int | None = Field(
        default=None,
        ge=0,
        description="The same of commands. Unset: what its provider is known to allow; 0: any"
        " number.",
    )
    sender_keys_dir: Path | None = Field(
        default=None,
        description="Public keys of sender, to seal access tokens with. Unset: accounts that sign"
        " in by OAuth2 can be read, and not be sent from.",
    )
    oauth_seconds: float = Field(
        default=10.0, gt=0, le=20, description="A provider that gives no token for so long is away."
    )
    oauth_google_client_secret: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OAUTH_GOOGLE_CLIENT_SECRET"),
        description="Its secret.",
    )
    oauth_microsoft_client_secret: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OAUTH_MICROSOFT_CLIENT_SECRET"),
        description="Its secret.",
    )
    heartbeat_seconds: float = Field(
        default=3.0, gt=0, description="How often a process says that it lives."
    )
    lease_seconds: float = Field(
        default=15.0, gt=0, description="Silent for longer, a process loses its accounts."
    )
    largest_message_bytes: int = Field(
        default=1024 * 1024 * 1024,
        ge=1024,
        description="Larger messages are quarantined, not read. Of what is over 256 KiB only the"
        " text is fetched, whatever this says.",
    )

    @model_validator(mode="after")
    def _clients_can_be_read(self) -> Self:
        _ = self.oauth_clients
        return self

    @cached_property
    def oauth_clients(self) -> dict[str, Client]:
        """The clients of this installation by provider, with secrets; raises ValueError."""
        secrets = {
            GOOGLE: _plain(self.oauth_google_client_secret),
            MICROSOFT: _plain(self.oauth_microsoft_client_secret),
        }
        try:
            listed = msgspec.json.decode(self.oauth_listed, type=list[ProviderSecret])
        except msgspec.MsgspecError as error:
            raise ValueError(f"OAUTH_PROVIDERS: {error}") from None
        secrets |= {one.name: one.client_secret or None for one in listed}
        return {
            provider.name: Client(
                client_id=provider.client_id,
                token_endpoint=provider.token_endpoint,
                secret=secrets.get(provider.name),
                authentication=provider.client_authentication,
                revocation_endpoint=provider.revocation_endpoint,
            )
            for provider in self.oauth_installed.values()
        }


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
