"""/threads: a conversation, whole."""

from litestar import Router, get
from litestar.params import FromPath
from msgspec import Struct

from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.messages import Message, listed
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import reading
from shared.contracts.ids import Kind
from shared.db import tenant_reading

_MOST = 1_000  # who reads a conversation reads its end


class Thread(Struct, frozen=True, kw_only=True):
    """A conversation: its messages in all mailboxes of the account, oldest first.

    Sent messages are among them. Of a very long one only the newest are shown.
    """

    id: str
    items: list[Message]
    is_cut: bool


@get("/{thread_id:str}", summary="The messages of a thread", security=needs(Scope.MAIL_READ))
async def thread(request: Asking, thread_id: FromPath[str]) -> Thread:
    caller = request.user.caller
    async with tenant_reading(world_of(request).request_pool, caller) as connection:
        found = await reading.in_thread(
            connection, caller.tenant_id, id_of(Kind.THREAD, thread_id), _MOST + 1
        )
    if not found:
        raise NotFound
    return Thread(
        id=thread_id, items=[listed(one) for one in found[-_MOST:]], is_cut=len(found) > _MOST
    )


def router() -> Router:
    return Router("/threads", route_handlers=[thread], tags=["threads"])
