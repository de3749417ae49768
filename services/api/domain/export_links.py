"""Links to the files of an export, for a browser or a program for downloads: good until it ends."""

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from services.api.domain.refusals import ExportLinkInvalid
from services.api.domain.signed_links import is_good, signed
from services.api.domain.tokens import TokenKeys

_PURPOSE = b"postbus export link"


def link_query(export_id: UUID, number: int, keys: TokenKeys, *, expires_at: datetime) -> str:
    """The query of a link to this file."""
    said = f"{export_id} {number}"
    return urlencode(signed(_PURPOSE, said, int(expires_at.timestamp()), keys))


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
    said = f"{export_id} {number}"
    if not is_good(
        _PURPOSE, said, expires=expires, key=key, signature=signature, keys=keys, now=now
    ):
        raise ExportLinkInvalid
