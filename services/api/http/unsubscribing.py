"""POST /messages/{id}:unsubscribe: leave the mailing list that a message came through."""

from litestar import Response, Router
from litestar.params import FromPath

from services.api.actions.leave_list import leave_list
from services.api.actions.read_message import read_message
from services.api.domain.rights import Scope
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.verbs import verb
from shared.contracts.ids import Kind


@verb(
    "/{message_id:str}:unsubscribe",
    summary="Leave the list that it came through",
    description="By the one request that the list asks for (RFC 8058), where `mailing_list` has a"
    " `one_click`; the list is told nothing of who asks but what its own address says.",
    security=needs(Scope.MAIL_WRITE),
    status_code=204,
)
async def unsubscribe(request: Asking, message_id: FromPath[str]) -> Response[None]:
    world = world_of(request)
    _, content = await read_message(
        world.request_pool, world.bus, request.user.caller, id_of(Kind.MESSAGE, message_id)
    )
    await leave_list(
        content.mailing_list,
        policy=world.settings.dial_policy,
        dial_seconds=world.settings.dial_timeout_seconds,
        seconds=world.settings.image_seconds,
    )
    return Response(None, status_code=204)


def router() -> Router:
    return Router("/messages", route_handlers=[unsubscribe], tags=["messages"])
