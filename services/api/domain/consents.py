"""Asking somebody, at their provider, for consent to read and send their mail (RFC 6749 §4.1).

`state` is 256 random bits of which the hash is kept, beside that of a secret which only the browser
has that began it (RFC 9700 §4.7). The PKCE verifier (RFC 7636) is made of both, so that it is kept
nowhere.
"""

import base64
import hashlib
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from shared.contracts.oauth import Provider

CALLBACK = "/connections/callback"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def verifier(state: str, browser: str) -> str:
    """What proves that who began is who ends it: 43 characters (RFC 7636 §4.1)."""
    return _coded(hashlib.sha256(f"verifier {state} {browser}".encode()).digest())


def challenge(verifier: str) -> str:
    """What the provider is shown of it at first (S256, RFC 7636 §4.2)."""
    return _coded(hashlib.sha256(verifier.encode("ascii")).digest())


def authorization_url(
    provider: Provider, *, redirect_uri: str, state: str, browser: str, username: str
) -> str:
    """Where the person is sent to."""
    asked = {
        **provider.parameters,
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": state,
        "code_challenge": challenge(verifier(state, browser)),
        "code_challenge_method": "S256",
    }
    if username:
        asked["login_hint"] = username
    return with_parameters(provider.authorization_endpoint, asked)


def with_parameters(url: str, more: dict[str, str]) -> str:
    """The address with these in its query, in place of any that are called so."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, True) if name not in more]
    return urlunsplit(parts._replace(query=urlencode([*kept, *more.items()]), fragment=""))


def is_web_address(url: str) -> bool:
    """Whether people, and secrets, may be sent there: https, or this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def may_return_to(url: str, allowed: list[str]) -> bool:
    """Whether an address is one of these, whatever its query."""
    return is_web_address(url) and any(_place(url) == _place(one) for one in allowed)


def _place(url: str) -> tuple[str, str]:
    return origin_of(url), urlsplit(url).path or "/"


def _coded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
