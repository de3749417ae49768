"""Proving who we are by an access token: OAUTHBEARER (RFC 7628), or XOAUTH2 as Google has it."""

from __future__ import annotations

import base64

from aioimaplib.aioimaplib import AUTH, NONAUTH

from services.sync.domain.challenge import in_words
from services.sync.imap.capability import ask_capabilities
from services.sync.imap.errors import AuthFailed, Refused, TokenRefused, Unavailable
from services.sync.imap.parser import Continue, Status
from services.sync.imap.wire import Wire

#: By the mechanism: what is said to a challenge that holds an error, so that the server may end the
#: exchange with a NO (RFC 7628 §3.2.3: one control-A; XOAUTH2: nothing).
_AFTER_ERROR = {"OAUTHBEARER": base64.b64encode(b"\x01"), "XOAUTH2": b""}


async def authenticate(wire: Wire, username: str, token: str, *, host: str, port: int) -> None:
    """Sign in with an access token, once; raises TokenRefused with the server's reason in words."""
    if wire.state != NONAUTH:
        return  # PREAUTH: the server knows us already
    if any(c < " " or c == "\x7f" for c in username + token):
        raise AuthFailed("A user name or token cannot contain control characters.")
    before = wire.offers
    mechanism = next((name for name in _AFTER_ERROR if f"AUTH={name}" in before), None)
    if mechanism is None:
        raise AuthFailed("The server takes no access tokens (OAUTHBEARER, XOAUTH2).", "NOTOKENS")
    said = _response(mechanism, username, token, host, port)
    challenge = b""
    try:
        async with wire.exchange() as exchange:
            if "SASL-IR" in before:  # RFC 4959
                await exchange.send("AUTHENTICATE", mechanism.encode(), said)
            else:
                await exchange.send("AUTHENTICATE", mechanism.encode())
                await exchange.go_ahead()
                await exchange.send_line(said)
            while exchange.owed:
                match answer := await exchange.next():
                    case Continue(text) if not challenge:
                        challenge = text or b"="
                        await exchange.send_line(_AFTER_ERROR[mechanism])
                    case Continue():
                        await exchange.send_line(b"*")
                    case Status(tag=str(), status="NO" | "BAD"):
                        raise exchange.refusal(answer)
                    case _:
                        exchange.overhear(answer)
    except Unavailable:
        raise
    except Refused as refused:
        words = " ".join(filter(None, (refused.text, in_words(challenge))))
        raise TokenRefused(words, refused.code) from refused
    wire.state = AUTH
    if wire.offers is before:  # a server may offer more to those it knows
        await ask_capabilities(wire)


def _response(mechanism: str, username: str, token: str, host: str, port: int) -> bytes:
    if mechanism == "XOAUTH2":
        said = f"user={username}\x01auth=Bearer {token}\x01\x01"
    else:
        # RFC 7628 §3.1, RFC 5801 §4: `,` and `=` of a name are written out.
        name = username.replace("=", "=3D").replace(",", "=2C")
        said = f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"
    return base64.b64encode(said.encode())
