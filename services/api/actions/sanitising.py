"""HTML mail is made harmless in a process of its own, which can be ended.

What a parser of HTML must do is not bounded by the length of what it reads: sixty kilobytes of
`<font color=1><p><font color=2><p>…` become a hundred megabytes (the HTML standard, "reconstruct
the active formatting elements"), and ten thousand nested tags take a minute. Whoever may send a
message to somebody could stop the gateway with one. So it is done elsewhere, with a limit on time
and memory, by a process that knows no password and no key. What goes over the limit is not shown:
a browser would fare no better.
"""

import asyncio
import os
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog

from services.api.domain.html import SafeHtml, sanitised

log = structlog.get_logger()

_HOME = Path(__file__).parents[3]  # where `services` is
_ENVIRONMENT = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")
_MEMORY_BYTES = 512 * 1024 * 1024
_LONGEST_ANSWER = 24 * 1024 * 1024
_LENGTH_BYTES = 4
_READY = b"+"
_START_SECONDS = 60.0


class Sanitiser:
    """Some processes, at most so many, that sanitise; each is born when it is first needed."""

    def __init__(self, *, at_once: int, seconds: float) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._seconds = seconds
        self._idle: list[Process] = []

    async def sanitised(self, html: str) -> SafeHtml | None:
        """The part of this HTML that is safe to show; None when it is too tangled to be shown."""
        async with self._slots:
            try:
                child = await self._child()
                return msgspec.msgpack.decode(await self._answer(child, html), type=SafeHtml)
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
                log.warning("html is not shown", characters=len(html), error=repr(error))
                return None

    async def _answer(self, child: Process, html: str) -> bytes:
        answered = False
        try:
            async with asyncio.timeout(self._seconds):
                answer = await _ask(child, html.encode("utf-8", "replace"))
            answered = True
            return answer
        finally:
            if answered:
                self._idle.append(child)
            else:
                # Also when the request was cancelled: its answer must not be the next one's.
                await _end(child)

    async def _child(self) -> Process:
        """One that is ready. How long it took to start is no fault of the HTML."""
        while self._idle:
            child = self._idle.pop()
            if child.returncode is None:
                return child
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__, str(self._seconds)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=_HOME,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        assert child.stdout is not None, "a pipe"
        ready = False
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.stdout.readexactly(len(_READY))
            ready = True
            return child
        finally:
            if not ready:
                await _end(child)

    async def close(self) -> None:
        for child in self._idle:
            await _end(child)


@asynccontextmanager
async def open_sanitiser(*, at_once: int, seconds: float) -> AsyncGenerator[Sanitiser]:
    """Processes that end with this context, or with the process that asks."""
    sanitiser = Sanitiser(at_once=at_once, seconds=seconds)
    try:
        yield sanitiser
    finally:
        await sanitiser.close()


async def _ask(child: Process, html: bytes) -> bytes:
    assert child.stdin is not None, "a pipe"
    assert child.stdout is not None, "a pipe"
    child.stdin.write(len(html).to_bytes(_LENGTH_BYTES, "big"))
    child.stdin.write(html)
    await child.stdin.drain()
    length = int.from_bytes(await child.stdout.readexactly(_LENGTH_BYTES), "big")
    return await child.stdout.readexactly(length)


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()


def serve(seconds: float) -> None:
    """In the child: a length and that much HTML comes in, a SafeHtml goes out, until the end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    while head := sys.stdin.buffer.read(_LENGTH_BYTES):
        html = sys.stdin.buffer.read(int.from_bytes(head, "big")).decode()
        # Also when nobody is left to end us.
        spent = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(spent.ru_utime + spent.ru_stime + seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        clean = msgspec.msgpack.encode(sanitised(html))
        if len(clean) > _LONGEST_ANSWER:
            return
        sys.stdout.buffer.write(len(clean).to_bytes(_LENGTH_BYTES, "big") + clean)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(float(sys.argv[1]))
