"""/labels: by which words messages of an account are told apart."""

from enum import StrEnum
from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import Struct

from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts
from services.api.store import labels as store
from shared.contracts.ids import Kind, shown
from shared.db import tenant_reading


class LabelKind(StrEnum):
    """What a label is to the server: its own (Gmail), or an IMAP keyword (RFC 9051 §2.3.2)."""

    LABEL = "label"
    KEYWORD = "keyword"


class KnownLabel(Struct, frozen=True, kw_only=True):
    """A label of an account, to give to messages: `labels` does so, or `keywords.custom`."""

    account_id: str
    kind: LabelKind
    name: str
    unread_count: int | None  # of `\\Inbox` only


class KnownLabels(Struct, frozen=True, kw_only=True):
    """Labels by account, kind and name."""

    items: list[KnownLabel]


@get(
    "",
    summary="List labels, of one account or of all",
    description="Where the server has labels beside mailboxes (Gmail): all that messages have,"
    " the server's own (`\\\\Inbox`), too. Everywhere: the keywords that the newest"
    f" {store.LOOKED_AT:,} messages of an account have, without the flags of IMAP (`\\\\Seen`).",
    security=needs(Scope.MAIL_READ),
)
async def list_all(
    request: Asking,
    account_id: Annotated[str | None, QueryParameter(description="Of this account only.")] = None,
) -> KnownLabels:
    caller = request.user.caller
    account = id_of(Kind.ACCOUNT, account_id) if account_id is not None else None
    async with tenant_reading(world_of(request).request_pool, caller) as connection:
        if account and not await accounts.by_id(connection, caller.tenant_id, account):
            raise NotFound
        labels = await store.of_accounts(connection, caller.tenant_id, account)
        keywords = await store.keywords_of_accounts(connection, caller.tenant_id, account)
    told = [(LabelKind.LABEL, one) for one in labels] + [
        (LabelKind.KEYWORD, one) for one in keywords
    ]
    return KnownLabels(
        items=[
            KnownLabel(
                account_id=shown(Kind.ACCOUNT, one.account_id),
                kind=kind,
                name=one.name,
                unread_count=one.unread_count,
            )
            for kind, one in sorted(told, key=lambda it: (it[1].account_id, it[0], it[1].name))
        ]
    )


def router() -> Router:
    return Router("/labels", route_handlers=[list_all], tags=["mailboxes"])
