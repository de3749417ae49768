"""From an endpoint to a connection that is greeted and as safe as the account demands."""

from __future__ import annotations

import asyncio
import ssl

from aioimaplib.aioimaplib import AUTH, NONAUTH

from services.sync.imap.capability import ask_capabilities
from services.sync.imap.errors import (
    Bye,
    Disconnected,
    Garbled,
    ImapError,
    Insecure,
    Refused,
    Silent,
    Unreachable,
    Untrusted,
)
from services.sync.imap.parser import Status, parse_answer
from services.sync.imap.wire import Dial, Endpoint, Limits, Timeouts, Wire
from shared.contracts.account import Security


async def open_wire(
    endpoint: Endpoint, *, dial: Dial, tls: ssl.SSLContext, timeouts: Timeouts, limits: Limits
) -> Wire:
    """Dial, encrypt, and read the greeting (RFC 9051 §7.1)."""
    loop = asyncio.get_running_loop()
    try:
        sock = await dial(endpoint.host, endpoint.port)
    except OSError as failure:
        raise Unreachable(str(failure)) from failure
    wire = Wire(loop, timeouts, limits)
    encrypted = endpoint.security is Security.TLS
    try:
        await loop.create_connection(
            lambda: wire,
            sock=sock,
            ssl=tls if encrypted else None,
            server_hostname=endpoint.host if encrypted else None,
            ssl_handshake_timeout=timeouts.connect if encrypted else None,
        )
    except BaseException as failure:  # also a cancelled handshake leaves no socket open
        sock.close()
        if isinstance(failure, OSError):
            raise _unreachable(failure) from failure
        raise
    try:
        await _greeted(wire)
        if endpoint.security is Security.STARTTLS:
            await _start_tls(wire, endpoint.host, tls)
        if not wire.offers:
            await ask_capabilities(wire)
    except BaseException:  # whatever it was, nobody else holds this connection
        wire.abort()
        raise
    return wire


async def _greeted(wire: Wire) -> None:
    try:
        greeting = parse_answer(await wire.frame(silence=wire.timeouts.connect))
    except Silent as silent:
        raise Unreachable("The server did not greet in time.") from silent
    except Garbled:
        raise
    except Disconnected as ended:
        raise Unreachable(f"The server hung up without a greeting. {ended.said}") from ended
    match greeting:
        case Status(tag=None, status="OK"):
            wire.state = NONAUTH
        case Status(tag=None, status="PREAUTH"):
            wire.state = AUTH
        case Status(tag=None, status="BYE"):
            raise Bye(greeting.text, greeting.code)
        case _:
            raise Garbled("What answers there is not an IMAP server.")
    wire.overhear(greeting)


async def _start_tls(wire: Wire, host: str, tls: ssl.SSLContext) -> None:
    """Encrypt (RFC 9051 §6.2.1), or not go on.

    Nothing said before counts after it, and a greeting that says we are known already leaves no
    way to encrypt (§11.1): both are how somebody in the middle would hold us in the clear.
    """
    if wire.state != NONAUTH:
        raise Insecure("The server gives no chance to encrypt (PREAUTH).")
    if not wire.offers:
        await ask_capabilities(wire)
    if "STARTTLS" not in wire.offers:
        raise Insecure("The server does not offer STARTTLS.")
    try:
        async with wire.exchange() as exchange:
            await exchange.send("STARTTLS")
            await exchange.finish()
    except Refused as refused:
        raise Insecure(f"The server refused STARTTLS: {refused.text}") from refused
    if wire.midway:
        raise Garbled("data in the clear after STARTTLS")
    try:
        await wire.encrypt(tls, host)
    except OSError as failure:
        raise _unreachable(failure) from failure
    await ask_capabilities(wire)


def _unreachable(failure: OSError) -> ImapError:
    match failure:
        case ssl.SSLCertVerificationError():
            return Untrusted(f"The server's certificate is not valid: {failure.verify_message}.")
        case ssl.SSLError():
            return Unreachable(f"No TLS is spoken there: {failure.reason or failure}.")
        case _:
            return Unreachable(str(failure) or "The connection ended during the TLS handshake.")
