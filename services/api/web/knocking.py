"""Whether a mail server answers at a door, and whether its certificate vouches for the name.

Nothing is said of anybody: a line is opened, protected, and left again.
"""

import asyncio
import ssl

from services.api.domain.discovery import Knock, Place, Protocol
from services.api.web.lines import Line, connect_to
from shared.contracts.account import Security
from shared.dial import AddressRefused, DialError, NameNotFound, Policy, tls_context

_MOST_LINES = 30


class _NoMailServer(Exception):
    """What answers speaks something else."""


async def knock(place: Place, *, policy: Policy, seconds: float) -> Knock:
    """Hear a server's greeting, over TLS."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await connect_to(
                place.host,
                place.port,
                tls=place.security is Security.TLS,
                policy=policy,
                dial_seconds=seconds,
            )
            try:
                await _greeted(place.protocol, reader)
                if place.security is Security.STARTTLS:
                    await _protect(place, (reader, writer))
            finally:
                writer.transport.abort()
    except (AddressRefused, NameNotFound):
        return Knock.BARRED
    except ssl.SSLCertVerificationError:
        return Knock.UNTRUSTED
    except (_NoMailServer, DialError, OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        return Knock.SILENT
    return Knock.HEARD


async def _greeted(protocol: Protocol, reader: asyncio.StreamReader) -> None:
    match protocol:
        case Protocol.IMAP:
            said = await reader.readuntil(b"\n")
            if not said.upper().startswith((b"* OK", b"* PREAUTH")):
                raise _NoMailServer
        case Protocol.SMTP:
            await _replied(reader, b"220")


async def _protect(place: Place, line: Line) -> None:
    """Ask for TLS, and have it; raises where the server does not take part."""
    reader, writer = line
    match place.protocol:
        case Protocol.IMAP:
            writer.write(b"a STARTTLS\r\n")
            for _ in range(_MOST_LINES):
                said = await reader.readuntil(b"\n")
                if said.startswith(b"a "):
                    break
            else:
                raise _NoMailServer
            if not said.upper().startswith(b"A OK"):
                raise _NoMailServer
        case Protocol.SMTP:
            writer.write(b"EHLO localhost\r\n")
            await _replied(reader, b"250")
            writer.write(b"STARTTLS\r\n")
            await _replied(reader, b"220")
    await writer.start_tls(tls_context(), server_hostname=place.host)


async def _replied(reader: asyncio.StreamReader, code: bytes) -> None:
    """All lines of one reply (RFC 5321 §4.2.1) with this code."""
    for _ in range(_MOST_LINES):
        said = await reader.readuntil(b"\n")
        if not said.startswith(code):
            break
        if said[3:4] != b"-":
            return
    raise _NoMailServer
