"""/exports: take one's mail along, as files that any mail program reads."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct
from pydantic import Field

from services.api.actions.begin_export import begin_export
from services.api.actions.pack_export import pack_export
from services.api.domain.export_links import check_link, link_query
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.domain.tokens import TokenKeys
from services.api.http.bodies import Body
from services.api.http.files import Answer, described, headers_of, streamed
from services.api.http.heads import asks_for_head
from services.api.http.limits import spend_as_client
from services.api.http.moments import Moment
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import OPEN, needs_session
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import audit_log
from services.api.store import exports as store
from services.api.store.exports import Export
from shared.contracts.ids import Kind, NotAnId, read, shown
from shared.db import tenant_transaction

Format = Literal["mbox", "eml"]


class NewExport(Body):
    """What to take along."""

    account_ids: (
        Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=500)]
        | None
    ) = Field(default=None, description="Of these accounts; of all that you may see, unless told.")
    format: Format = Field(
        default="mbox",
        description="`mbox`: a file for each mailbox (mboxrd). `eml`: a file for each message, as"
        " its mail server has it.",
    )


class ExportedFile(Struct, frozen=True, kw_only=True):
    """A zip file. Its link is good without signing in, until the export expires.

    The first one has no mail: `data.json` tells of accounts, identities, drafts, what was sent,
    searches and settings. What does not come to its end is fetched anew.
    """

    number: int
    account_id: str | None
    message_count: int
    size_bytes: int  # of the messages; nothing is compressed
    link: str


class ShownExport(Struct, frozen=True, kw_only=True):
    """Mail to take along: as lists showed it when the export was made, less what has gone since."""

    id: str
    format: Format
    account_ids: list[str]
    created_at: Moment
    expires_at: Moment
    message_count: int
    size_bytes: int
    files: list[ExportedFile]


class Exports(Struct, frozen=True, kw_only=True):
    """Your exports that have not expired, the newest first."""

    items: list[ShownExport]


@post(
    "",
    security=needs_session(Scope.MAIL_READ),
    summary="Take mail along: links to files of it, good for some days",
    description="Each file is written while it is fetched, from the mail server where need be, so"
    " there is nothing to wait for first. A file holds at most 256 MiB or 5,000 messages; what"
    " could not be had of it stands in `lacking-….jsonl`, and `messages-….jsonl` tells keywords,"
    " labels and threads.",
)
async def create(request: Asking, data: JSONBody[NewExport]) -> Response[ShownExport]:
    world, caller = world_of(request), request.user.caller
    export, grew = await begin_export(
        world.request_pool,
        caller,
        request.user.claims,
        account_ids=_accounts(request, data.account_ids),
        format=data.format,
        lives=world.settings.export_lives,
    )
    await world.committed(grew)
    made = _shown(export, world.issuer.keys)
    return Response(made, status_code=201, headers={"Location": f"/api/v1/exports/{made.id}"})


@get("", security=needs_session(Scope.MAIL_READ), summary="List your exports")
async def list_all(request: Asking) -> Exports:
    keys = world_of(request).issuer.keys
    return Exports(items=[_shown(export, keys) for export in await _mine(request)])


@get("/{export_id:str}", security=needs_session(Scope.MAIL_READ), summary="Look at an export")
async def look(request: Asking, export_id: FromPath[str]) -> ShownExport:
    wanted = id_of(Kind.EXPORT, export_id)
    for export in await _mine(request):
        if export.export_id == wanted:
            return _shown(export, world_of(request).issuer.keys)
    raise NotFound


@delete(
    "/{export_id:str}",
    security=needs_session(Scope.MAIL_READ),
    summary="End an export: its links are good no more",
)
async def remove(request: Asking, export_id: FromPath[str]) -> None:
    who = request.user.claims
    ended = id_of(Kind.EXPORT, export_id)
    async with tenant_transaction(world_of(request).request_pool, request.user.caller) as each:
        if not await store.remove(each, who.tenant_id, who.person_id, ended):
            raise NotFound
        await audit_log.note(each, who.did("export.removed", subject=export_id))


@get(
    "/{export_id:str}/files/{number:int}",
    security=OPEN,
    summary="Download a file of an export, by the link that it lists",
    media_type="application/zip",
)
async def download(
    request: Request[Any, Any, Any],
    export_id: FromPath[str],
    number: FromPath[int],
    expires: Annotated[int, QueryParameter(description="When the link ends, in Unix time.")],
    key: Annotated[str, QueryParameter(max_length=100, description="Which key signed it.")],
    signature: Annotated[str, QueryParameter(max_length=100, description="That we wrote it.")],
) -> Answer:
    world = world_of(request)
    wanted = id_of(Kind.EXPORT, export_id)
    check_link(
        wanted,
        number,
        expires=expires,
        key=key,
        signature=signature,
        keys=world.issuer.keys,
        now=datetime.now(UTC),
    )
    await spend_as_client(request, "read")
    packed = await pack_export(
        world.pool, world.request_pool, world.bus, world.bucket, wanted, number
    )
    headers = headers_of(packed.name, "application/zip", inline=False)
    if asks_for_head(request):
        await packed.content.aclose()
        return described(headers, size=None)
    return await streamed(packed.content, headers, size=None)


def routers() -> tuple[Router, Router]:
    """For those who have signed in, and for those who follow a link."""
    return (
        Router("/exports", route_handlers=[create, list_all, look, remove], tags=["exports"]),
        Router("/exports", route_handlers=[download], tags=["exports"]),
    )


async def _mine(request: Asking) -> list[Export]:
    who = request.user.claims
    async with tenant_transaction(world_of(request).request_pool, request.user.caller) as each:
        return await store.of_person(each, who.tenant_id, who.person_id, datetime.now(UTC))


def _accounts(request: Asking, given: list[str] | None) -> list[UUID]:
    visible = request.user.caller.account_ids
    if given is None:
        return list(visible)
    found: list[UUID] = []
    errors: list[FieldProblem] = []
    for place, text in enumerate(given):
        try:
            account_id = read(Kind.ACCOUNT, text)
        except NotAnId:
            account_id = None
        if account_id is None or account_id not in visible:
            errors.append(
                FieldProblem(
                    pointer=f"/account_ids/{place}",
                    message="There is no such account.",
                    code="not_found",
                )
            )
        else:
            found.append(account_id)
    if errors:
        raise Invalid(errors)
    return sorted(set(found))


def _shown(export: Export, keys: TokenKeys) -> ShownExport:
    shown_id = shown(Kind.EXPORT, export.export_id)

    def link(number: int) -> str:
        query = link_query(export.export_id, number, keys, expires_at=export.expires_at)
        return f"/api/v1/exports/{shown_id}/files/{number}?{query}"

    return ShownExport(
        id=shown_id,
        format="mbox" if export.format == "mbox" else "eml",
        account_ids=[shown(Kind.ACCOUNT, each) for each in export.account_ids],
        created_at=export.created_at,
        expires_at=export.expires_at,
        message_count=sum(volume.message_count for volume in export.volumes),
        size_bytes=sum(volume.size_bytes for volume in export.volumes),
        files=[
            ExportedFile(number=0, account_id=None, message_count=0, size_bytes=0, link=link(0)),
            *(
                ExportedFile(
                    number=volume.number,
                    account_id=shown(Kind.ACCOUNT, volume.account_id),
                    message_count=volume.message_count,
                    size_bytes=volume.size_bytes,
                    link=link(volume.number),
                )
                for volume in export.volumes
            ),
        ],
    )
