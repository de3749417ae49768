"""Ask a server whether it serves, in its own words."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(serves: Callable[[], Awaitable[str | None]], seconds: float) -> None:
    """Return once `serves` finds no fault; raise `TimeoutError` with the last fault."""
    fault: str | None = "no answer"
    try:
        async with asyncio.timeout(seconds):
            while (fault := await serves()) is not None:
                await asyncio.sleep(0.05)  # a port that opens announces itself to nobody
    except TimeoutError:
        raise TimeoutError(fault) from None


async def http(port: int) -> str | None:
    """What keeps a process from being ready, by its /ready; None when nothing does."""
    request = f"GET /ready HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    said = await talk(port, request.encode())
    if said is None:
        return "no answer"
    head, _, body = said.partition(b"\r\n\r\n")
    if head.split(b" ")[1:2] == [b"200"]:
        return None
    return body.decode(errors="replace").strip() or head.decode(errors="replace")


async def greeting(port: int, starts_with: bytes) -> str | None:
    """None when the server on this port greets as its protocol says."""
    said = await talk(port, None)
    if said is None:
        return "no answer"
    return None if said.startswith(starts_with) else f"greets with {said[:40]!r}"


async def talk(port: int, request: bytes | None) -> bytes | None:
    """Everything it answers to a request, or else the line it begins with."""
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                if request is None:
                    return await reader.readline() or None
                writer.write(request)
                return await reader.read() or None
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):  # ValueError: a line without end
        return None
