"""/connections: where somebody comes with a connect link, and where their provider sends them back.

The pages are for people who have no account here. What they may do is what the link says, and the
answer of a provider counts in the browser that went there: a secret in a cookie says which it was.
"""

from typing import Any
from urllib.parse import parse_qs

from litestar import MediaType, Request, Response, Router, get, post
from litestar.datastructures import Cookie
from pydantic import ValidationError

from services.api.actions.begin_consent import begin_consent, random_secret
from services.api.actions.by_link import Opened, open_link
from services.api.actions.completing import Connected, led_back
from services.api.actions.connect_by_password import connect_by_password
from services.api.actions.discover_servers import discover_servers
from services.api.actions.finish_consent import ConsentRefused, finish_consent, take_answer
from services.api.actions.try_servers import try_logins
from services.api.domain.consents import CALLBACK, with_parameters
from services.api.domain.refusals import (
    LinkInvalid,
    QuotaReached,
    Refused,
)
from services.api.http import connect_page
from services.api.http.accounts import NewAccount, login_of, refuse_plaintext, smtp_login_of
from services.api.http.connect_servers import Servers, known_servers, servers_in
from services.api.http.discovery import AddressToDiscover
from services.api.http.limits import spend_as_client
from services.api.http.problems import Invalid
from services.api.http.signed_in import is_loopback, world_of
from shared.contracts.trying import Tried

Asked = Request[Any, Any, Any]
PAGE = "/connections/new"
_COOKIE, _LOOPBACK_COOKIE = "__Host-postbus-connect", "postbus-connect"
_COOKIE_SECONDS = 3600
_LONGEST_FORM = 16 * 1024


def page_of(request: Asked, token: str) -> str:
    """The link itself. Logs have the path without its query."""
    return f"{here(request)}{PAGE}?link={token}"


@get("/new", include_in_schema=False)
async def show(request: Asked) -> Response[Any]:
    await spend_as_client(request, "connect")
    token = request.query_params.get("link", "")
    try:
        opened = await _opened(request, token)
    except Refused as refused:
        return _over(refused)
    return _asking(request, opened, token)


@post("/consent", include_in_schema=False, status_code=303)
async def begin(request: Asked) -> Response[Any]:
    """Off to the provider."""
    await spend_as_client(request, "connect")
    form = await _form(request)
    world, token = world_of(request), form.get("link", "")
    try:
        opened = await _opened(request, token)
    except Refused as refused:
        return _over(refused)
    provider = opened.providers.get(form.get("provider", ""))
    username = form.get("email", "").strip()
    if provider is None or not _is_address(username):
        return _asking(request, opened, token, email=username, wrong="incomplete")
    browser = _browser(request) or random_secret()
    url = await begin_consent(
        world.pool,
        opened,
        provider,
        redirect_uri=here(request) + CALLBACK,
        browser=browser,
        username=username,
        now=world.clock(),
    )
    answer = _led(url)
    answer.set_cookie(_cookie(request, browser))
    return answer


@get("/callback", include_in_schema=False)
async def back(request: Asked) -> Response[Any]:
    """Back from the provider, with a code or without one."""
    await spend_as_client(request, "connect")
    world, given = world_of(request), request.query_params
    state, code, browser = given.get("state", ""), given.get("code", ""), _browser(request) or ""
    try:
        begun, opened = await take_answer(
            world.pool,
            world.settings.oauth_installed,
            state=state,
            browser=browser,
            now=world.clock(),
        )
    except Refused as refused:
        return _over(refused)
    if not code:
        return _failed(opened, given.get("error", ""))
    try:
        connected = await finish_consent(
            world.request_pool,
            world.bus,
            world.seals,
            begun,
            opened,
            code=code,
            state=state,
            browser=browser,
            redirect_uri=here(request) + CALLBACK,
            now=world.clock(),
        )
    except ConsentRefused as refused:
        return _failed(opened, refused.reason)
    except QuotaReached as refused:
        return _failed(opened, refused.code)
    except Refused as refused:
        return _over(refused)
    return await _done(request, opened, connected)


@post("/find", include_in_schema=False, status_code=200)
async def find(request: Asked) -> Response[Any]:
    """Where the servers of an address are, and what has to be done first."""
    await spend_as_client(request, "connect")
    form = await _form(request)
    token, email = form.get("link", ""), form.get("email", "").strip()
    try:
        opened = await _opened(request, token)
        if not opened.link.password_allowed:
            raise LinkInvalid
    except Refused as refused:
        return _over(refused)
    try:
        address = AddressToDiscover.model_validate({"email": email}).email
    except ValidationError:
        return _asking(request, opened, token, email=email, wrong="incomplete", found=Servers())
    found = servers_in(await discover_servers(address, request.app.state.discovery_means), email)
    return _asking(request, opened, token, email=email, found=found, wrong=found.wrong)


@post("/password", include_in_schema=False, status_code=200)
async def by_password(request: Asked) -> Response[Any]:
    """Servers and a password: tried at once, and kept when they let us in."""
    await spend_as_client(request, "connect")
    form = await _form(request)
    world, token = world_of(request), form.get("link", "")
    try:
        opened = await _opened(request, token)
        if not opened.link.password_allowed:
            raise LinkInvalid
    except Refused as refused:
        return _over(refused)

    def again(code: str, details: str | None = None) -> Response[Any]:
        return _asking(
            request, opened, token, email=form.get("email", ""), found=Servers(fields=form),
            wrong=code, details=details,
        )  # fmt: skip

    try:
        asked = NewAccount.model_validate(_account(form))
        refuse_plaintext(asked.imap, asked.smtp, allowed=world.settings.allow_plaintext_passwords)
    except (Invalid, ValidationError):
        return again("incomplete")
    imap = login_of(asked.imap)
    smtp = smtp_login_of(asked.smtp, imap)
    try:
        tried = await try_logins(world.bus, opened.caller, world.seals, imap=imap, smtp=smtp)
        for name, one in (("IMAP", tried.imap), ("SMTP", tried.smtp)):
            if one is not None and one.failed_at is not None:
                return again("not_signed_in", _why(name, one))
        connected = await connect_by_password(
            world.request_pool,
            world.seals,
            opened,
            email=asked.email,
            imap=imap,
            smtp=smtp,
            now=world.clock(),
        )
    except LinkInvalid as refused:
        return _over(refused)
    except Refused as refused:
        return again(refused.code)
    return await _done(request, opened, connected)


def router() -> Router:
    return Router("/connections", route_handlers=[show, begin, back, find, by_password])


async def _opened(request: Asked, token: str) -> Opened:
    world = world_of(request)
    return await open_link(world.pool, token, world.settings.oauth_installed, world.clock())


async def _done(request: Asked, opened: Opened, connected: Connected) -> Response[Any]:
    await world_of(request).committed(connected.grew, told=True)
    if opened.link.return_url is not None:
        return _led(with_parameters(opened.link.return_url, led_back(connected)))
    return _html(
        connect_page.done(tenant=opened.tenant_name, email=connected.account.email), opened
    )


def _failed(opened: Opened, code: str) -> Response[Any]:
    """Nothing came of it. The link is as good as before: who has it may begin again."""
    if opened.link.return_url is not None:
        reason = code if code.isascii() and code.replace("_", "").isalnum() else "failed"
        return _led(
            with_parameters(
                opened.link.return_url, {"connect_status": "failed", "reason": reason[:64]}
            )
        )
    return _html(
        connect_page.over(detail=connect_page.words_of(code), is_good_still=True),
        opened,
        status=422,
    )


def _asking(
    request: Asked,
    opened: Opened,
    token: str,
    *,
    email: str | None = None,
    found: Servers | None = None,
    wrong: str | None = None,
    details: str | None = None,
) -> Response[Any]:
    address = email if email is not None else opened.link.email or ""
    servers = known_servers(address) if found is None else found
    answer = _html(
        connect_page.asking(
            token=token,
            tenant=opened.tenant_name,
            email=address,
            repairs=opened.link.account_id is not None,
            providers=opened.providers.values(),
            password_allowed=opened.link.password_allowed,
            servers=servers.fields,
            first=servers.first,
            wrong=wrong,
            details=details,
            password_open=found is not None,
        ),
        opened,
        status=422 if wrong else 200,
    )
    if _browser(request) is None:
        answer.set_cookie(_cookie(request, random_secret()))
    return answer


def _account(form: dict[str, str]) -> dict[str, Any]:
    """The form as the body of `POST /accounts`."""
    email = form.get("email", "").strip()

    def server(protocol: str) -> dict[str, Any]:
        port = form.get(f"{protocol}_port", "")
        return {
            "host": form.get(f"{protocol}_host", "").strip(),
            "port": int(port) if port.isascii() and port.isdigit() else 0,
            "security": form.get(f"{protocol}_security", "tls"),
            "username": form.get("username", "").strip() or email,
            "password": form.get("password", ""),
        }

    return {"email": email, "imap": server("imap"), "smtp": server("smtp")}


def _why(name: str, tried: Tried) -> str:
    said = tried.server_said or tried.detail or tried.reason or ""
    return f"{name}: {said}"[:300]


async def _form(request: Asked) -> dict[str, str]:
    """A form as browsers send it; the last of each name."""
    body = (await request.body()).decode("utf-8", "replace")
    fields = parse_qs(body, keep_blank_values=True, max_num_fields=50)
    return {name: values[-1].replace("\0", "") for name, values in fields.items()}


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain and len(text) <= 320 and text.isprintable())


def here(request: Asked) -> str:
    """How people come to this server; the provider compares it letter by letter."""
    told = world_of(request).settings.public_url
    return told or f"{request.url.scheme}://{request.url.netloc}"


def _browser(request: Asked) -> str | None:
    name = _LOOPBACK_COOKIE if _is_bare(request) else _COOKIE
    value = request.cookies.get(name)
    return value if value and len(value) == 43 and value.isascii() else None


def _is_bare(request: Asked) -> bool:
    return is_loopback(request) and request.url.scheme == "http"


def _cookie(request: Asked, secret: str) -> Cookie:
    """Lax: the provider's answer comes from elsewhere, by a link, and has to bring it."""
    bare = _is_bare(request)
    return Cookie(
        key=_LOOPBACK_COOKIE if bare else _COOKIE,
        value=secret,
        max_age=_COOKIE_SECONDS,
        path="/",
        secure=not bare,
        httponly=True,
        samesite="lax",
    )


def _led(url: str) -> Response[Any]:
    return Response(None, status_code=303, headers={"Location": url})


def _over(refused: Refused) -> Response[Any]:
    return _html(connect_page.over(detail=refused.detail), None, status=410)


def _html(page: str, opened: Opened | None, *, status: int = 200) -> Response[Any]:
    return Response(
        page,
        status_code=status,
        media_type=MediaType.HTML,
        headers={
            "Content-Security-Policy": connect_page.policy(
                opened.providers.values() if opened else (),
                opened.link.return_url if opened else None,
            )
        },
    )
