"""/uploads: files to be attached to messages that are being written."""

from contextlib import aclosing

from litestar import Router, delete, get, post
from litestar.params import FromPath
from msgspec import Struct

from services.api.actions.keep_upload import keep_upload
from services.api.actions.read_upload import find_upload, read_upload
from services.api.actions.remove_upload import remove_upload
from services.api.domain.file_names import safe_name
from services.api.domain.rights import Scope
from services.api.http.files import Answer, described, headers_of, streamed
from services.api.http.heads import asks_for_head
from services.api.http.moments import Moment
from services.api.http.multipart import Head, boundary_of, read_file
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.settings import Settings
from services.api.store import uploads as store
from shared.contracts.ids import Kind, shown

_AROUND_BYTES = 64 * 1024  # what a form needs beside the file


class Upload(Struct, frozen=True, kw_only=True):
    """A file, kept to be attached. One that nothing uses is forgotten after a day."""

    id: str
    name: str
    content_type: str
    size_bytes: int
    used: bool
    created_at: Moment


@post(
    "",
    summary="Upload a file to attach: multipart/form-data, in the field `file`",
    security=needs(Scope.MAIL_SEND),
)
async def upload(request: Asking) -> Upload:
    """Its type is what its content says it is, else what the form says.

    Only you can use it. One that no draft and no submission uses is forgotten after a day
    (`API_UPLOAD_HOURS`); `API_UPLOAD_MAX_BYTES` bounds its size.
    """
    world = world_of(request)
    boundary = boundary_of(request.headers.get("content-type"))
    form = read_file(request.stream(), boundary, world.settings.upload_max_bytes)
    async with aclosing(form):
        head = await anext(form)
        assert isinstance(head, Head)
        kept = await keep_upload(
            world.request_pool,
            request.user.caller,
            request.user.claims.person_id,
            name=safe_name(head.name, "file"),
            declared_type=head.content_type,
            content=(data async for data in form if isinstance(data, bytes)),
            most_unused_bytes=world.settings.uploads_unused_max_bytes,
        )
    return _shown(kept)


@get("/{upload_id:str}", summary="Look at an upload", security=needs(Scope.MAIL_SEND))
async def look(request: Asking, upload_id: FromPath[str]) -> Upload:
    return _shown(await _found(request, upload_id))


@get(
    "/{upload_id:str}/content",
    summary="Download what was uploaded",
    security=needs(Scope.MAIL_SEND),
)
async def content(request: Asking, upload_id: FromPath[str]) -> Answer:
    found = await _found(request, upload_id)
    headers = headers_of(found.name, found.content_type, inline=False)
    if asks_for_head(request):
        return described(headers, size=found.size_bytes)
    return await streamed(
        read_upload(world_of(request).request_pool, request.user.caller, found.upload_id),
        headers,
        size=found.size_bytes,
    )


@delete(
    "/{upload_id:str}",
    summary="Forget an upload that nothing uses",
    security=needs(Scope.MAIL_SEND),
)
async def remove(request: Asking, upload_id: FromPath[str]) -> None:
    await remove_upload(
        world_of(request).request_pool,
        request.user.caller,
        request.user.claims.person_id,
        id_of(Kind.UPLOAD, upload_id),
    )


def router(settings: Settings) -> Router:
    return Router(
        "/uploads",
        route_handlers=[upload, look, content, remove],
        request_max_body_size=settings.upload_max_bytes + _AROUND_BYTES,
        tags=["uploads"],
    )


async def _found(request: Asking, upload_id: str) -> store.Upload:
    return await find_upload(
        world_of(request).request_pool,
        request.user.caller,
        request.user.claims.person_id,
        id_of(Kind.UPLOAD, upload_id),
    )


def _shown(kept: store.Upload) -> Upload:
    return Upload(
        id=shown(Kind.UPLOAD, kept.upload_id),
        name=kept.name,
        content_type=kept.content_type,
        size_bytes=kept.size_bytes,
        used=kept.used,
        created_at=kept.created_at,
    )
