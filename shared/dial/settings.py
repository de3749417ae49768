"""What an operator may say about connections to users' servers."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.dial.policy import Policy


def _networks(given: object) -> object:
    if isinstance(given, str):
        return tuple(ip_network(text) for part in given.split(",") if (text := part.strip()))
    return given


class DialSettings(BaseSettings):
    """A part of the settings of a service that connects to users' servers; inherit from it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    dial_allowed_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)
    ] = Field(
        default=(),
        description="Private networks that users' servers may be in, comma-separated (CIDR).",
    )
    dial_timeout_seconds: float = Field(
        default=20.0, gt=0, description="Time to resolve a name and connect."
    )

    @property
    def dial_policy(self) -> Policy:
        return Policy(self.dial_allowed_networks)


class ProviderSettings(BaseSettings):
    """A part of the settings of a service that goes by who runs a server; inherit from it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    mail_providers_file: Path | None = Field(
        default=None,
        description="A table of mail providers, as shared/dial/providers.toml is one: what it says"
        " counts before what is known.",
    )
