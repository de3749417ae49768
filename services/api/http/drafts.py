"""/drafts: messages that are being written."""

import hashlib
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post, put
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from msgspec import Struct, structs
from pydantic import Field, model_validator

from services.api.actions.drafting import find_copied, find_draft
from services.api.actions.remove_draft import remove_draft
from services.api.actions.save_draft import create_draft, save_draft
from services.api.actions.send_draft import send_draft
from services.api.domain.cursors import After
from services.api.domain.refusals import ChangedMeanwhile, NotFound
from services.api.domain.rights import Scope
from services.api.domain.writing import Written
from services.api.http.enclosing import Id, no_such, writer
from services.api.http.limits import spend_sending
from services.api.http.messages import Person
from services.api.http.moments import Moment
from services.api.http.paging import Cursor, Limit, Page, after
from services.api.http.scopes import needs
from services.api.http.sending import Sending, outgoing_of
from services.api.http.shown_submissions import (
    ShownGroup,
    Submission,
    accepted,
    groups_of,
    people_of,
    person_of,
)
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.writing import (
    Composition,
    kept_of,
    written_of,
)
from services.api.store import accounts
from services.api.store import drafts as store
from services.api.store.drafts import Draft
from shared.contracts.content import Priority
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=500,
        description="The draft's ETag: nothing is done when it was changed since (RFC 9110).",
    ),
]


class NewDraft(Composition):
    """A message that is begun: anew, as an answer, or from a draft made elsewhere."""

    account_id: Annotated[Id | None, Field(description="Unless it is read from a message.")] = None
    message_id: Annotated[
        Id | None,
        Field(description="A message in a mailbox for drafts, to be written on here instead."),
    ] = None

    @model_validator(mode="after")
    def _somewhere(self) -> "NewDraft":
        if (self.account_id is None) == (self.message_id is None):
            raise ValueError("Give account_id, or message_id.")
        if self.message_id is not None and self.model_fields_set != {"message_id"}:
            raise ValueError("What is read from a message is changed afterwards.")
        return self


class SavedDraft(Composition):
    """A message as far as it is written. Nothing is quoted or fetched when it is saved."""


class ChangedDraft(Composition):
    """What is to be different about a draft; what is left out stays."""


class SentDraft(Sending):
    """When a draft is to go."""


class DraftAttachment(Struct, frozen=True, kw_only=True):
    """A file that goes with a draft."""

    upload_id: str
    name: str | None
    content_id: str | None
    inline: bool


class ShownDraft(Struct, frozen=True, kw_only=True):
    """A message as far as it is written."""

    id: str
    account_id: str
    version: int  # its ETag, in quotes
    identity_id: str | None
    sender: Person | None = msgspec.field(name="from")
    to: list[Person]
    cc: list[Person]
    bcc: list[Person]
    to_groups: list[ShownGroup]
    cc_groups: list[ShownGroup]
    reply_to: list[Person]
    subject: str
    text: str | None
    html: str | None
    attachments: list[DraftAttachment]
    in_reply_to: str | None
    forward_of: str | None
    headers: dict[str, str]
    priority: Priority | None
    read_receipt: bool
    created_at: Moment
    updated_at: Moment


class DraftPage(Page[ShownDraft], frozen=True, kw_only=True):
    """Some drafts, those first that were changed last. `next_cursor` is null at the end."""


@post("", summary="Begin a message", security=needs(Scope.MAIL_SEND))
async def create(request: Asking, data: JSONBody[NewDraft]) -> Response[ShownDraft]:
    """What it answers is quoted now, and what it passes on is fetched now; it can be edited."""
    world = world_of(request)
    replaces: UUID | None = None
    if data.message_id is not None:
        message_id = id_of(Kind.MESSAGE, data.message_id, lambda: no_such("/message_id"))
        known = await find_copied(world.request_pool, request.user.caller, message_id)
        if known is not None:
            return _created(known)
        try:
            account_id, written = await writer(request).made_elsewhere(message_id)
        except NotFound as missing:
            raise NotFound(missing.detail, pointers=("/message_id",)) from None
        replaces = message_id
    else:
        account_id = id_of(
            Kind.ACCOUNT, data.account_id or "", lambda: NotFound(pointers=("/account_id",))
        )
        written = await written_of(request, account_id, data)
    draft, grew = await create_draft(
        world.request_pool,
        request.user.caller,
        request.user.claims.person_id,
        account_id,
        written,
        replaces=replaces,
    )
    await world.committed(grew)
    return _created(draft)


@get("", summary="List drafts, those first that were changed last", security=needs(Scope.MAIL_READ))
async def list_some(
    request: Asking,
    account_id: Annotated[str | None, QueryParameter(description="Of this account only.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DraftPage:
    caller = request.user.caller
    behind = after(cursor)
    account = id_of(Kind.ACCOUNT, account_id) if account_id is not None else None
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        if account and not await accounts.by_id(connection, caller.tenant_id, account):
            raise NotFound
        found = await store.newest(connection, caller.tenant_id, account, behind, limit + 1)
    return DraftPage(
        items=[_shown(one) for one in found[:limit]],
        next_cursor=After(found[limit - 1].updated_at, found[limit - 1].draft_id).shown()
        if len(found) > limit
        else None,
    )


@get("/{draft_id:str}", summary="One draft", security=needs(Scope.MAIL_READ))
async def get_one(request: Asking, draft_id: FromPath[str]) -> Response[ShownDraft]:
    world = world_of(request)
    return _answer(
        await find_draft(world.request_pool, request.user.caller, id_of(Kind.DRAFT, draft_id))
    )


@put("/{draft_id:str}", summary="Save all of a draft", security=needs(Scope.MAIL_SEND))
async def save(
    request: Asking, draft_id: FromPath[str], data: JSONBody[SavedDraft], if_match: IfMatch = None
) -> Response[ShownDraft]:
    """Cheap, and changes nothing when nothing is different: save as often as you like."""
    given = await kept_of(request, data, everything=True)
    return await _saved(request, draft_id, given, if_match)


@patch("/{draft_id:str}", summary="Save a part of a draft", security=needs(Scope.MAIL_SEND))
async def change(
    request: Asking, draft_id: FromPath[str], data: JSONBody[ChangedDraft], if_match: IfMatch = None
) -> Response[ShownDraft]:
    given = await kept_of(request, data, everything=False)
    return await _saved(request, draft_id, given, if_match)


@delete("/{draft_id:str}", summary="Throw a draft away", security=needs(Scope.MAIL_SEND))
async def remove(request: Asking, draft_id: FromPath[str], if_match: IfMatch = None) -> None:
    """Its copy in the account's mailbox for drafts goes, too."""
    world = world_of(request)
    grew = await remove_draft(
        world.request_pool,
        request.user.caller,
        id_of(Kind.DRAFT, draft_id),
        versions=_versions(if_match),
    )
    await world.committed(grew, told=True)


@post(
    "/{draft_id:str}/send",
    status_code=202,
    summary="Send a draft",
    security=needs(Scope.MAIL_SEND),
)
async def send(
    request: Asking, draft_id: FromPath[str], data: JSONBody[SentDraft], if_match: IfMatch = None
) -> Response[Submission]:
    """The draft becomes a submission, and is no draft any more."""
    world = world_of(request)
    digest = hashlib.sha256(await request.body()).digest()
    await spend_sending(request, str(request.user.claims.person_id))
    sent, grew = await send_draft(
        world.request_pool,
        request.user.caller,
        id_of(Kind.DRAFT, draft_id),
        # Who wrote it has the uploads, whoever sends it.
        lambda draft: outgoing_of(
            draft.account_id,
            draft.written,
            data,
            created_by=draft.created_by,
            digest=digest,
            idempotency_key=None,
        ),
        versions=_versions(if_match),
    )
    await world.committed(grew, told=True)
    return accepted(sent)


def router() -> Router:
    return Router(
        "/drafts",
        route_handlers=[create, list_some, get_one, save, change, remove, send],
        tags=["drafts"],
    )


async def _saved(
    request: Asking, draft_id: str, given: dict[str, Any], if_match: str | None
) -> Response[ShownDraft]:
    def changed(before: Written) -> Written:
        return structs.replace(before, **given)

    world = world_of(request)
    draft, grew = await save_draft(
        world.request_pool,
        request.user.caller,
        request.user.claims.person_id,
        id_of(Kind.DRAFT, draft_id),
        changed,
        versions=_versions(if_match),
    )
    await world.committed(grew)
    return _answer(draft)


def _versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that If-Match names (RFC 9110 §13.1.1); None: any. Ours are numbers."""
    if if_match is None or if_match.strip() == "*":
        return None
    named = [one.strip().strip('"') for one in if_match.split(",")]
    versions = frozenset(int(one) for one in named if one.isascii() and one.isdigit())
    if not versions:
        raise ChangedMeanwhile
    return versions


def _answer(draft: Draft) -> Response[ShownDraft]:
    return Response(_shown(draft), headers={"ETag": f'"{draft.version}"'})


def _created(draft: Draft) -> Response[ShownDraft]:
    answer = _answer(draft)
    answer.status_code = 201
    answer.headers["Location"] = f"/api/v1/drafts/{shown(Kind.DRAFT, draft.draft_id)}"
    return answer


def _shown(draft: Draft) -> ShownDraft:
    written = draft.written
    return ShownDraft(
        id=shown(Kind.DRAFT, draft.draft_id),
        account_id=shown(Kind.ACCOUNT, draft.account_id),
        version=draft.version,
        identity_id=written.identity_id and shown(Kind.IDENTITY, written.identity_id),
        sender=written.sender and person_of(written.sender),
        to=people_of(written.to),
        cc=people_of(written.cc),
        bcc=people_of(written.bcc),
        to_groups=groups_of(written.to_groups),
        cc_groups=groups_of(written.cc_groups),
        reply_to=people_of(written.reply_to),
        subject=written.subject,
        text=written.text,
        html=written.html,
        attachments=[
            DraftAttachment(
                upload_id=shown(Kind.UPLOAD, one.upload_id),
                name=one.name,
                content_id=one.content_id,
                inline=one.inline,
            )
            for one in written.attached
        ],
        in_reply_to=written.in_reply_to and shown(Kind.MESSAGE, written.in_reply_to),
        forward_of=written.forward_of and shown(Kind.MESSAGE, written.forward_of),
        headers={one.name: one.value for one in written.headers},
        priority=written.priority,
        read_receipt=written.read_receipt,
        created_at=draft.created_at,
        updated_at=draft.updated_at,
    )
