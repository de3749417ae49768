"""Fetch an image that a message points at, so that its sender does not learn who reads it."""

import asyncio
from dataclasses import dataclass

import structlog

from services.api.domain.pictures import ACCEPTED, picture_type
from services.api.domain.refusals import ImageUnavailable
from services.api.domain.web_address import WebAddress
from services.api.metrics import IMAGES
from services.api.web.getting import Got, NotGot, get
from shared.dial import Policy

log = structlog.get_logger()

_MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """How much is done for one image."""

    slots: asyncio.Semaphore  # images that are fetched at a time
    policy: Policy
    dial_seconds: float
    seconds: float  # the wait for a slot included
    most_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image, and what kind it is by its own bytes."""

    media_type: str
    content: bytes


async def fetch_image(url: str, limits: ImageLimits) -> Picture:
    """The image at this address; each redirect is checked as the first address is.

    Raises ImageUnavailable, which does not say why: a stranger who sends mail must not learn what
    answers where.
    """
    try:
        async with asyncio.timeout(limits.seconds), limits.slots:
            picture = await _picture(url, limits)
    except (NotGot, TimeoutError) as error:
        IMAGES.labels("unavailable").inc()
        log.info("image not fetched", error=repr(error))
        raise ImageUnavailable from error
    IMAGES.labels("fetched").inc()
    return picture


async def _picture(url: str, limits: ImageLimits) -> Picture:
    got = await _followed(url, limits)
    media_type = picture_type(got.body)
    if got.status != 200 or media_type is None:
        raise NotGot(f"{got.status}, and no picture")
    return Picture(media_type=media_type, content=got.body)


async def _followed(url: str, limits: ImageLimits) -> Got:
    address = WebAddress.read(url)
    for _ in range(_MOST_REDIRECTS + 1):
        if address is None:
            raise NotGot("nowhere to go")
        got = await get(
            address,
            agent="Postbus (image proxy)",
            accept=ACCEPTED,
            policy=limits.policy,
            dial_seconds=limits.dial_seconds,
            most_bytes=limits.most_bytes,
        )
        if got.location is None:
            return got
        address = address.led_to(got.location)
    raise NotGot("too many redirects")
