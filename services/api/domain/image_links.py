"""Links to the images of a message: remote ones by way of us, and those that are parts of it.

A frame that has no origin sends no cookie when it shows an image, and an open proxy would serve
anybody. So a link is signed, and good for a day or two; to a part, which is somebody's mail, for
an hour or two. The end is rounded, so that a message opened again has the same links and the
browser its images still.
"""

from datetime import datetime
from urllib.parse import urlencode

from services.api.domain.refusals import ImageLinkInvalid
from services.api.domain.signed_links import is_good, signed
from services.api.domain.tokens import TokenKeys

_OF_IMAGES = b"postbus image link"
_OF_PARTS = b"postbus part link"
_HOUR = 60 * 60
_DAY = 24 * _HOUR


def link_query(url: str, keys: TokenKeys, *, now: datetime) -> str:
    """The query of a link to this remote image."""
    return urlencode({"url": url, **_signed(_OF_IMAGES, url, _DAY, keys, now)})


def part_query(part: str, keys: TokenKeys, *, now: datetime) -> str:
    """The query of a link to this part of a message, whose name says whose it is."""
    return urlencode({"part": part, **_signed(_OF_PARTS, part, _HOUR, keys, now)})


def check_link(
    url: str, *, expires: int, key: str, signature: str, keys: TokenKeys, now: datetime
) -> None:
    """Raises ImageLinkInvalid for what we did not write, or not lately."""
    _check(_OF_IMAGES, url, expires, key, signature, keys, now)


def check_part_link(
    part: str, *, expires: int, key: str, signature: str, keys: TokenKeys, now: datetime
) -> None:
    """Raises ImageLinkInvalid for what we did not write, or not lately."""
    _check(_OF_PARTS, part, expires, key, signature, keys, now)


def _signed(
    purpose: bytes, said: str, rounded: int, keys: TokenKeys, now: datetime
) -> dict[str, str | int]:
    return signed(purpose, said, (int(now.timestamp()) // rounded + 2) * rounded, keys)


def _check(
    purpose: bytes,
    said: str,
    expires: int,
    key: str,
    signature: str,
    keys: TokenKeys,
    now: datetime,
) -> None:
    if not is_good(
        purpose, said, expires=expires, key=key, signature=signature, keys=keys, now=now
    ):
        raise ImageLinkInvalid
