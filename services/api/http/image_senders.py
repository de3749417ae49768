"""/image-senders: whose remote images are shown without asking each time."""

from typing import Annotated

from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from pydantic import AfterValidator, Field, StringConstraints

from services.api.actions.allow_image_sender import allow_image_sender
from services.api.actions.forget_image_sender import forget_image_sender
from services.api.domain.image_senders import sender_of
from services.api.domain.rights import Scope
from services.api.http.bodies import Body
from services.api.http.moments import Moment
from services.api.http.scopes import needs, needs_session
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import image_senders as store
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction

Sender = Annotated[str, StringConstraints(min_length=1, max_length=320), AfterValidator(sender_of)]


class NewImageSender(Body):
    """Somebody whose images are to be shown."""

    sender: Sender = Field(
        description="An address, or a domain, which stands for the domains below it as well."
    )


class ImageSender(Struct, frozen=True, kw_only=True):
    """An address or a domain whose images are shown."""

    id: str
    sender: str
    created_at: Moment


class ImageSenders(Struct, frozen=True, kw_only=True):
    """Those whose images are shown, by name."""

    items: list[ImageSender]


@get(
    "",
    summary="List whose remote images are shown to you",
    security=needs(Scope.MAIL_READ),
)
async def list_all(request: Asking) -> ImageSenders:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await store.of_person(connection, caller.tenant_id, request.user.claims.person_id)
    return ImageSenders(items=[_shown(one) for one in found])


@post(
    "",
    status_code=200,
    summary="Show the remote images of a sender from now on",
    security=needs_session(Scope.MAIL_READ),
    description="To you alone, in messages of which the receiving server does not doubt who they"
    " are from, and not in Junk. Who was allowed before is answered as before.",
)
async def allow(request: Asking, data: JSONBody[NewImageSender]) -> ImageSender:
    return _shown(
        await allow_image_sender(
            world_of(request).request_pool,
            request.user.caller,
            request.user.claims.person_id,
            data.sender,
        )
    )


@delete(
    "/{image_sender_id:str}",
    summary="Show the remote images of a sender only when asked",
    security=needs_session(Scope.MAIL_READ),
)
async def forget(request: Asking, image_sender_id: FromPath[str]) -> None:
    await forget_image_sender(
        world_of(request).request_pool,
        request.user.caller,
        request.user.claims.person_id,
        id_of(Kind.IMAGE_SENDER, image_sender_id),
    )


def router() -> Router:
    return Router("/image-senders", route_handlers=[list_all, allow, forget], tags=["messages"])


def _shown(one: store.ImageSender) -> ImageSender:
    return ImageSender(
        id=shown(Kind.IMAGE_SENDER, one.image_sender_id),
        sender=one.sender,
        created_at=one.created_at,
    )
