"""PATCH of messages and threads, and many at once: shown at once, then carried to the server."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self
from uuid import UUID

from litestar import Response, Router, patch, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from services.api.actions.ask_changes import change_messages, change_selection
from services.api.actions.find_all_messages import find_all_messages
from services.api.domain.changes import Asked
from services.api.domain.refusals import NotFound, NoTrash
from services.api.domain.rights import Scope
from services.api.domain.told import LONGEST_LABEL, label_of
from services.api.http.bodies import Body, Line
from services.api.http.jobs import (
    Jobs,
    Prefer,
    ShownJob,
    answer,
    awaited,
    committed,
    shown_job,
    wants_wait,
)
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts, changeable
from services.api.store.jobs import Job, Selection
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind
from shared.contracts.intent import Copy, Destroy, Label, Mark, MessageChange, Move
from shared.contracts.mail import MailboxRole
from shared.db import Connection, tenant_transaction

_MOST_MESSAGES = 1000
_NOT_IN_A_KEYWORD = frozenset('(){%*"\\] ')


def _keyword(text: str) -> str:
    if not text.isascii() or not text.isprintable() or not _NOT_IN_A_KEYWORD.isdisjoint(text):
        raise ValueError('A keyword is made of ASCII characters other than ( ) { % * " \\ ].')
    return text


def _label(text: str) -> str:
    label = label_of(text)
    if not label or not label.isprintable():
        raise ValueError("This is not a label.")
    return label


Id = Annotated[str, StringConstraints(max_length=64)]
Keyword = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_keyword)]
SearchText = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
LabelName = Annotated[
    Line, StringConstraints(min_length=1, max_length=LONGEST_LABEL), AfterValidator(_label)
]


class Keywords(Body):
    """Which marks a message is to have, and which not; what is left out stays."""

    seen: bool | None = None
    flagged: bool | None = None
    answered: bool | None = None
    draft: bool | None = None
    forwarded: bool | None = None
    junk: bool | None = None
    custom: Annotated[dict[Keyword, bool], Field(max_length=50)] = Field(default_factory=dict)

    def mark(self) -> Mark | None:
        wanted = {
            name: value
            for name, value in (
                ("\\Seen", self.seen),
                ("\\Flagged", self.flagged),
                ("\\Answered", self.answered),
                ("\\Draft", self.draft),
                ("$Forwarded", self.forwarded),
                ("$Junk", self.junk),
                # What somebody said is none (RFC 5788: $NotJunk).
                ("$NotJunk", None if self.junk is None else not self.junk),
            )
            if value is not None
        } | self.custom
        add = frozenset(name for name, value in wanted.items() if value)
        remove = frozenset(name for name, value in wanted.items() if not value)
        return Mark(add=add, remove=remove) if wanted else None


class Labels(Body):
    """Labels to give and to take away, where the server has labels (Gmail)."""

    add: Annotated[tuple[LabelName, ...], Field(max_length=50)] = ()
    remove: Annotated[tuple[LabelName, ...], Field(max_length=50)] = ()


class MessageChanges(Body):
    """What is to be different about messages; what is left out stays."""

    keywords: Keywords | None = None
    labels: Labels | None = None
    mailbox_id: Id | None = Field(default=None, description="Move there.")
    copy_to: Id | None = Field(default=None, description="Copy into this mailbox.")
    delete: bool = Field(default=False, description="Move to the mailbox for what is deleted.")
    destroy: bool = Field(default=False, description="Remove for good; waits until it is sure.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.mailbox_id is not None) + self.delete + self.destroy > 1:
            raise ValueError("A message goes to one place: mailbox_id, delete or destroy.")
        wanted = (self.keywords and self.keywords.mark()) or (
            self.labels and (self.labels.add or self.labels.remove)
        )
        if not (wanted or self.mailbox_id or self.copy_to or self.delete or self.destroy):
            raise ValueError("Say what is to be different.")
        return self


class MessageQuery(Body):
    """Messages of a mailbox, of an account or of all accounts, as lists show them now."""

    q: SearchText | None = Field(
        default=None,
        description="Those that `GET /search` finds by this, up to 100,000 in each account.",
    )
    mailbox_id: Id | None = None
    account_id: Id | None = None
    thread_id: Id | None = None
    label: LabelName | None = None
    unread: bool | None = None

    @property
    def is_anywhere(self) -> bool:
        """Whether all accounts are meant."""
        return self.mailbox_id is None and self.account_id is None

    @model_validator(mode="after")
    def _where(self) -> Self:
        if self.mailbox_id is not None and self.account_id is not None:
            raise ValueError("Name a mailbox_id or an account_id, not both.")
        if self.is_anywhere and not (self.q or self.thread_id or self.label):
            # What somebody forgot to say must not be all the mail they have.
            raise ValueError("Name a mailbox_id or an account_id, or say q, thread_id or label.")
        return self


class MessageBatch(Body):
    """What is to be different about many messages: by ids, or by what they are."""

    message_ids: Annotated[
        tuple[Id, ...] | None, Field(min_length=1, max_length=_MOST_MESSAGES)
    ] = None
    query: MessageQuery | None = None
    change: MessageChanges

    @model_validator(mode="after")
    def _which(self) -> Self:
        if (self.message_ids is None) == (self.query is None):
            raise ValueError("Say which messages: message_ids or query.")
        to_mailbox = self.change.mailbox_id or self.change.copy_to
        if self.query is not None and self.query.is_anywhere and to_mailbox:
            raise ValueError("A mailbox is in one account: name that in the query.")
        return self


@patch(
    "/{message_id:str}",
    status_code=202,
    summary="Mark, label, move, copy, delete or destroy a message",
    security=needs(Scope.MAIL_WRITE),
)
async def change_one(
    request: Asking,
    message_id: FromPath[str],
    data: JSONBody[MessageChanges],
    prefer: Prefer = None,
) -> Response[ShownJob]:
    jobs = await _change(request, [id_of(Kind.MESSAGE, message_id)], data, prefer)
    [settled] = await awaited(request, jobs, prefer)
    return answer(shown_job(request, settled), [settled], prefer)


@patch(
    "/{thread_id:str}",
    status_code=202,
    summary="Change all messages of a thread: a job for each account that has some",
    security=needs(Scope.MAIL_WRITE),
)
async def change_thread(
    request: Asking,
    thread_id: FromPath[str],
    data: JSONBody[MessageChanges],
    prefer: Prefer = None,
) -> Response[Jobs]:
    caller = request.user.caller
    thread = id_of(Kind.THREAD, thread_id)
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        asked = {
            account_id: await _asked(connection, caller.tenant_id, account_id, data)
            for account_id in await changeable.accounts_with(connection, caller.tenant_id, thread)
        }
    if not asked:
        raise NotFound
    jobs = [
        await _select(request, account_id, Selection(thread_id=thread), wanted, prefer)
        for account_id, wanted in asked.items()
    ]
    return _answer_all(request, await awaited(request, jobs, prefer), prefer)


@post(
    "",
    status_code=202,
    summary="Change many messages: a job for each account that has some",
    description="By up to 1,000 ids, all of them or none; or by a query, of whose messages the"
    " first thousand are changed at once and the others as the job goes on. What matches is what"
    " matches now: a message that comes later is not changed. A query that names neither a mailbox"
    " nor an account is asked of all accounts.",
    security=needs(Scope.MAIL_WRITE),
)
async def change_many(
    request: Asking, data: JSONBody[MessageBatch], prefer: Prefer = None
) -> Response[Jobs]:
    if data.query is None:
        ids = [id_of(Kind.MESSAGE, one) for one in data.message_ids or ()]
        jobs = await _change(request, ids, data.change, prefer)
    else:
        jobs = await _change_query(request, data.query, data.change, prefer)
    return _answer_all(request, await awaited(request, jobs, prefer), prefer)


def routers() -> list[Router]:
    return [
        Router("/messages", route_handlers=[change_one], tags=["messages"]),
        Router("/messages:batch", route_handlers=[change_many], tags=["messages"]),
        Router("/threads", route_handlers=[change_thread], tags=["threads"]),
    ]


async def _change(
    request: Asking, ids: list[UUID], data: MessageChanges, prefer: str | None
) -> list[Job]:
    """Jobs for these messages, as many as there are accounts; deleting knows each one's trash."""
    world, caller = world_of(request), request.user.caller
    async with tenant_transaction(world.request_pool, caller) as connection:
        whose = await changeable.accounts_of(connection, caller.tenant_id, ids)
        if len(whose) < len(set(ids)):
            raise NotFound("There is no such message, or it is in no mailbox.")
        asked = {
            account_id: await _asked(connection, caller.tenant_id, account_id, data)
            for account_id in sorted(set(whose.values()))
        }
    made, grew = await change_messages(
        world.request_pool,
        caller,
        request.user.claims.person_id,
        ids,
        asked,
        hold_back(request, prefer),
    )
    await committed(request, grew)
    return made


async def _change_query(
    request: Asking, query: MessageQuery, data: MessageChanges, prefer: str | None
) -> list[Job]:
    """A job for each account that is meant; of all, for those in which anything is found."""
    world, caller = world_of(request), request.user.caller
    async with tenant_transaction(world.request_pool, caller) as connection:
        mailbox_id = None if query.mailbox_id is None else id_of(Kind.MAILBOX, query.mailbox_id)
        asked = {
            account_id: await _asked(connection, caller.tenant_id, account_id, data)
            for account_id in await _meant(connection, caller, query, mailbox_id)
        }
    found: dict[UUID, list[UUID]] = {}
    if query.q is not None:
        for account_id in asked:  # of all before any is changed: none, where one cannot be asked
            found[account_id] = await find_all_messages(
                world.request_pool, world.bus, caller, account_id, query.q
            )
    selection = Selection(
        mailbox_id=mailbox_id,
        thread_id=None if query.thread_id is None else id_of(Kind.THREAD, query.thread_id),
        label=query.label,
        unread=query.unread,
        found=query.q is not None,
    )
    return [
        await _select(request, account_id, selection, wanted, prefer, found.get(account_id, ()))
        for account_id, wanted in asked.items()
        if not query.is_anywhere or found.get(account_id, True)
    ]


async def _meant(
    connection: Connection, caller: Caller, query: MessageQuery, mailbox_id: UUID | None
) -> list[UUID]:
    if query.is_anywhere:
        return [one.account_id for one in await accounts.all_of(connection, caller.tenant_id)]
    if mailbox_id is not None:
        mailbox = await changeable.mailbox(connection, caller.tenant_id, mailbox_id)
        if mailbox is None:
            raise NotFound
        return [mailbox.account_id]
    account_id = id_of(Kind.ACCOUNT, query.account_id or "")
    if not await accounts.by_id(connection, caller.tenant_id, account_id):
        raise NotFound
    return [account_id]


async def select_and_change(
    request: Asking, account_id: UUID, selection: Selection, asked: Asked, prefer: str | None
) -> Job:
    """A job for all of these, when it has ended or nobody waits for that any longer."""
    job = await _select(request, account_id, selection, asked, prefer)
    [settled] = await awaited(request, [job], prefer)
    return settled


async def _select(
    request: Asking,
    account_id: UUID,
    selection: Selection,
    asked: Asked,
    prefer: str | None,
    found: Sequence[UUID] = (),
) -> Job:
    world = world_of(request)
    job, grew = await change_selection(
        world.request_pool,
        request.user.caller,
        request.user.claims.person_id,
        account_id,
        selection,
        asked,
        hold_back(request, prefer),
        found,
    )
    await committed(request, grew)
    return job


def hold_back(request: Asking, prefer: str | None) -> timedelta:
    """How long what nothing brings back waits: not at all for one who waits for it."""
    return timedelta() if wants_wait(prefer) else world_of(request).settings.undo_window


async def _asked(
    connection: Connection, tenant_id: UUID, account_id: UUID, data: MessageChanges
) -> Asked:
    changes: list[MessageChange] = []
    if data.keywords is not None and (mark := data.keywords.mark()) is not None:
        changes.append(mark)
    if data.labels is not None and (data.labels.add or data.labels.remove):
        changes.append(Label(add=frozenset(data.labels.add), remove=frozenset(data.labels.remove)))
    if data.copy_to is not None:
        changes.append(Copy(mailbox_id=id_of(Kind.MAILBOX, data.copy_to)))
    if data.mailbox_id is not None:
        changes.append(Move(mailbox_id=id_of(Kind.MAILBOX, data.mailbox_id)))
    if data.delete:
        trash = await changeable.by_role(connection, tenant_id, account_id, MailboxRole.TRASH)
        if trash is None:
            raise NoTrash
        changes.append(Move(mailbox_id=trash.mailbox_id))
    if data.destroy:
        changes.append(Destroy())
    return Asked(changes=tuple(changes))


def _answer_all(request: Asking, jobs: list[Job], prefer: str | None) -> Response[Jobs]:
    return answer(Jobs(jobs=[shown_job(request, one) for one in jobs]), jobs, prefer)
