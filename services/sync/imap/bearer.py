"""Proving who we are by an access token: OAUTHBEARER (RFC 7628), or XOAUTH2 as Google has it."""

from __future__ import annotations

from aioimaplib.aioimaplib import AUTH, NONAUTH

from services.sync.imap.capability import ask_capabilities
from services.sync.imap.errors import AuthFailed, Refused, TokenRefused, Unavailable
from services.sync.imap.parser import Continue, Status
from services.sync.imap.wire import Wire
from shared.dial.bearer import in_words, mechanism_among


async def authenticate(wire: Wire, username: str, token: str, *, host: str, port: int) -> None:
    """Sign in with an access token, once; raises TokenRefused with the server's reason in words."""
    if wire.state != NONAUTH:
        return  # PREAUTH: the server knows us already
    if any(c < " " or c == "\x7f" for c in username + token):
        raise AuthFailed("A user name or token cannot contain control characters.")
    before = wire.offers
    mechanism = mechanism_among(
        {offer.removeprefix("AUTH=") for offer in before if offer.startswith("AUTH=")}
    )
    if mechanism is None:
        raise AuthFailed("The server takes no access tokens (OAUTHBEARER, XOAUTH2).", "NOTOKENS")
    said = mechanism.response(username, token, host=host, port=port)
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
                        await exchange.send_line(mechanism.after_error)
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
