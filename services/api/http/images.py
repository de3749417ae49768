"""/proxy/image: remote images of messages, for browsers, which show no token."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request, Response, Router, get
from litestar.params import QueryParameter

from services.api.actions.fetch_image import ImageLimits, fetch_image
from services.api.domain.image_links import check_link
from services.api.http.limits import spend_as_client
from services.api.http.scopes import OPEN
from services.api.http.signed_in import world_of
from services.api.settings import Settings

_LONGEST_URL = 10_000


def limits(settings: Settings) -> ImageLimits:
    """What may be fetched, as the operator says."""
    return ImageLimits(
        slots=asyncio.Semaphore(settings.image_fetches),
        policy=settings.dial_policy,
        dial_seconds=settings.dial_timeout_seconds,
        seconds=settings.image_seconds,
        most_bytes=settings.image_max_bytes,
    )


@get(
    "/image",
    security=OPEN,
    summary="A remote image of a message",
    description="Links to here stand in messages that were opened with `images=allow`, signed and"
    " good for a day or two. The server fetches the image and says nothing of who asks.",
    media_type="image/*",
)
async def image(
    request: Request[Any, Any, Any],
    url: Annotated[str, QueryParameter(max_length=_LONGEST_URL, description="Of the image.")],
    expires: Annotated[int, QueryParameter(description="When the link ends, in Unix time.")],
    key: Annotated[str, QueryParameter(max_length=100, description="Which key signed it.")],
    signature: Annotated[str, QueryParameter(max_length=100, description="That we wrote it.")],
) -> Response[bytes]:
    check_link(
        url,
        expires=expires,
        key=key,
        signature=signature,
        keys=world_of(request).issuer.keys,
        now=datetime.now(UTC),
    )
    await spend_as_client(request, "image")
    picture = await fetch_image(url, request.app.state.image_limits)
    return Response(
        picture.content,
        media_type=picture.media_type,
        headers={
            "Cache-Control": "private, max-age=86400, immutable",
            # It is shown in frames that have no origin; without the signature nobody finds it.
            "Cross-Origin-Resource-Policy": "cross-origin",
        },
    )


def router() -> Router:
    return Router("/proxy", route_handlers=[image], tags=["messages"])
