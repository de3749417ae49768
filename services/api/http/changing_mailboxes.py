"""/mailboxes: make, rename, remove, subscribe; empty one, mark all of it read."""

from typing import Annotated, Self
from uuid import UUID

from litestar import Response, Router, delete, patch, post
from litestar.params import FromPath, JSONBody
from pydantic import StringConstraints, model_validator
from uuid_utils.compat import uuid7

from services.api.actions.ask_changes import change_mailbox
from services.api.domain.changes import Asked
from services.api.domain.refusals import MailboxFixed, NotFound, PathTaken
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, Line
from services.api.http.changing import Id, hold_back, select_and_change
from services.api.http.jobs import Prefer, ShownJob, answer, awaited, committed, shown_job
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.verbs import verb
from services.api.store import accounts, changeable
from services.api.store.changeable import Box
from services.api.store.jobs import Selection
from shared.contracts.ids import Kind
from shared.contracts.intent import (
    CreateMailbox,
    DeleteMailbox,
    Destroy,
    MailboxChange,
    Mark,
    RenameMailbox,
    SubscribeMailbox,
)
from shared.contracts.mail import MailboxRole
from shared.db import tenant_transaction

Path = Annotated[Line, StringConstraints(min_length=1, max_length=500)]


class NewMailbox(Body):
    """A mailbox to make. The path has the account's delimiter between its levels."""

    account_id: Id
    path: Path


class ChangedMailbox(Body):
    """What is to be different about a mailbox: its path, or whether it is subscribed to."""

    path: Path | None = None
    subscribed: bool | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.path is None) == (self.subscribed is None):
            raise ValueError("Say one thing: path or subscribed.")
        return self


@post("", status_code=202, summary="Make a mailbox", security=needs(Scope.MAIL_WRITE))
async def create(
    request: Asking, data: JSONBody[NewMailbox], prefer: Prefer = None
) -> Response[ShownJob]:
    caller = request.user.caller
    account_id = id_of(Kind.ACCOUNT, data.account_id)
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        if not await accounts.by_id(connection, caller.tenant_id, account_id):
            raise NotFound
        if await changeable.path_is_taken(connection, caller.tenant_id, account_id, data.path):
            raise PathTaken
    mailbox_id = uuid7()
    return await _change(
        request,
        account_id,
        CreateMailbox(mailbox_id=mailbox_id, path=data.path),
        DeleteMailbox(mailbox_id=mailbox_id),
        prefer,
    )


@patch(
    "/{mailbox_id:str}",
    status_code=202,
    summary="Rename a mailbox, or subscribe to it",
    security=needs(Scope.MAIL_WRITE),
)
async def change(
    request: Asking,
    mailbox_id: FromPath[str],
    data: JSONBody[ChangedMailbox],
    prefer: Prefer = None,
) -> Response[ShownJob]:
    caller = request.user.caller
    box = await _box(request, mailbox_id)
    if data.path is None:
        wanted = bool(data.subscribed)
        return await _change(
            request,
            box.account_id,
            SubscribeMailbox(mailbox_id=box.mailbox_id, subscribed=wanted),
            SubscribeMailbox(mailbox_id=box.mailbox_id, subscribed=box.subscribed),
            prefer,
        )
    _refuse_fixed(box)
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        if data.path != box.path and await changeable.path_is_taken(
            connection, caller.tenant_id, box.account_id, data.path
        ):
            raise PathTaken
    return await _change(
        request,
        box.account_id,
        RenameMailbox(mailbox_id=box.mailbox_id, path=data.path),
        RenameMailbox(mailbox_id=box.mailbox_id, path=box.path),
        prefer,
    )


@delete(
    "/{mailbox_id:str}",
    status_code=202,
    summary="Remove a mailbox with all that is in it",
    security=needs(Scope.MAIL_WRITE),
)
async def remove(
    request: Asking, mailbox_id: FromPath[str], prefer: Prefer = None
) -> Response[ShownJob]:
    box = await _box(request, mailbox_id)
    _refuse_fixed(box)
    return await _change(
        request, box.account_id, DeleteMailbox(mailbox_id=box.mailbox_id), None, prefer
    )


@verb(
    "/{mailbox_id:str}:empty",
    summary="Destroy all that is in a mailbox",
    security=needs(Scope.MAIL_WRITE),
)
async def empty(
    request: Asking, mailbox_id: FromPath[str], prefer: Prefer = None
) -> Response[ShownJob]:
    box = await _box(request, mailbox_id)
    job = await select_and_change(
        request,
        box.account_id,
        Selection(mailbox_id=box.mailbox_id),
        Asked(changes=(Destroy(),)),
        prefer,
    )
    return answer(shown_job(request, job), [job], prefer)


@verb(
    "/{mailbox_id:str}:mark-all-read",
    summary="Mark all in a mailbox read",
    security=needs(Scope.MAIL_WRITE),
)
async def mark_all_read(
    request: Asking, mailbox_id: FromPath[str], prefer: Prefer = None
) -> Response[ShownJob]:
    box = await _box(request, mailbox_id)
    job = await select_and_change(
        request,
        box.account_id,
        Selection(mailbox_id=box.mailbox_id, unread=True),
        Asked(changes=(Mark(add=frozenset({"\\Seen"})),)),
        prefer,
    )
    return answer(shown_job(request, job), [job], prefer)


def router() -> Router:
    return Router(
        "/mailboxes",
        route_handlers=[create, change, remove, empty, mark_all_read],
        tags=["mailboxes"],
    )


async def _box(request: Asking, mailbox_id: str) -> Box:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        box = await changeable.mailbox(
            connection, caller.tenant_id, id_of(Kind.MAILBOX, mailbox_id)
        )
    if box is None:
        raise NotFound
    return box


def _refuse_fixed(box: Box) -> None:
    """INBOX is every account's (RFC 9051 §5.1); renaming it would only move what is in it."""
    if box.role == MailboxRole.INBOX or box.path.upper() == "INBOX":
        raise MailboxFixed


async def _change(
    request: Asking,
    account_id: UUID,
    wanted: MailboxChange,
    back: MailboxChange | None,
    prefer: str | None,
) -> Response[ShownJob]:
    world = world_of(request)
    job, grew = await change_mailbox(
        world.request_pool,
        request.user.caller,
        request.user.claims.person_id,
        account_id,
        Asked(mailbox=wanted, mailbox_back=back),
        hold_back(request, prefer),
    )
    await committed(request, grew)
    [settled] = await awaited(request, [job], prefer)
    return answer(shown_job(request, settled), [settled], prefer)
