"""Links to remote images by way of us: good for a day or two, and only as we wrote them.

A browser sends no token when it shows an image, and an open proxy would serve anybody. So a link
is signed (HMAC, RFC 2104) with a key that is made from the one that signs access tokens, and goes
when that one goes. The day it ends is rounded, so that a message opened again has the same links
and the browser its images still.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlencode

from services.api.domain.refusals import ImageLinkInvalid
from services.api.domain.tokens import TokenKeys

_PURPOSE = b"postbus image link"
_DAY = 24 * 60 * 60


def link_query(url: str, keys: TokenKeys, *, now: datetime) -> str:
    """The query of a link to this image."""
    expires = (int(now.timestamp()) // _DAY + 2) * _DAY
    signature = _signature(url, expires, keys.by_id[keys.current])
    return urlencode({"url": url, "expires": expires, "key": keys.current, "signature": signature})


def check_link(
    url: str, *, expires: int, key: str, signature: str, keys: TokenKeys, now: datetime
) -> None:
    """Raises ImageLinkInvalid for what we did not write, or not lately."""
    known = keys.by_id.get(key)
    if known is None or expires <= now.timestamp():
        raise ImageLinkInvalid
    good = _signature(url, expires, known)
    if not hmac.compare_digest(good.encode(), signature.encode("utf-8", "surrogatepass")):
        raise ImageLinkInvalid


def _signature(url: str, expires: int, key: bytes) -> str:
    own = hmac.digest(key, _PURPOSE, hashlib.sha256)
    said = f"{expires}\n{url}".encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(own, said, hashlib.sha256)).decode().rstrip("=")
