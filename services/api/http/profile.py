"""/accounts/{account_id}/profile: what somebody says of the account's servers."""

from typing import Annotated

from litestar import Router, get, put
from litestar.params import FromPath, JSONBody
from msgspec import Struct, structs
from pydantic import Field, StringConstraints

from services.api.actions.set_profile import set_profile
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, Line
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts
from shared.contracts.ids import Kind
from shared.contracts.standing import OwnProfile
from shared.db import tenant_transaction
from shared.dial.providers import provider_named

_MOST = 2**53 - 1
Limit = Annotated[int, Field(ge=0, le=_MOST)]


class ChosenProfile(Body):
    """What you know better. What is left out, or null, is as it is known of the provider."""

    provider: Annotated[Line, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="Whose servers these are, by its name in docs/providers.md."
    )
    connections: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="At a time. The operator's number is not exceeded."
    )
    bytes_per_day: Limit | None = Field(
        default=None, description="Fetched. 0: any number, as far as the operator allows it."
    )
    commands_per_day: Limit | None = Field(default=None, description="The same of commands.")
    messages_per_day: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, description="Sent, in a day of UTC. What is more waits. 0: any number."
    )
    idle_seconds: Annotated[int, Field(ge=10, le=1740)] | None = Field(
        default=None, description="IDLE is renewed within."
    )
    files_sent: bool | None = Field(
        default=None, description="Whether what is sent comes to Sent by itself."
    )


class ShownProfile(Struct, frozen=True, kw_only=True):
    """What was said of the account's servers. Null: what is known counts (`budget` shows it)."""

    provider: str | None
    connections: int | None
    bytes_per_day: int | None
    commands_per_day: int | None
    messages_per_day: int | None
    idle_seconds: int | None
    files_sent: bool | None


@get(
    "/{account_id:str}/profile",
    summary="What was said of the account's servers, in place of what is known",
    security=needs(Scope.MAIL_READ),
)
async def get_profile(request: Asking, account_id: FromPath[str]) -> ShownProfile:
    world, caller = world_of(request), request.user.caller
    async with tenant_transaction(world.request_pool, caller) as connection:
        own = await accounts.profile_of(
            connection, caller.tenant_id, id_of(Kind.ACCOUNT, account_id)
        )
    if own is None:
        raise NotFound
    return shown_profile(own)


@put(
    "/{account_id:str}/profile",
    summary="Say what the account's servers allow and do",
    security=needs(Scope.ACCOUNT_ADMIN),
)
async def put_profile(
    request: Asking, account_id: FromPath[str], data: JSONBody[ChosenProfile]
) -> ShownProfile:
    """Reading and sending go by it at once; an empty object takes everything back."""
    if data.provider is not None and provider_named(data.provider) is None:
        raise Invalid(
            [FieldProblem(message="No provider is known by this name.", pointer="/provider")]
        )
    world = world_of(request)
    own = OwnProfile(**data.model_dump())
    await set_profile(world.request_pool, request.user.caller, id_of(Kind.ACCOUNT, account_id), own)
    await world.committed({}, told=True)
    return shown_profile(own)


def shown_profile(own: OwnProfile) -> ShownProfile:
    return ShownProfile(**structs.asdict(own))


def router() -> Router:
    return Router("/accounts", route_handlers=[get_profile, put_profile], tags=["accounts"])
