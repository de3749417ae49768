"""Links that are good only as we wrote them, and for a while: who holds one needs no token.

Signed (HMAC, RFC 2104) with a key that is made, for each purpose, from the one that signs access
tokens, and goes when that one goes.
"""

import base64
import hashlib
import hmac
from datetime import datetime

from services.api.domain.tokens import TokenKeys


def signed(purpose: bytes, said: str, expires: int, keys: TokenKeys) -> dict[str, str | int]:
    """What a link that says this carries in its query; `expires` in seconds since 1970."""
    signature = _signature(purpose, said, expires, keys.by_id[keys.current])
    return {"expires": expires, "key": keys.current, "signature": signature}


def is_good(
    purpose: bytes,
    said: str,
    *,
    expires: int,
    key: str,
    signature: str,
    keys: TokenKeys,
    now: datetime,
) -> bool:
    """Whether we wrote this, and it has not ended."""
    known = keys.by_id.get(key)
    if known is None or expires <= now.timestamp():
        return False
    good = _signature(purpose, said, expires, known)
    return hmac.compare_digest(good.encode(), signature.encode("utf-8", "surrogatepass"))


def _signature(purpose: bytes, said: str, expires: int, key: bytes) -> str:
    own = hmac.digest(key, purpose, hashlib.sha256)
    words = f"{expires}\n{said}".encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(own, words, hashlib.sha256)).decode().rstrip("=")
