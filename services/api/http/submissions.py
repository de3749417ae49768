"""/submissions: messages on their way out."""

import hashlib
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from msgspec import Struct, structs

from services.api.actions.find_submission import find_submission
from services.api.actions.preview_message import preview_message
from services.api.actions.send_message import find_repeated, send_message
from services.api.actions.submitting import Outgoing
from services.api.domain.cursors import After
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.domain.writing import Written
from services.api.http.limits import spend_sending
from services.api.http.paging import Cursor, Limit, after
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.sending import NewSubmission, brought, composed, outgoing_of
from services.api.http.shown_submissions import (
    Submission,
    SubmissionPage,
    accepted,
    submission_of,
)
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts
from services.api.store import submissions as store
from shared.contracts.ids import Kind, NotAnId, read
from shared.contracts.submission import SubmissionState
from shared.db import tenant_transaction


class ShownCheck(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    passed: bool
    code: str | None
    detail: str


class Preview(Struct, frozen=True, kw_only=True):
    """What would be sent: the message as it would leave, and to whom."""

    sender: str = msgspec.field(name="from")  # of the envelope
    recipients: list[str]  # of the envelope
    message_id: str | None
    size_bytes: int
    mime: str | None  # null where a check failed
    mime_is_cut: bool
    checks: list[ShownCheck]


@post(
    "",
    status_code=202,
    summary="Send a message",
    security=needs(Scope.MAIL_SEND),
    responses={200: ResponseSpec(Preview, description="What would be sent (`dry_run`).")},
)
async def create(
    request: Asking,
    data: JSONBody[NewSubmission],
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            min_length=1,
            max_length=200,
            description="Repeat a request with its key, and it is carried out once.",
        ),
    ] = None,
) -> Response[Submission]:
    """Its state is `held` while it can be undone, `scheduled` until its time, then `queued`."""
    world, caller, person = world_of(request), request.user.caller, request.user.claims.person_id
    outgoing = outgoing_of(
        _account_of(data.account_id),
        Written(),
        data,
        created_by=person,
        digest=hashlib.sha256(await request.body()).digest(),
        idempotency_key=idempotency_key,
    )
    earlier = await find_repeated(world.request_pool, caller, outgoing)
    if earlier is not None:
        return accepted(earlier)
    if data.is_raw:
        written = await brought(request, data)
    else:
        written = await composed(request, outgoing.account_id, data)
    outgoing = structs.replace(outgoing, written=written)
    if data.dry_run:
        return await _preview(request, outgoing)
    await spend_sending(request, str(person))
    sent, grew = await send_message(world.sending, caller, outgoing)
    await world.committed(grew, told=True)
    return accepted(sent)


@get(
    "/{submission_id:str}",
    summary="One submission and what became of it",
    security=needs(Scope.MAIL_READ),
)
async def get_one(request: Asking, submission_id: FromPath[str]) -> Submission:
    return submission_of(
        await find_submission(
            world_of(request).request_pool,
            request.user.caller,
            id_of(Kind.SUBMISSION, submission_id),
        )
    )


@get("", summary="List submissions, newest first", security=needs(Scope.MAIL_READ))
async def list_some(
    request: Asking,
    account_id: Annotated[str | None, QueryParameter(description="Of this account only.")] = None,
    states: Annotated[
        list[SubmissionState] | None,
        QueryParameter(
            name="state", description="In one of these states only; may be given more than once."
        ),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SubmissionPage:
    caller = request.user.caller
    behind = after(cursor)
    if SubmissionState.OTHER in (states or ()):
        # The word for those that are not known yet: nobody asks for them.
        message = "This is not the state of any submission."
        raise Invalid([FieldProblem(parameter="state", message=message, code="unknown")])
    account = id_of(Kind.ACCOUNT, account_id) if account_id is not None else None
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        if account and not await accounts.by_id(connection, caller.tenant_id, account):
            raise NotFound
        found = await store.newest(
            connection,
            caller.tenant_id,
            account,
            [one.value for one in states or ()],
            behind,
            limit + 1,
        )
    return SubmissionPage(
        items=[submission_of(one) for one in found[:limit]],
        next_cursor=After(found[limit - 1].created_at, found[limit - 1].submission_id).shown()
        if len(found) > limit
        else None,
    )


def router() -> Router:
    return Router("/submissions", route_handlers=[create, get_one, list_some], tags=["submissions"])


def _account_of(shown_id: str) -> UUID:
    try:
        return read(Kind.ACCOUNT, shown_id)
    except NotAnId:
        raise Invalid(
            [
                FieldProblem(
                    pointer="/account_id", message="This is not an account's id.", code="invalid"
                )
            ]
        ) from None


async def _preview(request: Asking, outgoing: Outgoing) -> Response[Any]:
    world = world_of(request)
    found = await preview_message(
        world.request_pool,
        world.bus,
        request.user.caller,
        outgoing,
    )
    preview = Preview(
        sender=found.sender,
        recipients=list(found.recipients),
        message_id=found.message_id,
        size_bytes=found.size_bytes,
        mime=found.mime.decode("utf-8", "replace") if found.mime else None,
        mime_is_cut=len(found.mime) < found.size_bytes,
        checks=[
            ShownCheck(name=one.name, passed=one.passed, code=one.code, detail=one.detail)
            for one in found.checks
        ],
    )
    return Response(preview, status_code=200)
