"""/accounts/{account_id}/budget: what an account may use of its servers, and who says so."""

from litestar import Router, get
from litestar.params import FromPath
from msgspec import Struct

from services.api.actions.read_standing import read_standing
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.moments import Moment
from services.api.http.profile import ShownProfile, shown_profile
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts, submissions
from shared.contracts.ids import Kind
from shared.contracts.standing import AppliedProfile, OwnProfile, Standing
from shared.db import tenant_transaction
from shared.dial.own_profile import submission_profile


class Allowance(Struct, frozen=True, kw_only=True):
    """What is used of something, and how much there may be."""

    used: int
    allowed: int | None  # null: nobody limits it
    decided_by: str | None  # operator, account, provider, or server (which refused more)


class MailProfile(Struct, frozen=True, kw_only=True):
    """What is known of the account's server. Null: nobody says."""

    provider: str | None
    title: str | None
    chosen_by: str | None  # by what it is known: host, server_id, capability; account: you said so
    server_name: str | None  # as the server calls itself
    connections: int | None
    bytes_per_day: int | None
    commands_per_day: int | None
    messages_per_day: int | None
    idle_seconds: int | None
    files_sent: bool | None  # what is sent comes to Sent by itself
    files_sent_is_learnt: bool  # seen there, whatever is known of the provider
    quirks: list[str]


class AccountBudget(Struct, frozen=True, kw_only=True):
    """What an account uses of its servers and may use, today (UTC)."""

    account_id: str
    connections: Allowance
    bytes: Allowance  # fetched; a first copy leaves a fifth of it for new mail
    commands: Allowance
    messages: Allowance  # given to be sent; what is more waits for the next day
    renews_at: Moment
    first_copy_rests_until: Moment | None
    profile: MailProfile
    said: ShownProfile  # by you, at `/accounts/{account_id}/profile`


@get(
    "/{account_id:str}/budget",
    summary="What the account may use of its servers, what it used, and who says so",
    security=needs(Scope.MAIL_READ),
)
async def budget(request: Asking, account_id: FromPath[str]) -> AccountBudget:
    world, caller = world_of(request), request.user.caller
    key = id_of(Kind.ACCOUNT, account_id)
    standing = await read_standing(world.request_pool, world.bus, caller, key)
    async with tenant_transaction(world.request_pool, caller) as connection:
        account = await accounts.by_id(connection, caller.tenant_id, key)
        own = await accounts.profile_of(connection, caller.tenant_id, key)
        sent = await submissions.count_today(connection, caller.tenant_id, key)
    if account is None or own is None:
        raise NotFound
    per_day = submission_profile(account.smtp.host, own).messages_per_day
    messages = Allowance(used=sent, allowed=per_day, decided_by=_whose(per_day, own))
    return _budget(account_id, standing, messages, own)


def router() -> Router:
    return Router("/accounts", route_handlers=[budget], tags=["accounts"])


def _whose(per_day: int | None, own: OwnProfile) -> str | None:
    if own.messages_per_day is not None:
        return "account"
    return None if per_day is None else "provider"


def _budget(
    account_id: str, found: Standing, messages: Allowance, own: OwnProfile
) -> AccountBudget:
    profile = found.profile or AppliedProfile()
    return AccountBudget(
        account_id=account_id,
        connections=Allowance(
            used=found.connections,
            allowed=found.connections_allowed,
            decided_by=found.connections_by,
        ),
        bytes=Allowance(
            used=found.bytes_today, allowed=found.bytes_allowed, decided_by=found.bytes_by
        ),
        commands=Allowance(
            used=found.commands_today,
            allowed=found.commands_allowed,
            decided_by=found.commands_by,
        ),
        messages=messages,
        renews_at=found.renews_at,
        first_copy_rests_until=found.filling_rests_until,
        profile=MailProfile(
            provider=profile.provider,
            title=profile.title,
            chosen_by=profile.chosen_by,
            server_name=profile.server_name,
            connections=profile.connections,
            bytes_per_day=profile.bytes_per_day,
            commands_per_day=profile.commands_per_day,
            messages_per_day=profile.messages_per_day,
            idle_seconds=profile.idle_seconds,
            files_sent=profile.files_sent,
            files_sent_is_learnt=profile.files_sent_is_learnt,
            quirks=list(profile.quirks),
        ),
        said=shown_profile(own),
    )
