"""The page on which somebody connects a mailbox: plain HTML, no script, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape

from services.api.domain.consents import origin_of
from shared.contracts.account import Security
from shared.contracts.oauth import Provider
from shared.dial.providers import Step

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0; background: Canvas; color: CanvasText }
main { max-width: 28rem; margin: 0 auto; padding: 2rem 1rem }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin-top: 2rem }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600 }
input, select { font: inherit; width: 100%; box-sizing: border-box; padding: .6rem;
  min-height: 44px; border: 1px solid GrayText; border-radius: .375rem;
  background: Field; color: FieldText }
button { font: inherit; font-weight: 600; width: 100%; min-height: 44px; margin-top: 1rem;
  padding: .6rem 1rem; border: 1px solid transparent; border-radius: .375rem; background: #1a56c4;
  color: #fff; cursor: pointer }
button.second { background: ButtonFace; color: ButtonText; border-color: GrayText }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px }
fieldset { border: 0; padding: 0; margin: 1.5rem 0 0 } legend { font-weight: 600 }
summary { cursor: pointer; min-height: 44px; padding: .5rem 0; box-sizing: border-box }
.wrong { border-left: 4px solid #b3261e; padding: .5rem 1rem; margin: 1rem 0 }
.well { border-left: 4px solid #1e7b34; padding: .5rem 1rem; margin: 1rem 0 }
.small { opacity: .85 }
.first { padding-left: 1.25rem }
a { color: LinkText }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: What people read, by the code of what went wrong.
_WRONG = {
    "access_denied": "You did not agree, so nothing was connected.",
    "another_mailbox": "You signed in with another mailbox than the one that is to be connected.",
    "code_refused": "The provider's answer was not good any more. Please try again.",
    "client_refused": "The provider does not accept this service. Its operator has to look at it.",
    "no_refresh_token": "The provider gave access for a moment only, which is not enough.",
    "provider_unavailable": "The provider does not answer at the moment. Please try again later.",
    "quota_reached": "Whoever sent you this link has all the mailboxes they may have.",
    "not_signed_in": "The server did not let us in. Please compare the user name, the password and"
    " the servers with what your provider says.",
    "incomplete": "Please fill in all the fields.",
    "servers_not_found": "The servers of this address could not be found. Whoever provides the"
    " mailbox says what they are called.",
    "no_programs": "This provider lets no other programs read and send mail.",
    "to_confirm": "These servers belong to somebody else than the address, and were named in a way"
    " that could be forged. Please compare them with what your provider says.",
}
_OTHERWISE = "That did not work. Please try again later."


def policy(providers: Iterable[Provider], return_url: str | None) -> str:
    """Nothing runs, nothing is fetched; forms lead here, and from here to where one consents."""
    places = {origin_of(one.authorization_endpoint) for one in providers}
    if return_url is not None:
        places.add(origin_of(return_url))
    return (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {' '.join(sorted(places))}".rstrip()
    )


def asking(
    *,
    token: str,
    tenant: str,
    email: str,
    repairs: bool,
    providers: Iterable[Provider],
    password_allowed: bool,
    servers: Mapping[str, str] | None,
    first: Iterable[Step] = (),
    wrong: str | None = None,
    details: str | None = None,
    password_open: bool = False,
) -> str:
    """Which mailbox, and how. Without `servers` they are still to be found for an address."""
    what = "Connect your mailbox again" if repairs else "Connect your mailbox"
    hidden = f'<input type="hidden" name="link" value="{escape(token)}">'
    buttons = "".join(
        f'<button name="provider" value="{escape(one.name)}">Continue with '
        f"{escape(one.label)}</button>"
        for one in providers
    )
    will = "will be able to read and change your mail, and to send in your name"
    parts = [
        f"<h1>{what} to {escape(tenant)}</h1>",
        _wrong(wrong, details),
        f"<p>{escape(tenant)} {will}, until you withdraw this.</p>",
    ]
    if buttons:
        parts.append(
            f'<form method="post" action="/connections/consent">{hidden}'
            + _field("email", "Your e-mail address", email, kind="email", complete="email")
            + f"{buttons}</form>"
            '<p class="small">You sign in at your provider. Your password is not seen here.</p>'
        )
    if password_allowed:
        form = _first(first) + (
            _finding(hidden, email) if servers is None else _signing_in(hidden, email, servers)
        )
        if buttons:
            is_open = " open" if password_open else ""
            form = f"<details{is_open}><summary>Use a password instead</summary>{form}</details>"
        parts.append(form)
    if not buttons and not password_allowed:
        parts.append("<p>There is no way to sign in that this link allows.</p>")
    return _page(what, "".join(parts))


def _finding(hidden: str, email: str) -> str:
    return (
        f'<form method="post" action="/connections/find">{hidden}'
        + _field("email", "Your e-mail address", email, kind="email", complete="email")
        + '<button class="second">Find my mail servers</button></form>'
    )


def _signing_in(hidden: str, email: str, servers: Mapping[str, str]) -> str:
    return (
        f'<form method="post" action="/connections/password">{hidden}'
        + _field("email", "Your e-mail address", email, kind="email", complete="email")
        + _field("username", "User name", servers.get("username") or email, complete="username")
        + _field(
            "password",
            "Password, or app password",
            "",
            kind="password",
            complete="current-password",
        )
        + _servers("imap", "Incoming mail (IMAP)", servers)
        + _servers("smtp", "Outgoing mail (SMTP)", servers)
        + '<button class="second">Connect</button>'
        # Who mistyped the address begins with another; what else stands here need not be whole.
        + '<button class="second" formaction="/connections/find" formnovalidate>Find the servers'
        " of this address</button></form>"
    )


def _first(steps: Iterable[Step]) -> str:
    """What has to be done before a password is of use."""
    shown = "".join(
        f"<li>{escape(step.text)}"
        + (f' <a href="{escape(step.link)}" rel="noreferrer">How</a>' if step.link else "")
        + "</li>"
        for step in steps
    )
    return f'<h2>Do this first</h2><ol class="first">{shown}</ol>' if shown else ""


def done(*, tenant: str, email: str) -> str:
    return _page(
        "Connected",
        f'<h1>Your mailbox is connected</h1><p class="well" role="status">{escape(email)} is'
        f" connected to {escape(tenant)}. You may close this page.</p>",
    )


def over(*, detail: str, is_good_still: bool = False) -> str:
    """A link that is not good any more; or one that is, and an answer that was not."""
    more = "<p>To try again, open the link once more.</p>" if is_good_still else ""
    return _page(
        "This does not work",
        f'<h1>This does not work</h1><p class="wrong" role="alert">{escape(detail)}</p>{more}',
    )


def words_of(code: str) -> str:
    """What went wrong, for whom it went wrong."""
    return _WRONG.get(code, _OTHERWISE)


def _wrong(code: str | None, details: str | None) -> str:
    if code is None:
        return ""
    words = words_of(code)
    more = f"<br>{escape(details)}" if details else ""
    return f'<p class="wrong" role="alert">{escape(words)}{more}</p>'


def _field(name: str, label: str, value: str, *, kind: str = "text", complete: str = "off") -> str:
    return (
        f'<label>{escape(label)}<input name="{name}" type="{kind}" value="{escape(value)}" required'
        f' autocomplete="{complete}" maxlength="1024"></label>'
    )


def _servers(protocol: str, legend: str, given: Mapping[str, str]) -> str:
    def value(name: str) -> str:
        return given.get(f"{protocol}_{name}", "")

    options = "".join(
        f'<option value="{one.value}"{" selected" if value("security") == one.value else ""}>'
        f"{label}</option>"
        for one, label in ((Security.TLS, "TLS"), (Security.STARTTLS, "STARTTLS"))
    )
    return (
        f"<fieldset><legend>{legend}</legend>"
        + _field(f"{protocol}_host", "Server", value("host"))
        + _field(f"{protocol}_port", "Port", value("port"), kind="number")
        + f'<label>Security<select name="{protocol}_security">{options}</select></label></fieldset>'
    )


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main>{content}</main></body></html>"
    )
