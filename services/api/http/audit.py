"""/audit: who did what in a tenant."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import Struct

from services.api.domain.cursors import After
from services.api.domain.rights import Scope
from services.api.http.moments import Moment
from services.api.http.paging import Cursor, Limit, Page, after
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import audit_log
from services.api.store.audit_log import AuditEntry, AuditFilter
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction


class ShownAuditEntry(Struct, frozen=True, kw_only=True):
    """Something that somebody did. `action` is an event's type, or a word of its own."""

    id: str
    occurred_at: Moment
    action: str
    user_id: str | None  # null: somebody who had not proven who they are
    token_id: str | None  # the API token that spoke for them
    address: str | None
    request_id: str | None  # as in `X-Request-ID` and the log
    account_id: str | None
    subject: str | None  # what it was done to
    details: dict[str, Any]


class AuditPage(Page[ShownAuditEntry], frozen=True, kw_only=True):
    """Some of the audit, the newest first. `next_cursor` is null at its end."""


@get(
    "",
    security=needs(Scope.TENANT_ADMIN),
    summary="Who did what, the newest first",
    description="Written within seconds, never changed, and kept for as long as the operator says"
    " (90 days at least).",
)
async def list_some(
    request: Asking,
    action: Annotated[
        str | None,
        QueryParameter(
            max_length=100,
            description="An action, as `token.made`, or all that begin so, as `token`.",
        ),
    ] = None,
    user_id: Annotated[str | None, QueryParameter(description="By this person.")] = None,
    account_id: Annotated[str | None, QueryParameter(description="To this account.")] = None,
    since: Annotated[datetime | None, QueryParameter(description="Not before (RFC 3339).")] = None,
    until: Annotated[datetime | None, QueryParameter(description="Before (RFC 3339).")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditPage:
    errors = [
        FieldProblem(parameter=name, message=message, code=code)
        for name, is_wrong, message, code in (
            ("action", action is not None and "\0" in action, "NUL is not allowed.", "nul"),
            ("since", _is_bare(since), "The offset from UTC is missing.", "no_offset"),
            ("until", _is_bare(until), "The offset from UTC is missing.", "no_offset"),
        )
        if is_wrong
    ]
    if errors:
        raise Invalid(errors)
    caller = request.user.caller
    wanted = AuditFilter(
        action=action,
        person_id=None if user_id is None else id_of(Kind.USER, user_id),
        account_id=None if account_id is None else id_of(Kind.ACCOUNT, account_id),
        since=since,
        until=until,
    )
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await audit_log.page(
            connection, caller.tenant_id, wanted, after=after(cursor), limit=limit + 1
        )
    return AuditPage(
        items=[_entry(entry) for entry in found[:limit]],
        next_cursor=After(found[limit - 1].occurred_at, found[limit - 1].audit_id).shown()
        if len(found) > limit
        else None,
    )


def router() -> Router:
    return Router("/audit", route_handlers=[list_some], tags=["tenant"])


def _is_bare(moment: datetime | None) -> bool:
    return moment is not None and moment.tzinfo is None


def _entry(entry: AuditEntry) -> ShownAuditEntry:
    return ShownAuditEntry(
        id=shown(Kind.AUDIT, entry.audit_id),
        occurred_at=entry.occurred_at,
        action=entry.action,
        user_id=entry.person_id and shown(Kind.USER, entry.person_id),
        token_id=entry.token_id and shown(Kind.TOKEN, entry.token_id),
        address=entry.address,
        request_id=entry.request_id,
        account_id=entry.account_id and shown(Kind.ACCOUNT, entry.account_id),
        subject=entry.subject,
        details=entry.details,
    )
