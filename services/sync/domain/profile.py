"""Whose server an account is on, and what that means for how it is used."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from shared.contracts.standing import OwnProfile
from shared.dial.own_profile import said_of
from shared.dial.providers import (
    Profile,
    Provider,
    provider_by_signs,
    provider_named,
    provider_of_host,
)


class Why(StrEnum):
    """By what a provider was known."""

    HOST = "host"
    SERVER_ID = "server_id"  # by its answer to ID (RFC 2971), under whatever name it is reached
    CAPABILITY = "capability"
    ACCOUNT = "account"  # somebody said so


@dataclass(frozen=True, slots=True)
class Chosen:
    """A provider, and by what it was known; none where the server is nobody's we know."""

    provider: Provider | None = None
    why: Why | None = None
    own: OwnProfile = field(default_factory=OwnProfile)  # what somebody said

    @property
    def known(self) -> Profile:
        """What is known of the provider."""
        return Profile() if self.provider is None else self.provider.profile

    @property
    def profile(self) -> Profile:
        """What counts."""
        return said_of(self.known, self.own)

    def by(self, own: OwnProfile) -> "Chosen":
        """The same, with what somebody says of the account."""
        named = own.provider and provider_named(own.provider)
        if named:
            return Chosen(named, Why.ACCOUNT, own)
        return Chosen(self.provider, self.why, own)


def choose(host: str, server_name: str | None = None, capabilities: Collection[str] = ()) -> Chosen:
    """Who runs this server: by its name, else by what it says of itself once we are in."""
    if (provider := provider_of_host(host)) is not None:
        return Chosen(provider, Why.HOST)
    if server_name and (provider := provider_by_signs(server_name, ())) is not None:
        return Chosen(provider, Why.SERVER_ID)
    if (provider := provider_by_signs("", capabilities)) is not None:
        return Chosen(provider, Why.CAPABILITY)
    return Chosen()


def chosen_before(host: str, name: str | None, why: str | None) -> Chosen:
    """What was found at an earlier sign-in; where the table has changed, by the host again."""
    provider = None if name is None else provider_named(name)
    return choose(host) if provider is None or why is None else Chosen(provider, Why(why))
