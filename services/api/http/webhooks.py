"""/webhooks: endpoints of yours that are told what happens."""

import secrets
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import Field, StringConstraints

from services.api.actions.ask_events import ask_events
from services.api.actions.change_webhook import (
    WebhookChange,
    change_webhook,
    pause_webhook,
    resume_webhook,
)
from services.api.actions.create_webhook import create_webhook
from services.api.actions.identify_caller import Who
from services.api.actions.read_log import place_in_log
from services.api.actions.replay_events import replay_events
from services.api.actions.rotate_secret import rotate_secret
from services.api.actions.send_test import send_test
from services.api.actions.skip_events import skip_stuck, skip_until
from services.api.actions.telling import note_change
from services.api.domain.cursors import After
from services.api.domain.event_query import EventQuery
from services.api.domain.logbook import EventType
from services.api.domain.refusals import NotFound, NotPermitted
from services.api.domain.rights import Scope
from services.api.domain.webhooks import SECRET_BYTES, Result
from services.api.http.bodies import Body, Line
from services.api.http.paging import Cursor, Limit, after
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.repeating import UNKEPT
from services.api.http.scopes import needs
from services.api.http.shown_webhooks import (
    DeliveryPage,
    MadeWebhook,
    OpenWebhook,
    ShownDelivery,
    ShownWebhook,
    Webhooks,
    made_webhook,
    open_webhook,
    shown_delivery,
    shown_webhook,
)
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.verbs import verb
from services.api.store import deliveries, lanes, webhooks
from shared.contracts.ids import Kind
from shared.db import tenant_transaction

_COUNTED = 10_000
_ADMIN = needs(Scope.EVENTS_READ, Scope.TENANT_ADMIN)

Url = Annotated[Line, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Description = Annotated[Line, StringConstraints(max_length=200, strip_whitespace=True)]
Types = Annotated[list[EventType], Field(min_length=1, max_length=100)]
AccountIds = Annotated[
    list[Annotated[str, StringConstraints(max_length=64)]], Field(min_length=1, max_length=1000)
]
Query = Annotated[
    Line,
    StringConstraints(min_length=1, max_length=1000),
    Field(
        description="Only events of messages that match, as far as an event tells: `from:`,"
        " `subject:`, `is:`, `has:attachment`, `in:`, `label:`, `thread:`, in the language of"
        " searches."
    ),
]
Place = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class NewWebhook(Body):
    """An endpoint to tell what happens, from now on."""

    url: Url
    description: Description = ""
    types: Types | None = None
    account_ids: AccountIds | None = None
    query: Query | None = None


class ChangedWebhook(Body):
    """What is to be different about a webhook; what is left out stays. `null` means all."""

    url: Url | None = None
    description: Description | None = None
    types: Types | None = None
    account_ids: AccountIds | None = None
    query: Query | None = None


class Rotation(Body):
    """How long the secret of now is still good beside the new one."""

    overlap_hours: Annotated[int, Field(ge=0, le=24 * 7)] = 24


class Replay(Body):
    """From where on everything is told again: a cursor of the log, or `earliest`."""

    after: Place


class Skip(Body):
    """What to give up: the event that each account is stuck at; or all up to `until`, a cursor
    or `latest`. Of one account, where it is named."""

    account_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    until: Place | None = None


@post(
    "",
    summary="Have an endpoint told what happens",
    security=_ADMIN,
    opt={UNKEPT: True},
)
async def create(request: Asking, data: JSONBody[NewWebhook]) -> Response[MadeWebhook]:
    """Each event is a POST: a CloudEvent as JSON, signed as Standard Webhooks says with the
    `secret` of the answer. Without `types` all are told, without `account_ids` those of all
    accounts that you may see, and what concerns no account.
    """
    world = world_of(request)
    secret = secrets.token_bytes(SECRET_BYTES)
    webhook = await create_webhook(
        world.request_pool,
        request.user.caller,
        world.manner,
        who=_who(request),
        url=data.url,
        description=data.description,
        types=_types(data.types),
        account_ids=_accounts(request, data.account_ids),
        query=await _query(request, data.query),
        secret=secret,
        most=world.settings.webhooks_per_tenant,
        now=world.clock(),
    )
    made = made_webhook(webhook, secret)
    return Response(made, status_code=201, headers={"Location": f"/api/v1/webhooks/{made.id}"})


@get("", summary="List webhooks", security=_ADMIN)
async def list_all(request: Asking) -> Webhooks:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await webhooks.all_of(connection, caller.tenant_id)
    return Webhooks(items=[shown_webhook(webhook) for webhook in found])


@get(
    "/{webhook_id:str}",
    summary="One webhook: how it is doing, and what it is yet to be told",
    security=_ADMIN,
)
async def get_one(request: Asking, webhook_id: FromPath[str]) -> OpenWebhook:
    wanted = id_of(Kind.WEBHOOK, webhook_id)
    async with tenant_transaction(
        world_of(request).request_pool, request.user.reader
    ) as connection:
        webhook = await webhooks.by_id(connection, request.user.reader.tenant_id, wanted)
        if webhook is None:
            raise NotFound
        reader, now = request.user.reader, world_of(request).clock()
        waiting = await lanes.waiting(
            connection, reader.tenant_id, wanted, webhook.told_types, count_up_to=_COUNTED
        )
        live = await webhooks.live_secrets(connection, reader.tenant_id, wanted, now)
    return open_webhook(webhook, waiting, live)


@patch("/{webhook_id:str}", summary="Change where events go, or which they are", security=_ADMIN)
async def change(
    request: Asking, webhook_id: FromPath[str], data: JSONBody[ChangedWebhook]
) -> ShownWebhook:
    """Events that wait follow the change. From then on it tells what you may see."""
    world = world_of(request)
    given = data.model_fields_set
    said: dict[str, Any] = {}
    if data.url is not None:
        said["url"] = data.url
    if data.description is not None:
        said["description"] = data.description
    if "types" in given:
        said["types"] = _types(data.types)
    if "account_ids" in given:
        said["account_ids"] = _accounts(request, data.account_ids)
    if "query" in given:
        said["query"] = await _query(request, data.query)
    webhook = await change_webhook(
        world.request_pool,
        request.user.caller,
        world.manner,
        id_of(Kind.WEBHOOK, webhook_id),
        WebhookChange(**said),
        who=_who(request),
        now=world.clock(),
    )
    world.to_deliver.set()
    return shown_webhook(webhook)


@delete("/{webhook_id:str}", status_code=204, summary="Tell it nothing any more", security=_ADMIN)
async def remove(request: Asking, webhook_id: FromPath[str]) -> None:
    caller = request.user.caller
    wanted = id_of(Kind.WEBHOOK, webhook_id)
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        # As everybody does who writes lanes: the webhook first.
        known = await webhooks.hold(connection, caller.tenant_id, wanted)
        if known is None:
            raise NotFound
        await webhooks.remove(connection, caller.tenant_id, wanted)
        await note_change(connection, request.user.claims, "webhook.removed", known)


@verb(
    "/{webhook_id:str}:test",
    status_code=200,
    summary="Send it a `webhook.test` now",
    security=_ADMIN,
)
async def test(request: Asking, webhook_id: FromPath[str]) -> ShownDelivery:
    """Answers what the endpoint answered; also where the webhook is paused."""
    world = world_of(request)
    delivery = await send_test(
        world.request_pool,
        request.user.caller,
        world.manner,
        id_of(Kind.WEBHOOK, webhook_id),
        world.clock,
    )
    return shown_delivery(delivery)


@verb(
    "/{webhook_id:str}:pause",
    status_code=200,
    summary="Tell it nothing until resumed",
    security=_ADMIN,
)
async def pause(request: Asking, webhook_id: FromPath[str]) -> ShownWebhook:
    """What happens meanwhile waits, as long as the log keeps it."""
    world = world_of(request)
    return shown_webhook(
        await pause_webhook(
            world.request_pool,
            request.user.caller,
            id_of(Kind.WEBHOOK, webhook_id),
            who=request.user.claims,
            now=world.clock(),
        )
    )


@verb(
    "/{webhook_id:str}:resume", status_code=200, summary="Go on where it was left", security=_ADMIN
)
async def resume(request: Asking, webhook_id: FromPath[str]) -> ShownWebhook:
    """At once, and as if nothing had failed; also for accounts that alone were given up."""
    world = world_of(request)
    webhook = await resume_webhook(
        world.request_pool,
        request.user.caller,
        id_of(Kind.WEBHOOK, webhook_id),
        who=_who(request),
        now=world.clock(),
    )
    world.to_deliver.set()
    return shown_webhook(webhook)


@verb(
    "/{webhook_id:str}:replay",
    summary="Tell everything again from a place in the log on",
    security=_ADMIN,
)
async def replay(
    request: Asking, webhook_id: FromPath[str], data: JSONBody[Replay]
) -> ShownWebhook:
    """Events keep their ids, so that a receiver knows those that it had."""
    world = world_of(request)
    place = await place_in_log(world.request_pool, request.user.reader, data.after)
    webhook = await replay_events(
        world.request_pool,
        request.user.caller,
        id_of(Kind.WEBHOOK, webhook_id),
        place,
        who=request.user.claims,
        now=world.clock(),
    )
    world.growth.anything.set()
    world.to_deliver.set()
    return shown_webhook(webhook)


@verb("/{webhook_id:str}:skip", summary="Give up what the endpoint does not take", security=_ADMIN)
async def skip(request: Asking, webhook_id: FromPath[str], data: JSONBody[Skip]) -> ShownWebhook:
    """Without `until`, only the event that is in the way."""
    world, reader, who = world_of(request), request.user.reader, request.user.claims
    wanted = id_of(Kind.WEBHOOK, webhook_id)
    account = None if data.account_id is None else id_of(Kind.ACCOUNT, data.account_id)
    if account is not None and account not in reader.account_ids:
        raise NotFound
    if data.until is None:
        webhook = await skip_stuck(
            world.request_pool, reader, wanted, account, who=who, now=world.clock()
        )
    else:
        until = await place_in_log(world.request_pool, reader, data.until)
        webhook = await skip_until(
            world.request_pool, reader, wanted, account, until, who=who, now=world.clock()
        )
    world.to_deliver.set()
    return shown_webhook(webhook)


@verb(
    "/{webhook_id:str}:rotate-secret",
    status_code=200,
    summary="Make a new secret",
    security=_ADMIN,
    opt={UNKEPT: True},
)
async def rotate(
    request: Asking, webhook_id: FromPath[str], data: JSONBody[Rotation]
) -> MadeWebhook:
    """Events are signed with both until the old one ends."""
    world = world_of(request)
    secret = secrets.token_bytes(SECRET_BYTES)
    webhook = await rotate_secret(
        world.request_pool,
        request.user.caller,
        world.manner,
        id_of(Kind.WEBHOOK, webhook_id),
        secret,
        who=request.user.claims,
        overlap=timedelta(hours=data.overlap_hours),
        now=world.clock(),
    )
    return made_webhook(webhook, secret)


@get(
    "/{webhook_id:str}/deliveries",
    summary="What the endpoint answered, attempt by attempt",
    security=_ADMIN,
)
async def list_deliveries(
    request: Asking,
    webhook_id: FromPath[str],
    result: Annotated[
        str | None, QueryParameter(max_length=20, description="Those that ended so only.")
    ] = None,
    event: Annotated[
        str | None, QueryParameter(max_length=64, description="Of this event only, by its id.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DeliveryPage:
    if result is not None and result not in set(Result):
        message = f"This must be one of: {', '.join(Result)}."
        raise Invalid([FieldProblem(parameter="result", message=message, code="not_a_choice")])
    if event is not None and "\0" in event:
        raise Invalid([FieldProblem(parameter="event", message="NUL is not allowed.", code="nul")])
    reader = request.user.reader
    wanted = id_of(Kind.WEBHOOK, webhook_id)
    async with tenant_transaction(world_of(request).request_pool, reader) as connection:
        if await webhooks.by_id(connection, reader.tenant_id, wanted) is None:
            raise NotFound
        found = await deliveries.page(
            connection,
            reader.tenant_id,
            wanted,
            after=after(cursor),
            result=result,
            event_id=event,
            limit=limit,
        )
    last = After(found[-1].attempted_at, found[-1].delivery_id) if len(found) == limit else None
    return DeliveryPage(
        items=[shown_delivery(one) for one in found],
        next_cursor=last and last.shown(),
    )


def router() -> Router:
    return Router(
        "/webhooks",
        route_handlers=[
            create,
            list_all,
            get_one,
            change,
            remove,
            test,
            pause,
            resume,
            replay,
            skip,
            rotate,
            list_deliveries,
        ],
        tags=["webhooks"],
    )


def _who(request: Asking) -> Who:
    """For whom a webhook acts from now on; raises NotPermitted."""
    if request.user.is_bound:
        raise NotPermitted("This token is bound to accounts; a webhook tells all its person sees.")
    return request.user.claims


def _types(given: list[EventType] | None) -> list[str] | None:
    return None if given is None else sorted({kind.value for kind in given})


def _accounts(request: Asking, given: list[str] | None) -> list[UUID] | None:
    """Accounts that the caller may see; raises NotFound for any other."""
    if given is None:
        return None
    named = {id_of(Kind.ACCOUNT, text) for text in given}
    if not named <= set(request.user.caller.account_ids):
        raise NotFound
    return sorted(named)


async def _query(request: Asking, given: str | None) -> EventQuery | None:
    if given is None:
        return None
    world = world_of(request)
    return await ask_events(world.request_pool, world.bus, request.user.caller, given)
