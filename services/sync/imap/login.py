"""Proving who we are (LOGIN, AUTHENTICATE PLAIN; RFC 9051 §6.2.2, §6.2.3, RFC 4616)."""

from __future__ import annotations

import base64

from aioimaplib.aioimaplib import AUTH, NONAUTH

from services.sync.imap.arguments import string
from services.sync.imap.capability import ask_capabilities
from services.sync.imap.errors import AuthFailed, Refused, Unavailable
from services.sync.imap.parser import Continue, Status
from services.sync.imap.wire import Exchange, Wire


async def login(wire: Wire, username: str, password: str) -> None:
    """Log in, once: a second attempt with the same password may lock an account.

    PLAIN is preferred, because it says what encoding the name and password are in; LOGIN is the
    way where PLAIN is not offered, or offered and not understood (BAD).
    """
    if wire.state != NONAUTH:
        return  # PREAUTH: the server knows us already
    if "\0" in username or "\0" in password:
        raise AuthFailed("A user name or password cannot contain NUL.")
    before = wire.offers
    try:
        if "AUTH=PLAIN" in before:
            try:
                await _authenticate_plain(wire, username, password)
            except Refused as refused:
                if refused.status != "BAD" or "LOGINDISABLED" in before:
                    raise
                await _login(wire, username, password)
        elif "LOGINDISABLED" in before:
            raise AuthFailed("The server takes no password on this connection.", "PRIVACYREQUIRED")
        else:
            await _login(wire, username, password)
    except Unavailable:
        raise
    except Refused as refused:
        raise AuthFailed(refused.text, refused.code) from refused
    wire.state = AUTH
    if wire.offers is before:  # a server may offer more to those it knows
        await ask_capabilities(wire)


async def _login(wire: Wire, username: str, password: str) -> None:
    async with wire.exchange() as exchange:
        await exchange.send("LOGIN", string(username), string(password))
        await exchange.finish()


async def _authenticate_plain(wire: Wire, username: str, password: str) -> None:
    secret = base64.b64encode(f"\0{username}\0{password}".encode())
    async with wire.exchange() as exchange:
        if "SASL-IR" in wire.offers:
            await exchange.send("AUTHENTICATE", b"PLAIN", secret)
        else:
            await exchange.send("AUTHENTICATE", b"PLAIN")
            await exchange.go_ahead()
            await exchange.send_line(secret)
        await _settled(exchange)


async def _settled(exchange: Exchange) -> None:
    """Read to the end; PLAIN has nothing more to say, so a further question is declined."""
    while exchange.owed:
        match answer := await exchange.next():
            case Continue():
                await exchange.send_line(b"*")
            case Status(tag=str(), status="NO" | "BAD"):
                raise exchange.refusal(answer)
            case _:
                exchange.overhear(answer)
