"""What an operator may say about OAuth2: this installation's clients at the providers.

api sends people to a provider and sync asks it for tokens, so both are told the same. The secrets
are read where they are needed: by sync.
"""

from functools import cached_property
from typing import Self

import msgspec
from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.contracts.oauth import Provider, installed


class OAuthSettings(BaseSettings):
    """A part of the settings of a service that knows OAuth2 providers; inherit from it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    oauth_google_client_id: str | None = Field(
        default=None,
        validation_alias=AliasChoices("OAUTH_GOOGLE_CLIENT_ID"),
        description="Client of this installation at Google (docs/oauth.md).",
    )
    oauth_microsoft_client_id: str | None = Field(
        default=None,
        validation_alias=AliasChoices("OAUTH_MICROSOFT_CLIENT_ID"),
        description="Client of this installation at Microsoft (docs/oauth.md).",
    )
    oauth_microsoft_directory: str = Field(
        default="common",
        pattern=r"^[A-Za-z0-9.-]+$",
        validation_alias=AliasChoices("OAUTH_MICROSOFT_DIRECTORY"),
        description="Whose accounts Microsoft lets in: common, organizations, consumers, or the id"
        " of a directory.",
    )
    oauth_providers: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("OAUTH_PROVIDERS"),
        description="More providers, as JSON (docs/oauth.md); best in a file"
        " (OAUTH_PROVIDERS_FILE).",
    )

    @model_validator(mode="after")
    def _providers_can_be_read(self) -> Self:
        """Better no start than accounts that lose their consents one by one."""
        _ = self.oauth_installed
        return self

    @property
    def oauth_listed(self) -> bytes:
        """The operator's own list."""
        return self.oauth_providers.get_secret_value().encode() if self.oauth_providers else b"[]"

    @cached_property
    def oauth_installed(self) -> dict[str, Provider]:
        """The OAuth2 providers of this installation by name; raises ValueError."""
        try:
            return installed(
                google=self.oauth_google_client_id,
                microsoft=self.oauth_microsoft_client_id,
                directory=self.oauth_microsoft_directory,
                listed=self.oauth_listed,
            )
        except msgspec.MsgspecError as error:
            # What it quotes is where in the list, never what stands there.
            raise ValueError(f"OAUTH_PROVIDERS: {error}") from None
