"""What a signed-in person shows: a short-lived access token (JWT, RFC 7519) and a refresh token.

Access tokens are signed with HS256 under a key named in the header (`kid`): a new key signs,
older ones are still believed until the tokens they signed have expired. A refresh token is 256
random bits that are worth something once; only its hash is kept, as of an API token and of what a
browser's cookie holds.

The claims: `iss` is "postbus"; `sub` the person (usr_…), `ten` the tenant (ten_…), `sid` the
session; `iat` and `exp` as RFC 7519 has them. Whether the session is still there, and what its
person may see, is looked up with each request: a token proves who, never what.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

import jwt

from services.api.domain.refusals import TokenRefused
from shared.contracts.ids import Kind, NotAnId, read, shown

_ALGORITHM = "HS256"
_REMEMBERED = 8192  # tokens in use at a time
_ISSUER = "postbus"
KEY_BYTES = 32
_KEYS_KEPT = 3
_REFRESH_PREFIX = "pbr_"
_COOKIE_PREFIX = "pbs_"
API_TOKEN_PREFIX = "pbt_"  # noqa: S105 - how one begins
_INVITATION_PREFIX = "pbi_"
_MAILED_PREFIX = "pbl_"
_SHOWN_OF_A_TOKEN = 12


class KeysUnusable(Exception):
    """The file of token keys cannot be used."""


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The keys by id, and the one that signs now."""

    current: str
    by_id: Mapping[str, bytes]

    @classmethod
    def read(cls, text: str) -> "TokenKeys":
        """From `{"current": kid, "keys": {kid: base64 of 32 bytes}}`."""
        try:
            said = json.loads(text)
            keys = {
                str(kid): base64.b64decode(key, validate=True) for kid, key in said["keys"].items()
            }
            current = str(said["current"])
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise KeysUnusable(
                'The token keys must be {"current": kid, "keys": {kid: base64}}.'
            ) from error
        if current not in keys:
            raise KeysUnusable("The current token key is not among the keys.")
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise KeysUnusable(f"A token key must be {KEY_BYTES} octets in base64.")
        return cls(current, keys)

    def written(self) -> str:
        """The text that `read` reads."""
        keys = {kid: base64.b64encode(key).decode() for kid, key in self.by_id.items()}
        return json.dumps({"current": self.current, "keys": keys}, indent=2) + "\n"

    def with_new(self, kid: str, key: bytes) -> "TokenKeys":
        """A new key signs; the newest of the old ones are still believed."""
        kept = dict(list(self.by_id.items())[-(_KEYS_KEPT - 1) :])
        return TokenKeys(kid, {**kept, kid: key})

    def __repr__(self) -> str:
        return f"TokenKeys(current={self.current!r}, {sorted(self.by_id)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Whom an access token speaks for."""

    tenant_id: UUID
    person_id: UUID
    session_id: UUID


def access_token(claims: Claims, keys: TokenKeys, *, now: datetime, lives: timedelta) -> str:
    """A token that proves these claims for a while."""
    return jwt.encode(
        {
            "iss": _ISSUER,
            "sub": shown(Kind.USER, claims.person_id),
            "ten": shown(Kind.TENANT, claims.tenant_id),
            "sid": str(claims.session_id),
            "iat": now,
            "exp": now + lives,
        },
        keys.by_id[keys.current],
        algorithm=_ALGORITHM,
        headers={"kid": keys.current},
    )


def claims_of(token: str, keys: TokenKeys, *, now: datetime) -> Claims:
    """What a token proves; raises TokenRefused when it proves nothing."""
    try:
        kid = _kid_of(token)
        key = keys.by_id.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenRefused
        expires_at, claims = _proven(token, key)
    except (jwt.PyJWTError, NotAnId, ValueError, TypeError, OverflowError) as error:
        raise TokenRefused from error
    if expires_at <= now.timestamp():
        raise TokenRefused("The access token has expired.")
    return claims


@lru_cache(maxsize=_REMEMBERED)
def _kid_of(token: str) -> object:
    return jwt.get_unverified_header(token).get("kid")


@lru_cache(maxsize=_REMEMBERED)  # what a key has signed stays signed by it
def _proven(token: str, key: bytes) -> tuple[int, Claims]:
    """When a token ends, and what it claims; what proves nothing raises, and is not remembered."""
    said = jwt.decode(
        token,
        key,
        algorithms=[_ALGORITHM],
        issuer=_ISSUER,
        options={
            "require": ["sub", "ten", "sid", "exp", "iat"],
            # The clock is ours to read, not the library's.
            "verify_exp": False,
            "verify_iat": False,
        },
    )
    claims = Claims(
        tenant_id=read(Kind.TENANT, str(said["ten"])),
        person_id=read(Kind.USER, str(said["sub"])),
        session_id=UUID(str(said["sid"])),
    )
    return int(said["exp"]), claims


def refresh_token(random: bytes) -> str:
    """A token that buys one new pair of tokens, made of 32 random octets."""
    return _secret(_REFRESH_PREFIX, random)


def cookie_secret(random: bytes) -> str:
    """What a browser keeps of a session: worth nothing anywhere else, and over with it."""
    return _secret(_COOKIE_PREFIX, random)


def api_token(random: bytes) -> str:
    """A token for a program. Its beginning tells scanners for leaked secrets what it is."""
    return _secret(API_TOKEN_PREFIX, random)


def invitation_token(random: bytes) -> str:
    """What the link of an invitation carries."""
    return _secret(_INVITATION_PREFIX, random)


def mailed_secret(random: bytes) -> str:
    """What a link carries that we send to somebody."""
    return _secret(_MAILED_PREFIX, random)


def prefix_of(token: str) -> str:
    """What is shown of a token in lists: enough to know it again, not to use it."""
    return token[:_SHOWN_OF_A_TOKEN]


def _secret(prefix: str, random: bytes) -> str:
    return prefix + base64.urlsafe_b64encode(random).decode().rstrip("=")


def secret_hash(token: str) -> bytes:
    """What is kept of a secret of ours. It is random, so a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
