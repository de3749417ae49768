"""/me/settings: how one wants the webmail to be."""

from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from litestar import Response, Router, get, patch
from litestar.params import HeaderParameter, JSONBody
from msgspec import Struct
from pydantic import AfterValidator, Field, StringConstraints

from services.api.domain.refusals import ChangedMeanwhile
from services.api.http.bodies import Body
from services.api.http.files import names
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, world_of
from services.api.store import person_settings
from shared.db import tenant_transaction

_LONGEST_SIGNATURE = 20_000


class Density(StrEnum):
    """How close to each other things stand."""

    COMFORTABLE = "comfortable"
    COSY = "cosy"
    COMPACT = "compact"


class Theme(StrEnum):
    """Light or dark."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("This is not the name of a time zone, like Europe/Berlin.") from None
    return name


class Settings(Struct, frozen=True, kw_only=True):
    """How you want the webmail to be."""

    time_zone: str | None = None  # of the IANA database; null: the browser's
    language: str | None = None  # BCP 47; null: the browser's
    density: Density = Density.COMFORTABLE
    theme: Theme = Theme.SYSTEM
    signature: str = ""  # plain text, under what you write
    signature_html: str = ""
    page_size: int = 50
    mark_read_seconds: float = 0.0  # how long a message is open before it is read
    conversations: bool = True  # messages of a thread together
    notifications: bool = False
    notification_sound: bool = False
    reply_to_all: bool = False
    plain_text: bool = False  # what you write begins without formatting


class ChangedSettings(Body):
    """What is to be different; what is left out stays, null goes back to how it was at first."""

    time_zone: (
        Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_zone)]
        | None
    ) = None
    language: (
        Annotated[
            str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")
        ]
        | None
    ) = None
    density: Density | None = None
    theme: Theme | None = None
    signature: Annotated[str, Field(max_length=_LONGEST_SIGNATURE)] | None = None
    signature_html: Annotated[str, Field(max_length=_LONGEST_SIGNATURE)] | None = None
    page_size: Annotated[int, Field(ge=10, le=200)] | None = None
    mark_read_seconds: Annotated[float, Field(ge=0, le=60)] | None = None
    conversations: bool | None = None
    notifications: bool | None = None
    notification_sound: bool | None = None
    reply_to_all: bool | None = None
    plain_text: bool | None = None


@get("/settings", security=needs(), summary="How you want the webmail to be")
async def read(request: Asking) -> Response[Settings]:
    who = request.user.claims
    async with tenant_transaction(world_of(request).request_pool, request.user.caller) as each:
        kept = await person_settings.read(each, who.tenant_id, who.person_id)
    return _answer(_settings(kept.document), kept.version)


@patch(
    "/settings",
    security=needs(),
    summary="Change how the webmail is",
    description="With `If-Match`, only if nothing has changed since that `ETag` was given: else 412"
    " `changed_meanwhile`.",
)
async def change(
    request: Asking,
    data: JSONBody[ChangedSettings],
    if_match: Annotated[str | None, HeaderParameter(name="If-Match")] = None,
) -> Response[Settings]:
    who = request.user.claims
    while True:
        async with tenant_transaction(world_of(request).request_pool, request.user.caller) as each:
            kept = await person_settings.read(each, who.tenant_id, who.person_id)
            if if_match is not None and not names(if_match, _etag(kept.version)):
                raise ChangedMeanwhile
            known = msgspec.json.decode(kept.document, type=dict[str, object])
            said = data.model_dump(mode="json", exclude_unset=True)
            merged = {name: value for name, value in {**known, **said}.items() if value is not None}
            document = msgspec.json.encode(merged).decode()
            version = await person_settings.write(
                each, who.tenant_id, who.person_id, over=kept.version, document=document
            )
        if version is not None:
            return _answer(_settings(document), version)


def router() -> Router:
    return Router("/me", route_handlers=[read, change], tags=["me"])


def _settings(document: str) -> Settings:
    """What is kept, as far as this release knows it."""
    return msgspec.json.decode(document, type=Settings)


def _answer(settings: Settings, version: int) -> Response[Settings]:
    return Response(settings, headers={"ETag": _etag(version), "Cache-Control": "no-cache"})


def _etag(version: int) -> str:
    return f'"{version}"'
