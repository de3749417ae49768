"""What can be done about a submission: cancel it, send it now or later, try again."""

import asyncio
import contextlib
import time
from datetime import datetime
from typing import Annotated

from litestar import Response, Router, patch
from litestar.params import FromPath, JSONBody
from pydantic import AwareDatetime, Field

from services.api.actions.change_submission import change_submission
from services.api.actions.find_submission import find_submission
from services.api.domain.refusals import (
    CannotUnsend,
    ExpiresBefore,
    MayArriveTwice,
    MessageForgotten,
    Refused,
    SubmissionPending,
    SubmissionSent,
    SubmissionSettled,
)
from services.api.domain.rights import Scope
from services.api.http.bodies import Body
from services.api.http.scopes import needs
from services.api.http.shown_submissions import Submission, submission_of
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.verbs import verb
from shared.contracts.ids import Kind
from shared.contracts.submission import SubmissionAction

_ANSWER_SECONDS = 2.0
_LOOK_SECONDS = 0.1

_REFUSALS: dict[str, type[Refused]] = {
    one.code: one
    for one in (
        CannotUnsend,
        SubmissionSettled,
        SubmissionSent,
        SubmissionPending,
        MayArriveTwice,
        MessageForgotten,
        ExpiresBefore,
    )
}


class ChangedSubmission(Body):
    """When it is to go instead."""

    send_at: AwareDatetime


class Retry(Body):
    """How to try again."""

    may_arrive_twice: Annotated[
        bool, Field(description="Send to those as well of whom nobody knows whether they have it.")
    ] = False


@patch(
    "/{submission_id:str}",
    summary="Send it at another time",
    security=needs(Scope.MAIL_SEND),
)
async def reschedule(
    request: Asking, submission_id: FromPath[str], data: JSONBody[ChangedSubmission]
) -> Response[Submission]:
    return await _changed(request, submission_id, SubmissionAction.RESCHEDULE, send_at=data.send_at)


@verb("/{submission_id:str}:cancel", summary="Do not send it", security=needs(Scope.MAIL_SEND))
async def cancel(request: Asking, submission_id: FromPath[str]) -> Response[Submission]:
    """Answers 200 when nobody else gets it, and 409 `cannot_unsend` when it is on its way."""
    return await _changed(request, submission_id, SubmissionAction.CANCEL)


@verb(
    "/{submission_id:str}:send-now",
    summary="Do not wait any longer",
    security=needs(Scope.MAIL_SEND),
)
async def send_now(request: Asking, submission_id: FromPath[str]) -> Response[Submission]:
    """Also one that was deferred is tried at once."""
    return await _changed(request, submission_id, SubmissionAction.SEND_NOW)


@verb(
    "/{submission_id:str}:retry",
    summary="Send it again to those whom it did not reach",
    security=needs(Scope.MAIL_SEND),
)
async def retry(
    request: Asking, submission_id: FromPath[str], data: JSONBody[Retry]
) -> Response[Submission]:
    return await _changed(
        request,
        submission_id,
        SubmissionAction.RETRY,
        may_arrive_twice=data.may_arrive_twice,
    )


def router() -> Router:
    return Router(
        "/submissions",
        route_handlers=[reschedule, cancel, send_now, retry],
        tags=["submissions"],
    )


async def _changed(
    request: Asking,
    submission_id: str,
    action: SubmissionAction,
    *,
    send_at: datetime | None = None,
    may_arrive_twice: bool = False,
) -> Response[Submission]:
    """200 when sender has done it, its refusal, or 202 while it has not answered."""
    world, caller = world_of(request), request.user.caller
    wanted = id_of(Kind.SUBMISSION, submission_id)
    change_id = await change_submission(
        world.request_pool,
        caller,
        wanted,
        action,
        send_at=send_at,
        may_arrive_twice=may_arrive_twice,
    )
    world.relay.wake()
    until = time.monotonic() + _ANSWER_SECONDS
    grew = world.growth.follow(caller.tenant_id)
    try:
        while True:
            found = await find_submission(world.request_pool, caller, wanted)
            if found.change_id == change_id or time.monotonic() > until:
                break
            # What changes nothing about it is in no log, and nobody is woken by it.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await grew.wait()
            grew.clear()
    finally:
        world.growth.unfollow(caller.tenant_id, grew)
    if found.change_id != change_id:
        return Response(submission_of(found), status_code=202)
    if found.change_refused is not None:
        raise _REFUSALS.get(found.change_refused, SubmissionSettled)
    return Response(submission_of(found), status_code=200)
