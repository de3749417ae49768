"""/accounts/{account_id}/…: pause an account, look at it now, and see how it stands."""

from litestar import Router, get
from litestar.params import FromPath
from msgspec import Struct

from services.api.actions.check_account_now import check_account_now
from services.api.actions.list_quarantine import list_quarantine
from services.api.actions.read_standing import read_standing
from services.api.actions.switch_account import switch_account
from services.api.domain.rights import Scope
from services.api.http.accounts import ShownAccount, shown_account
from services.api.http.moments import Moment
from services.api.http.paging import Cursor, Limit, Page, after
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.verbs import verb
from shared.contracts.account import AccountState
from shared.contracts.ids import Kind, shown
from shared.contracts.standing import QuarantinedMessage, Standing


class Resting(Struct, frozen=True, kw_only=True):
    """What an account waits for before it calls its server again."""

    until: Moment
    reason: str | None
    asked_by_server: bool


class Connections(Struct, frozen=True, kw_only=True):
    """Connections to the account's mail server."""

    open: int
    allowed: int


class Day(Struct, frozen=True, kw_only=True):
    """What was used since midnight UTC. `bytes_allowed` is null where nobody limits it."""

    bytes: int
    bytes_allowed: int | None
    commands: int
    renews_at: Moment


class AccountStanding(Struct, frozen=True, kw_only=True):
    """How an account stands with its server. docs/account-states.md explains each reason."""

    account_id: str
    state: AccountState
    reason: str | None
    server_said: str | None
    state_since: Moment
    paused: bool
    resting: Resting | None
    connections: Connections
    today: Day
    first_copy_rests_until: Moment | None
    last_check_asked_at: Moment | None
    quarantined: int


class Quarantined(Struct, frozen=True, kw_only=True):
    """A message that is on the server and could not be kept; each new release tries again."""

    id: str
    mailbox_id: str
    reason: str
    detail: str
    size_bytes: int | None
    attempts: int
    noticed_at: Moment
    last_tried_at: Moment


class Total(Struct, frozen=True, kw_only=True):
    """How many messages could not be kept for one reason."""

    reason: str
    count: int


class QuarantinePage(Page[Quarantined], frozen=True, kw_only=True):
    """Some of what could not be kept, noticed last first, and how much it is in all."""

    totals: list[Total]


@verb(
    "/{account_id:str}:pause",
    summary="Leave the account's server alone until resumed",
    security=needs(Scope.ACCOUNT_ADMIN),
)
async def pause(request: Asking, account_id: FromPath[str]) -> ShownAccount:
    return await _switched(request, account_id, paused=True)


@verb(
    "/{account_id:str}:resume",
    summary="Go on with a paused account",
    security=needs(Scope.ACCOUNT_ADMIN),
)
async def resume(request: Asking, account_id: FromPath[str]) -> ShownAccount:
    return await _switched(request, account_id, paused=False)


@verb(
    "/{account_id:str}:check",
    summary="Look at the account's server now, also where the next try would be later",
    security=needs(Scope.MAIL_READ),
)
async def check(request: Asking, account_id: FromPath[str]) -> ShownAccount:
    world = world_of(request)
    account = await check_account_now(
        world.request_pool, request.user.caller, id_of(Kind.ACCOUNT, account_id)
    )
    await world.committed({}, told=True)
    return shown_account(account)


@get(
    "/{account_id:str}/standing",
    summary="How the account stands with its server: what it uses, may use, and waits for",
    security=needs(Scope.MAIL_READ),
)
async def standing(request: Asking, account_id: FromPath[str]) -> AccountStanding:
    world = world_of(request)
    found = await read_standing(
        world.request_pool, world.bus, request.user.caller, id_of(Kind.ACCOUNT, account_id)
    )
    return _standing(account_id, found)


@get(
    "/{account_id:str}/quarantine",
    summary="List what is on the server and could not be kept, and why",
    security=needs(Scope.MAIL_READ),
)
async def quarantine(
    request: Asking, account_id: FromPath[str], limit: Limit = 50, cursor: Cursor = None
) -> QuarantinePage:
    world = world_of(request)
    answer, last = await list_quarantine(
        world.request_pool,
        world.bus,
        request.user.caller,
        id_of(Kind.ACCOUNT, account_id),
        after(cursor),
        limit,
    )
    return QuarantinePage(
        items=[_quarantined(message) for message in answer.messages],
        next_cursor=last and last.shown(),
        totals=[Total(reason=total.reason, count=total.count) for total in answer.totals],
    )


def router() -> Router:
    return Router(
        "/accounts",
        route_handlers=[pause, resume, check, standing, quarantine],
        tags=["accounts"],
    )


async def _switched(request: Asking, account_id: str, *, paused: bool) -> ShownAccount:
    world = world_of(request)
    account = await switch_account(
        world.request_pool, request.user.caller, id_of(Kind.ACCOUNT, account_id), paused=paused
    )
    await world.committed({}, told=True)
    return shown_account(account)


def _standing(account_id: str, found: Standing) -> AccountStanding:
    resting = None
    if found.resting_until is not None:
        resting = Resting(
            until=found.resting_until,
            reason=found.resting_reason,
            asked_by_server=found.resting_because_asked,
        )
    return AccountStanding(
        account_id=account_id,
        state=found.state,
        reason=found.reason,
        server_said=found.server_said,
        state_since=found.state_since,
        paused=found.paused,
        resting=resting,
        connections=Connections(open=found.connections, allowed=found.connections_allowed),
        today=Day(
            bytes=found.bytes_today,
            bytes_allowed=found.bytes_allowed,
            commands=found.commands_today,
            renews_at=found.renews_at,
        ),
        first_copy_rests_until=found.filling_rests_until,
        last_check_asked_at=found.checked_for_at,
        quarantined=found.quarantined,
    )


def _quarantined(message: QuarantinedMessage) -> Quarantined:
    return Quarantined(
        id=shown(Kind.QUARANTINED, message.quarantine_id),
        mailbox_id=shown(Kind.MAILBOX, message.mailbox_id),
        reason=message.reason,
        detail=message.detail,
        size_bytes=message.size_bytes,
        attempts=message.attempts,
        noticed_at=message.noticed_at,
        last_tried_at=message.last_tried_at,
    )
