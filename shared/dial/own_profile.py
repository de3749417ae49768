"""What counts of an account's servers: what somebody said of them, else what is known."""

from msgspec import structs

from shared.contracts.standing import OwnProfile
from shared.dial.providers import Profile, provider_named, provider_of_host

_DAYS = ("bytes_per_day", "commands_per_day", "messages_per_day")


def said_of(known: Profile, own: OwnProfile) -> Profile:
    """The profile with the account's own words in it; of a day's limits, 0 is none."""
    said = {
        name: value
        for name in ("connections", *_DAYS, "idle_seconds", "files_sent")
        if (value := getattr(own, name)) is not None
    }
    return structs.replace(
        known, **{name: value or None if name in _DAYS else value for name, value in said.items()}
    )


def submission_profile(host: str, own: OwnProfile) -> Profile:
    """What counts of the server that an account's mail is handed to."""
    provider = (own.provider and provider_named(own.provider)) or provider_of_host(host)
    return said_of(Profile() if provider is None else provider.profile, own)
