"""Lines to addresses that strangers wrote: resolved, checked and connected to by `dial`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeAlias

from services.api.domain.web_address import WebAddress
from shared.dial import Policy, dial, tls_context

Line: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(address: WebAddress, policy: Policy, dial_seconds: float) -> Line:
    """A line to this address, over TLS where it says so. Raises DialError, OSError, EOFError."""
    return await connect_to(
        address.host, address.port, tls=address.tls, policy=policy, dial_seconds=dial_seconds
    )


async def connect_to(
    host: str, port: int, *, tls: bool, policy: Policy, dial_seconds: float
) -> Line:
    """A line to this port of a host; for TLS its certificate has to vouch for the name."""
    sock = await dial(host, port, policy=policy, timeout=dial_seconds)
    try:
        return await asyncio.open_connection(
            sock=sock,
            ssl=tls_context() if tls else None,
            server_hostname=host if tls else None,
        )
    except BaseException:  # also when cancelled, no socket stays open; nothing is swallowed
        sock.close()
        raise


@asynccontextmanager
async def connected(
    address: WebAddress, policy: Policy, dial_seconds: float
) -> AsyncGenerator[Line]:
    """The same, for as long as one is inside."""
    reader, writer = await connect(address, policy, dial_seconds)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
