"""/mailboxes: what is in an account."""

from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import Struct

from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts
from services.api.store import mailboxes as store
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import MailboxRole
from shared.db import tenant_reading


class Mailbox(Struct, frozen=True, kw_only=True):
    """A mailbox (RFC 9051) and how much is in it."""

    id: str
    account_id: str
    path: str
    name: str
    delimiter: str | None
    role: MailboxRole | None
    selectable: bool
    subscribed: bool
    message_count: int
    unread_count: int
    pending: str | None  # what is wanted of it: create, rename, delete, subscribe


class Mailboxes(Struct, frozen=True, kw_only=True):
    """Mailboxes by path."""

    items: list[Mailbox]


@get("", summary="List mailboxes, of one account or of all", security=needs(Scope.MAIL_READ))
async def list_all(
    request: Asking,
    account_id: Annotated[str | None, QueryParameter(description="Of this account only.")] = None,
) -> Mailboxes:
    caller = request.user.caller
    account = id_of(Kind.ACCOUNT, account_id) if account_id is not None else None
    async with tenant_reading(world_of(request).request_pool, caller) as connection:
        if account and not await accounts.by_id(connection, caller.tenant_id, account):
            raise NotFound
        found = await store.of_account(connection, caller.tenant_id, account)
    return Mailboxes(
        items=[
            Mailbox(
                id=shown(Kind.MAILBOX, one.mailbox_id),
                account_id=shown(Kind.ACCOUNT, one.account_id),
                path=one.path,
                name=one.name,
                delimiter=one.delimiter,
                role=MailboxRole(one.role) if one.role else None,
                selectable=one.selectable,
                subscribed=one.subscribed,
                message_count=one.message_count,
                unread_count=one.unread_count,
                pending=one.pending,
            )
            for one in found
        ]
    )


def router() -> Router:
    return Router("/mailboxes", route_handlers=[list_all], tags=["mailboxes"])
