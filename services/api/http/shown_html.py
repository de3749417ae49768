"""A message's HTML as a reader gets it: sanitised, its images from us or held back."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import unquote
from uuid import UUID

from litestar.params import QueryParameter
from msgspec import Struct

from services.api.domain.html import Image, ImageKind, filled
from services.api.domain.image_links import link_query, part_query
from services.api.domain.parts import Part
from services.api.domain.web_address import WebAddress
from services.api.store.reading import ShownMessage
from services.api.world import World
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Attachment, MessageContent

_BASE = "/api/v1"

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
    of_tenant: UUID | None = None,
) -> tuple[str | None, RemoteImages]:
    """The HTML that may be shown, if there is any, and what it wanted to fetch.

    `of_tenant`: for a page without an origin, whose parts come by links that need no session.
    """
    safe = await world.sanitiser.sanitised(content.html) if content.html else None
    if safe is None:
        return None, RemoteImages(shown=False, allowed_by=None, count=0, trackers=[])
    now = datetime.now(UTC)
    parts = _parts(message.details.attachments)

    def part_link(number: int) -> str:
        if of_tenant is None:
            name = shown(Kind.MESSAGE, message.message_id)
            return f"{_BASE}/messages/{name}/attachments/{number}"
        part = Part(of_tenant, message.account_id, message.message_id, number)
        return f"{_BASE}/proxy/part?{part_query(part.shown(), world.issuer.keys, now=now)}"

    def attribute(image: Image) -> tuple[str, str] | None:
        match image.kind:
            case ImageKind.PART:
                number = parts.get(unquote(image.source).strip("<> "))
                return None if number is None else ("src", part_link(number))
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


def _parts(attachments: tuple[Attachment, ...]) -> dict[str, int]:
    """Which attachment is meant by what `cid:` calls it (RFC 2392)."""
    return {
        part.content_id.strip("<> "): part.number
        for part in reversed(attachments)  # of two with one name, the first is meant
        if part.content_id is not None
    }


def _hosts(images: Iterator[Image]) -> Iterator[str]:
    for image in images:
        address = WebAddress.read(image.source)
        if address is not None:
            yield address.host
