"""A message's HTML as a reader gets it: sanitised, its images from us or held back."""

import html as markup
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import unquote

from litestar import MediaType, Response
from litestar.params import QueryParameter
from msgspec import Struct

from services.api.domain.html import Image, ImageKind, filled
from services.api.domain.image_links import link_query
from services.api.domain.web_address import WebAddress
from services.api.store.reading import ShownMessage
from services.api.world import World
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Attachment, MessageContent

_BASE = "/api/v1"

# Were there a script in it all the same, it would not run; were there an address, it would not be
# asked. Scripts are refused twice: there is no source for them, and the sandbox does not run any.
# Its own origin is left to it so that a browser sends its reader's cookies when it asks us for
# images.
PAGE_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
_PAGE = """\
<!doctype html>
<html><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ margin: 0 }} pre {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }}\
</style></head><body>{body}</body></html>
"""


Images = Annotated[
    Literal["block", "allow"] | None,
    QueryParameter(
        description="`allow` shows remote images, which the server fetches, so that the sender"
        " does not learn who reads; of those that are there only to be fetched, none is. `block`"
        " shows none. Left out, they are shown where `/image-senders` allows the sender."
    ),
]


class Tracker(Struct, frozen=True, kw_only=True):
    """Images that show nothing and only tell their host that the message was read."""

    host: str
    count: int


class RemoteImages(Struct, frozen=True, kw_only=True):
    """The images of a message that are not in it. Trackers are counted, and never fetched.

    `allowed_by`: the address or the domain in `/image-senders` by which they are shown.
    """

    shown: bool
    allowed_by: str | None
    count: int
    trackers: list[Tracker]


async def shown_html(
    world: World,
    message: ShownMessage,
    content: MessageContent,
    *,
    images_shown: bool,
    allowed_by: str | None,
) -> tuple[str | None, RemoteImages]:
    """The HTML that may be shown, if there is any, and what it wanted to fetch."""
    safe = await world.sanitiser.sanitised(content.html) if content.html else None
    if safe is None:
        return None, RemoteImages(shown=False, allowed_by=None, count=0, trackers=[])
    now = datetime.now(UTC)
    parts = _parts(shown(Kind.MESSAGE, message.message_id), message.details.attachments)

    def attribute(image: Image) -> tuple[str, str] | None:
        match image.kind:
            case ImageKind.PART:
                path = parts.get(unquote(image.source).strip("<> "))
                return None if path is None else ("src", path)
            case ImageKind.REMOTE if images_shown:
                query = link_query(image.source, world.issuer.keys, now=now)
                return ("src", f"{_BASE}/proxy/image?{query}")
            case ImageKind.REMOTE | ImageKind.TRACKER:
                return ("data-remote-src", image.source)

    remote = [image for image in safe.images if image.kind is not ImageKind.PART]
    trackers = Counter(_hosts(image for image in remote if image.kind is ImageKind.TRACKER))
    return filled(safe, [attribute(image) for image in safe.images]), RemoteImages(
        shown=images_shown,
        allowed_by=allowed_by,
        count=len(remote),
        trackers=[Tracker(host=host, count=count) for host, count in trackers.most_common()],
    )


def page(title: str, html: str | None, text: str) -> Response[str]:
    """A page of its own, which can do nothing."""
    body = html if html is not None else f"<pre>{markup.escape(text)}</pre>"
    return Response(
        _PAGE.format(title=markup.escape(title), body=body),
        media_type=MediaType.HTML,
        headers={"Content-Security-Policy": PAGE_POLICY, "X-DNS-Prefetch-Control": "off"},
    )


def _parts(message_id: str, attachments: tuple[Attachment, ...]) -> dict[str, str]:
    """Where the parts of a message are, by what `cid:` calls them (RFC 2392)."""
    return {
        part.content_id.strip("<> "): f"{_BASE}/messages/{message_id}/attachments/{part.number}"
        for part in reversed(attachments)  # of two with one name, the first is meant
        if part.content_id is not None
    }


def _hosts(images: Iterator[Image]) -> Iterator[str]:
    for image in images:
        address = WebAddress.read(image.source)
        if address is not None:
            yield address.host
