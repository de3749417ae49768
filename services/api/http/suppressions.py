"""/suppressions: addresses that a tenant sends nothing to."""

import base64
import binascii
from typing import Annotated

from litestar import Response, Router, delete, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct
from pydantic import AfterValidator, Field, StringConstraints

from services.api.actions.change_suppression import change_suppression
from services.api.actions.list_suppressions import list_suppressions
from services.api.domain import addresses
from services.api.domain.refusals import CursorInvalid
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, Line
from services.api.http.moments import Moment
from services.api.http.paging import Cursor, Limit, Page
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, world_of
from shared.contracts.ids import Kind, shown
from shared.contracts.submission import Suppression, SuppressionReason

Email = Annotated[
    Line,
    StringConstraints(min_length=3, max_length=320),
    AfterValidator(addresses.address_spec),
]


class NewSuppression(Body):
    """An address to which nothing is to be sent any more."""

    email: Email
    comment: Annotated[Line, StringConstraints(max_length=500)] | None = Field(
        default=None, description="Why, for those who read the list."
    )


class ShownSuppression(Struct, frozen=True, kw_only=True):
    """An address that nothing is sent to. `said` is the report's words, or the comment."""

    email: str
    reason: SuppressionReason
    said: str | None
    submission_id: str | None
    created_at: Moment


class SuppressionPage(Page[ShownSuppression], frozen=True, kw_only=True):
    """Some of the list, by address. `next_cursor` is null at the end."""


@get("", summary="List the addresses that nothing is sent to", security=needs(Scope.MAIL_READ))
async def list_some(
    request: Asking,
    email: Annotated[str | None, QueryParameter(description="This address only.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SuppressionPage:
    """An address comes here when a report says that there is none such, when its owner complains of
    a message, or by hand. A submission may say `ignore_suppressions`.
    """
    wanted = _spec(email) if email is not None else None
    found = await list_suppressions(
        world_of(request).bus, request.user.caller, wanted, _after(cursor), limit + 1
    )
    return SuppressionPage(
        items=[_shown(one) for one in found[:limit]],
        next_cursor=_cursor(found[limit - 1].email) if len(found) > limit else None,
    )


@post(
    "",
    status_code=202,
    summary="Send nothing to an address any more",
    security=needs(Scope.MAIL_SEND),
)
async def add(request: Asking, data: JSONBody[NewSuppression]) -> Response[None]:
    """Of what waits to be sent, too, from a moment later on."""
    world = world_of(request)
    await change_suppression(
        world.request_pool, request.user.caller, data.email, suppressed=True, said=data.comment
    )
    await world.committed({}, told=True)
    return Response(None, status_code=202)


@delete(
    "",
    status_code=202,
    summary="Send to an address again",
    security=needs(Scope.MAIL_SEND),
)
async def remove(
    request: Asking,
    email: Annotated[str, QueryParameter(description="The address, as it is listed.")],
) -> Response[None]:
    spec = _spec(email)
    world = world_of(request)
    await change_suppression(
        world.request_pool, request.user.caller, spec, suppressed=False, said=None
    )
    await world.committed({}, told=True)
    return Response(None, status_code=202)


def router() -> Router:
    return Router("/suppressions", route_handlers=[list_some, add, remove], tags=["suppressions"])


def _spec(email: str) -> str:
    try:
        return addresses.address_spec(email)
    except ValueError as wrong:
        raise Invalid(
            [FieldProblem(parameter="email", message=str(wrong), code="invalid")]
        ) from wrong


def _cursor(email: str) -> str:
    return base64.urlsafe_b64encode(email.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        after = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as wrong:
        raise CursorInvalid from wrong
    if not after.isprintable():
        raise CursorInvalid
    return after


def _shown(one: Suppression) -> ShownSuppression:
    return ShownSuppression(
        email=one.email,
        reason=one.reason,
        said=one.said,
        submission_id=one.submission_id and shown(Kind.SUBMISSION, one.submission_id),
        created_at=one.created_at,
    )
