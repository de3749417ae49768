"""/jobs: what was asked for and may take a while, how far it came, and taking it back."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from litestar import Response, Router, get
from litestar.params import FromPath, HeaderParameter
from msgspec import Struct

from services.api.actions.undo_job import undo_job
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.moments import Moment
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.verbs import verb
from services.api.store import jobs as store
from services.api.store.jobs import Job
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction

B = TypeVar("B")

_LONGEST_WAIT_SECONDS = 30
_LOOK_SECONDS = 1.0  # without a hint
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)

Prefer = Annotated[
    str | None,
    HeaderParameter(
        name="Prefer",
        max_length=200,
        description="`wait=5`: answer when the mail server has had its say, or after so many"
        " seconds (RFC 7240 §4.3). What nothing brings back is then done at once.",
    ),
]


class ShownJob(Struct, frozen=True, kw_only=True):
    """What was asked for in one account. Counted are messages; a mailbox counts as one."""

    id: str
    account_id: str
    state: str  # pending, done, partly_done, failed, undone
    total: int
    is_counted: bool  # `total` is all there is to do
    done: int
    failed: int
    reason: str | None
    server_said: str | None
    undoes: str | None
    undone_by: str | None
    undo_until: Moment | None
    created_at: Moment
    updated_at: Moment


class Jobs(Struct, frozen=True, kw_only=True):
    """A job for each account."""

    jobs: list[ShownJob]


@get("/{job_id:str}", summary="How far a job came", security=needs(Scope.MAIL_READ))
async def get_one(request: Asking, job_id: FromPath[str]) -> ShownJob:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        job = await store.by_id(connection, caller.tenant_id, id_of(Kind.JOB, job_id))
    if job is None:
        raise NotFound
    return shown_job(request, job)


@verb(
    "/{job_id:str}:undo",
    summary="Take back what was asked for; what was not begun is not carried out",
    security=needs(Scope.MAIL_WRITE),
)
async def undo(request: Asking, job_id: FromPath[str], prefer: Prefer = None) -> Response[ShownJob]:
    world = world_of(request)
    job, grew = await undo_job(
        world.request_pool,
        request.user.caller,
        request.user.claims.person_id,
        id_of(Kind.JOB, job_id),
        world.settings.undo_window,
    )
    await committed(request, grew)
    [settled] = await awaited(request, [job], prefer)
    return answer(shown_job(request, settled), [settled], prefer)


def router() -> Router:
    return Router("/jobs", route_handlers=[get_one, undo], tags=["jobs"])


async def committed(request: Asking, grew: Mapping[UUID, int]) -> None:
    """Something was asked for: nobody waits for a poll."""
    world = world_of(request)
    await world.committed(grew, told=True)
    world.to_gather.set()


def wants_wait(prefer: str | None) -> float:
    """For how many seconds the caller waits for the server's word (RFC 7240 §4.3)."""
    found = _WAIT.search(prefer or "")
    return float(min(int(found[1]), _LONGEST_WAIT_SECONDS)) if found else 0.0


async def awaited(request: Asking, jobs: Sequence[Job], prefer: str | None) -> list[Job]:
    """The jobs when all have ended, or the time is over that the caller would wait."""
    world, caller = world_of(request), request.user.caller
    until = time.monotonic() + wants_wait(prefer)
    grew = world.growth.follow(caller.tenant_id)
    try:
        while True:
            left = until - time.monotonic()
            if left <= 0 or world.closing.is_set() or all(one.state != "pending" for one in jobs):
                return list(jobs)
            try:
                async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                    await grew.wait()
            except TimeoutError:
                pass
            grew.clear()
            async with tenant_transaction(world.request_pool, caller) as connection:
                jobs = [
                    await store.by_id(connection, caller.tenant_id, one.job_id) or one
                    for one in jobs
                ]
    finally:
        world.growth.unfollow(caller.tenant_id, grew)


def answer(body: B, jobs: Sequence[Job], prefer: str | None) -> Response[B]:
    """200 when all is settled, 202 while something is pending."""
    headers = {"Preference-Applied": f"wait={wants_wait(prefer):.0f}"} if wants_wait(prefer) else {}
    pending = any(one.state == "pending" for one in jobs)
    if len(jobs) == 1:
        headers["Location"] = f"/api/v1/jobs/{shown(Kind.JOB, jobs[0].job_id)}"
    return Response(body, status_code=202 if pending else 200, headers=headers)


def shown_job(request: Asking, job: Job) -> ShownJob:
    until = job.created_at + world_of(request).settings.undo_window
    return ShownJob(
        id=shown(Kind.JOB, job.job_id),
        account_id=shown(Kind.ACCOUNT, job.account_id),
        state=job.state,
        total=job.total,
        is_counted=job.gathered,
        done=job.done,
        failed=job.failed,
        reason=job.reason,
        server_said=job.server_said,
        undoes=job.undoes and shown(Kind.JOB, job.undoes),
        undone_by=job.undone_by and shown(Kind.JOB, job.undone_by),
        undo_until=None if job.undone_by is not None else until,
        created_at=job.created_at,
        updated_at=job.updated_at,
    )
