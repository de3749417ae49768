"""What an OAuth2 token endpoint said, understood (RFC 6749 §5, RFC 7009).

    TokenError
    ├── GrantEnded       the consent is no more: withdrawn, expired, or used up
    ├── ClientRefused    the provider does not know this client, or not so
    └── ProviderAway     no answer for now; the consent may well be good

The words of the provider are kept (`said`), without anything that was secret in the question.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

_LIFE_SECONDS = 3600.0  # where the provider does not say (RFC 6749 §5.1)
_SHORTEST_LIFE, _LONGEST_LIFE = 1.0, 7 * 86_400.0
_REFRESH_AT = 0.8
_SAID = 300
#: RFC 6749 §5.2, and what OpenID Connect (Core §3.1.2.6) and Microsoft say of the same.
_GRANT_ENDED = frozenset(
    {
        "invalid_grant",
        "interaction_required",
        "login_required",
        "consent_required",
        "account_selection_required",
        "token_expired",
        "access_denied",
    }
)
_PASSING = frozenset({"server_error", "temporarily_unavailable", "slow_down"})


class TokenError(Exception):
    """There is no access token."""

    reason = "oauth_provider_unavailable"

    def __init__(self, said: str = "") -> None:
        super().__init__(said or self.__doc__)
        self.said = said


class GrantEnded(TokenError):
    """The provider takes this consent no more: somebody has to give it anew."""

    reason = "consent_ended"


class ClientRefused(TokenError):
    """The provider refuses this client: its id or secret is wrong, or its settings there are."""

    reason = "oauth_client_refused"


class ProviderAway(TokenError):
    """The provider gives no tokens for now."""

    def __init__(self, said: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(said)
        self.retry_after = retry_after


class Tokens(Struct, frozen=True, kw_only=True):
    """What a provider gave."""

    access_token: str
    lives_seconds: float
    refresh_token: str | None
    identity: str | None  # whose mailbox, as far as it says

    @property
    def refresh_in(self) -> float:
        return self.lives_seconds * _REFRESH_AT

    def __repr__(self) -> str:
        return "Tokens(hidden)"


def understood(
    status: int, body: bytes, *, secrets: tuple[str, ...] = (), retry_after: float | None = None
) -> Tokens:
    """The tokens in an answer; raises TokenError."""
    try:
        said: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = None
    fields: Mapping[str, Any] = said if isinstance(said, dict) else {}
    if status == 200:
        return _tokens(fields)
    error = str(fields.get("error") or "")
    words = f"{error}: {fields.get('error_description') or ''}".strip(": ")
    for secret in secrets:
        words = words.replace(secret, "…")
    words = words.replace("\0", "")[:_SAID] or f"The provider answered {status}."
    if status == 429 or status >= 500 or error in _PASSING:
        raise ProviderAway(words, retry_after=retry_after)
    if error in _GRANT_ENDED:
        raise GrantEnded(words)
    if 400 <= status < 500 and error:
        raise ClientRefused(words)
    # A page of a proxy, a redirect, an address that is not there: nothing speaks of the consent.
    raise ProviderAway(words, retry_after=retry_after)


def _tokens(fields: Mapping[str, Any]) -> Tokens:
    access = fields.get("access_token")
    if not isinstance(access, str) or not access or not access.isprintable():
        raise ProviderAway("The provider's answer holds no access token.")
    refresh = fields.get("refresh_token")
    return Tokens(
        access_token=access,
        lives_seconds=_life(fields.get("expires_in")),
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        identity=identity_in(fields.get("id_token")),
    )


def _life(said: object) -> float:
    """Seconds from now: durations need no agreement on what time it is."""
    try:
        seconds = float(said)  # pyright: ignore[reportArgumentType] - some say it as a string
    except (TypeError, ValueError):
        return _LIFE_SECONDS
    return min(max(seconds, _SHORTEST_LIFE), _LONGEST_LIFE)


def identity_in(id_token: object) -> str | None:
    """Whose mailbox an ID token speaks of.

    Its signature need not be looked at: it came from the token endpoint itself, over TLS (OpenID
    Connect Core §3.1.3.7). Microsoft signs in by `preferred_username`, which may differ from
    `email`.
    """
    if not isinstance(id_token, str) or id_token.count(".") != 2:
        return None
    part = id_token.split(".")[1]
    try:
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(claims, dict):
        return None
    for name in ("preferred_username", "upn", "email"):
        value: Any = claims.get(name)
        if isinstance(value, str) and "@" in value and value.isprintable() and len(value) <= 320:
            return value
    return None
