"""/accounts: the mail accounts of a tenant."""

from typing import Annotated, Any, Literal, Self

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Struct
from pydantic import Field, SecretStr, StringConstraints, model_validator

from services.api.actions.change_account import AccountChange, EndpointChange, change_account
from services.api.actions.connecting import Login
from services.api.actions.create_account import create_account
from services.api.actions.remove_account import remove_account
from services.api.domain.refusals import NotFound, PlaintextRefused
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, EmailAddress, Host, Line, Name
from services.api.http.integrity import integrity
from services.api.http.moments import Moment
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts as store
from services.api.store.accounts import Account
from shared.contracts.account import AccountState, Endpoint, Security, SendingState
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction

Port = Annotated[int, Field(ge=1, le=65535)]
Username = Annotated[Line, StringConstraints(min_length=1, max_length=320)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class ImapServer(Body):
    """Where the account's mail is read."""

    host: Host
    port: Port = 993
    security: Security = Security.TLS
    username: Username
    password: Password
    verify_certificate: bool = True


class SmtpServer(Body):
    """Where the account's mail is sent. Without a username, as for IMAP."""

    host: Host
    port: Port = 465
    security: Security = Security.TLS
    username: Username | None = None
    password: Password | None = None
    verify_certificate: bool = True

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("Give username and password, or neither.")
        return self


class NewAccount(Body):
    """A mail account to connect."""

    name: Name = ""
    email: EmailAddress
    imap: ImapServer
    smtp: SmtpServer


class ServerChange(Body):
    """What is to be different about a server. A new place or name needs the password again."""

    host: Host | None = None
    port: Port | None = None
    security: Security | None = None
    username: Username | None = None
    password: Password | None = None
    verify_certificate: bool | None = None


class ChangedAccount(Body):
    """What is to be different about an account; what is left out stays."""

    name: Name | None = None
    any_sender: bool | None = Field(
        default=None, description="Let any address be written from, not identities only."
    )
    in_doubt: Literal["hold", "retry"] | None = Field(
        default=None,
        description="A message may have been sent, and for a quarter of an hour no trace of it is"
        " found: hold it until somebody decides, or send it again, whereby it may arrive twice.",
    )
    imap: ServerChange | None = None
    smtp: ServerChange | None = None


class Server(Struct, frozen=True, kw_only=True):
    """A server of an account. Passwords are never shown: nobody here has them."""

    host: str
    port: int
    security: Security
    username: str
    verify_certificate: bool


class Progress(Struct, frozen=True, kw_only=True):
    """How far the first copy came, in messages."""

    done: int
    total: int
    mailbox: str | None
    ends_at: Moment | None  # when it will be whole, as far as can be told


class Sending(Struct, frozen=True, kw_only=True):
    """Whether the submission server takes mail of this account. What waits is sent later."""

    state: SendingState
    reason: str | None
    server_said: str | None
    retry_at: Moment | None  # when it is tried again by itself


class ShownAccount(Struct, frozen=True, kw_only=True):
    """A mail account and how it is doing."""

    id: str
    name: str
    email: str
    state: AccountState
    reason: str | None
    server_said: str | None
    paused: bool
    any_sender: bool  # any address may be written from
    oauth_provider: str | None  # null: signs in with a password
    in_doubt: str  # hold or retry what may have been sent
    progress: Progress | None
    sending: Sending
    imap: Server
    smtp: Server
    created_at: Moment
    updated_at: Moment


class Accounts(Struct, frozen=True, kw_only=True):
    """All accounts that you may see."""

    items: list[ShownAccount]


@post("", summary="Connect a mail account", security=needs(Scope.ACCOUNT_ADMIN))
async def create(request: Asking, data: JSONBody[NewAccount]) -> Response[ShownAccount]:
    world = world_of(request)
    refuse_plaintext(data.imap, data.smtp, allowed=world.settings.allow_plaintext_passwords)
    imap = login_of(data.imap)
    smtp = smtp_login_of(data.smtp, imap)
    account, grew = await create_account(
        world.request_pool,
        request.user.caller,
        world.seals,
        name=data.name,
        email=data.email,
        imap=imap,
        smtp=smtp,
    )
    await world.committed(grew, told=True)
    made = shown_account(account)
    return Response(made, status_code=201, headers={"Location": f"/api/v1/accounts/{made.id}"})


@get("", summary="List accounts", security=needs(Scope.MAIL_READ))
async def list_all(request: Asking) -> Accounts:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await store.all_of(connection, caller.tenant_id)
    return Accounts(items=[shown_account(account) for account in found])


@get(
    "/{account_id:str}",
    summary="One account: its state, and how far its first copy came",
    security=needs(Scope.MAIL_READ),
)
async def get_one(request: Asking, account_id: FromPath[str]) -> ShownAccount:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        account = await store.by_id(connection, caller.tenant_id, id_of(Kind.ACCOUNT, account_id))
    if account is None:
        raise NotFound
    return shown_account(account)


@patch(
    "/{account_id:str}",
    summary="Change an account; servers that change are tried anew",
    security=needs(Scope.ACCOUNT_ADMIN),
)
async def change(
    request: Asking, account_id: FromPath[str], data: JSONBody[ChangedAccount]
) -> ShownAccount:
    world = world_of(request)
    account, grew = await change_account(
        world.request_pool,
        request.user.caller,
        world.seals,
        id_of(Kind.ACCOUNT, account_id),
        AccountChange(
            name=UNSET if data.name is None else data.name,
            any_sender=UNSET if data.any_sender is None else data.any_sender,
            in_doubt=UNSET if data.in_doubt is None else data.in_doubt,
            imap=_change(data.imap),
            smtp=_change(data.smtp),
        ),
        allow_plaintext=world.settings.allow_plaintext_passwords,
    )
    await world.committed(grew, told=True)
    return shown_account(account)


@delete(
    "/{account_id:str}",
    status_code=204,
    summary="Disconnect: our copy goes, the server's stays",
    security=needs(Scope.ACCOUNT_ADMIN),
)
async def remove(request: Asking, account_id: FromPath[str]) -> None:
    world = world_of(request)
    grew = await remove_account(
        world.request_pool, request.user.caller, id_of(Kind.ACCOUNT, account_id)
    )
    await world.committed(grew, told=True)
    world.to_forget.set()


def router() -> Router:
    return Router(
        "/accounts",
        route_handlers=[create, list_all, get_one, change, remove, integrity],
        tags=["accounts"],
    )


def shown_account(account: Account) -> ShownAccount:
    progress = None
    if account.progress_done is not None and account.progress_total is not None:
        progress = Progress(
            done=account.progress_done,
            total=account.progress_total,
            mailbox=account.progress_mailbox,
            ends_at=account.progress_ends_at,
        )
    return ShownAccount(
        id=shown(Kind.ACCOUNT, account.account_id),
        name=account.name,
        email=account.email,
        state=AccountState(account.state),
        reason=account.reason,
        server_said=account.server_said,
        paused=account.paused,
        any_sender=account.any_sender,
        oauth_provider=account.oauth_provider,
        in_doubt=account.in_doubt,
        progress=progress,
        sending=Sending(
            state=SendingState(account.sending),
            reason=account.sending_reason,
            server_said=account.sending_server_said,
            retry_at=account.sending_retry_at,
        ),
        imap=_server(account.imap),
        smtp=_server(account.smtp),
        created_at=account.created_at,
        updated_at=account.updated_at,
    )


def _server(endpoint: Endpoint) -> Server:
    return Server(
        host=endpoint.host,
        port=endpoint.port,
        security=endpoint.security,
        username=endpoint.username,
        verify_certificate=endpoint.verify_certificate,
    )


def login_of(server: ImapServer) -> Login:
    return Login(endpoint=_endpoint(server), password=server.password.get_secret_value())


def smtp_login_of(server: SmtpServer, imap: Login | None) -> Login:
    """With a name and password of its own, else with those for IMAP; raises Invalid."""
    if server.username is not None and server.password is not None:
        return Login(endpoint=_endpoint(server), password=server.password.get_secret_value())
    if imap is None:
        message = "Give a username and a password, or imap."
        raise Invalid([FieldProblem(pointer="/smtp/username", message=message, code="missing")])
    return Login(endpoint=_endpoint(server, imap.endpoint.username), password=imap.password)


def _endpoint(server: ImapServer | SmtpServer, username: str = "") -> Endpoint:
    return Endpoint(
        host=server.host,
        port=server.port,
        security=server.security,
        username=server.username or username,
        verify_certificate=server.verify_certificate,
    )


def _change(server: ServerChange | None) -> EndpointChange:
    if server is None:
        return EndpointChange()
    given: dict[str, Any] = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in server
        if value is not None
    }
    return EndpointChange(**given)


def refuse_plaintext(imap: ImapServer | None, smtp: SmtpServer | None, *, allowed: bool) -> None:
    """No password goes over a line that anybody may read, unless the operator allows it."""
    if allowed:
        return
    refused = PlaintextRefused()
    errors = [
        FieldProblem(pointer=f"/{name}/security", message=refused.detail, code=refused.code)
        for name, server in (("imap", imap), ("smtp", smtp))
        if server is not None and server.security is Security.NONE
    ]
    if errors:
        raise Invalid(errors)
