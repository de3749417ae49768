"""/accounts:test and /accounts/{account_id}:test: whether an account works, and what is wrong."""

from typing import Annotated, Self

from litestar import Router, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from pydantic import Field, model_validator

from services.api.actions.connecting import Login
from services.api.actions.try_servers import TriedServers, try_account, try_logins
from services.api.domain.rights import Scope
from services.api.http.accounts import (
    ImapServer,
    SmtpServer,
    login_of,
    refuse_plaintext,
    smtp_login_of,
)
from services.api.http.bodies import Body
from services.api.http.limits import KIND
from services.api.http.repeating import UNKEPT
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.verbs import verb
from shared.contracts.ids import Kind
from shared.contracts.trying import Tried, TryStage

#: Its own limit, since each dials; and always tried anew, whatever key it comes with.
_TEST = {KIND: "test", UNKEPT: True}


class ServersToTest(Body):
    """Servers of an account that is not connected yet: both, or one of them."""

    imap: ImapServer | None = None
    smtp: Annotated[
        SmtpServer | None,
        Field(description="Without a username, as for IMAP, which is then needed."),
    ] = None

    @model_validator(mode="after")
    def _something_to_test(self) -> Self:
        if self.imap is None and self.smtp is None:
            raise ValueError("Give imap, smtp, or both.")
        return self


class TestedServer(Struct, frozen=True, kw_only=True):
    """How it went with a server: `failed_at` is how far we came, null where all is well."""

    ok: bool
    failed_at: TryStage | None
    reason: str | None  # stable, as in docs/account-states.md
    detail: str | None  # in our words
    server_said: str | None
    capabilities: list[str]
    milliseconds: int


class AccountTest(Struct, frozen=True, kw_only=True):
    """Whether an account works; null for a server that was not asked about."""

    ok: bool
    imap: TestedServer | None
    smtp: TestedServer | None


@post(
    "",
    status_code=200,
    security=needs(Scope.ACCOUNT_ADMIN),
    summary="Test servers before an account is connected",
    description="Dials, encrypts and signs in, once, and says how far it came: `dns`, `tcp`, `tls`,"
    " `certificate`, `greeting`, `capability`, `auth`. Nothing is kept, and nothing is sent.",
    opt=_TEST,
)
async def test_before(request: Asking, data: JSONBody[ServersToTest]) -> AccountTest:
    world = world_of(request)
    refuse_plaintext(data.imap, data.smtp, allowed=world.settings.allow_plaintext_passwords)
    imap = None if data.imap is None else login_of(data.imap)
    smtp: Login | None = None if data.smtp is None else smtp_login_of(data.smtp, imap)
    return _shown(
        await try_logins(world.bus, request.user.caller, world.seals, imap=imap, smtp=smtp)
    )


@verb(
    "/{account_id:str}:test",
    status_code=200,
    security=needs(Scope.ACCOUNT_ADMIN),
    summary="Test the servers of an account, with the passwords that are kept",
    opt=_TEST,
)
async def test_one(request: Asking, account_id: FromPath[str]) -> AccountTest:
    world = world_of(request)
    return _shown(
        await try_account(
            world.request_pool,
            world.bus,
            request.user.caller,
            id_of(Kind.ACCOUNT, account_id),
        )
    )


def routers() -> list[Router]:
    return [
        Router("/accounts:test", route_handlers=[test_before], tags=["accounts"]),
        Router("/accounts", route_handlers=[test_one], tags=["accounts"]),
    ]


def _shown(tried: TriedServers) -> AccountTest:
    return AccountTest(
        ok=all(one is None or one.failed_at is None for one in (tried.imap, tried.smtp)),
        imap=tried.imap and _tested(tried.imap),
        smtp=tried.smtp and _tested(tried.smtp),
    )


def _tested(tried: Tried) -> TestedServer:
    return TestedServer(
        ok=tried.failed_at is None,
        failed_at=tried.failed_at,
        reason=tried.reason,
        detail=tried.detail,
        server_said=tried.server_said,
        capabilities=list(tried.capabilities),
        milliseconds=tried.milliseconds,
    )
