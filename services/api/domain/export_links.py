"""Links to the files of an export: good until it ends, and only as we wrote them.

Who holds one needs no token, so that a browser or a program for downloads can fetch it; so each
is signed (HMAC, RFC 2104) with a key that is made from the one that signs access tokens.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from services.api.domain.refusals import ExportLinkInvalid
from services.api.domain.tokens import TokenKeys

_PURPOSE = b"postbus export link"


def link_query(export_id: UUID, number: int, keys: TokenKeys, *, expires_at: datetime) -> str:
    """The query of a link to this file."""
    expires = int(expires_at.timestamp())
    signature = _signature(export_id, number, expires, keys.by_id[keys.current])
    return urlencode({"expires": expires, "key": keys.current, "signature": signature})


def check_link(
    export_id: UUID,
    number: int,
    *,
    expires: int,
    key: str,
    signature: str,
    keys: TokenKeys,
    now: datetime,
) -> None:
    """Raises ExportLinkInvalid for what we did not write, or what has ended."""
    known = keys.by_id.get(key)
    if known is None or expires <= now.timestamp():
        raise ExportLinkInvalid
    good = _signature(export_id, number, expires, known)
    if not hmac.compare_digest(good.encode(), signature.encode("utf-8", "surrogatepass")):
        raise ExportLinkInvalid


def _signature(export_id: UUID, number: int, expires: int, key: bytes) -> str:
    own = hmac.digest(key, _PURPOSE, hashlib.sha256)
    said = f"{export_id} {number} {expires}".encode()
    return base64.urlsafe_b64encode(hmac.digest(own, said, hashlib.sha256)).decode().rstrip("=")
