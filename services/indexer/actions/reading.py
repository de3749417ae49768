"""The words of messages are read beside the event loop: to read them takes the longest.

News are few and are read in a thread. A first sync is much: its messages are read in a process of
its own, which comes after what is more urgent on the machine, and keeps no search waiting for the
interpreter. The process is born when it is first needed and goes when there was nothing to read
for a while.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import msgspec
import structlog

from services.indexer.actions import reader_process
from services.indexer.actions.reader_process import LENGTH_BYTES, Answer, Asked, words_of
from services.indexer.domain.document import Kept, kept_of
from services.indexer.domain.told import Readable, Told, readable
from shared.contracts.mail import Content

log = structlog.get_logger()

Read: TypeAlias = Callable[[Sequence[Told]], Awaitable[list[Readable]]]

_HOME = Path(__file__).parents[3]  # where `services` is
_ENVIRONMENT = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")
_AT_ONCE = 100
_BUFFER_BYTES = 1024 * 1024
_SECONDS = 60.0  # for so many; a thousandth of it is usual

_answers = msgspec.msgpack.Decoder(Answer)


async def read_in_thread(told: Sequence[Told]) -> list[Readable]:
    """What these messages say, read in this process."""

    def read() -> list[Readable]:
        unread = _unread(told)
        return _rows(unread, words_of(_asked(unread)))

    return await asyncio.to_thread(read)


class Reader:
    """A process that reads what is much."""

    def __init__(self, *, idle_seconds: float = 60.0) -> None:
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._retirement: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process = self._process
        self._end()
        if process is not None:
            await process.wait()

    async def read(self, told: Sequence[Told]) -> list[Readable]:
        """What these messages say, read in the process or, where that fails, here."""
        rows: list[Readable] = []
        for start in range(0, len(told), _AT_ONCE):
            unread = _unread(told[start : start + _AT_ONCE])
            if unread:
                rows += _rows(unread, await self._words_of(_asked(unread)))
        return rows

    async def _words_of(self, asked: Asked) -> Answer:
        try:
            async with self._turn, asyncio.timeout(_SECONDS):
                answer = await self._ask(asked)
                self._retire_later()
                return answer
        except (OSError, EOFError, TimeoutError, msgspec.MsgspecError) as error:
            log.warning("reading in a thread", messages=len(asked), error=repr(error))
            return await asyncio.to_thread(words_of, asked)

    async def _ask(self, asked: Asked) -> Answer:
        answered = False
        try:
            process = self._process or await self._start()
            assert process.stdin is not None
            assert process.stdout is not None
            encoded = msgspec.msgpack.encode(asked)
            process.stdin.write(len(encoded).to_bytes(LENGTH_BYTES))
            process.stdin.write(encoded)
            await process.stdin.drain()
            length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES))
            answer = _answers.decode(await process.stdout.readexactly(length))
            answered = True
            return answer
        finally:
            if not answered:
                # Also when the asker was cancelled: this answer must not be the next one's.
                self._end()

    async def _start(self) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", reader_process.__name__),
            stdin=PIPE,
            stdout=PIPE,
            cwd=_HOME,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            limit=_BUFFER_BYTES,
        )
        return self._process

    def _retire_later(self) -> None:
        if self._retirement is not None:
            self._retirement.cancel()
        loop = asyncio.get_running_loop()
        self._retirement = loop.call_later(self._idle_seconds, self._retire)

    def _retire(self) -> None:
        if not self._turn.locked():
            self._end()

    def _end(self) -> None:
        if self._retirement is not None:
            self._retirement.cancel()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        self._process = None


def _unread(told: Sequence[Told]) -> list[tuple[Told, Content, Kept]]:
    return [(one, one.content, kept_of(one.content)) for one in told if one.content is not None]


def _asked(unread: Sequence[tuple[Told, Content, Kept]]) -> Asked:
    return [(told.account.tenant_id, told.account.account_id, kept) for told, _, kept in unread]


def _rows(unread: Sequence[tuple[Told, Content, Kept]], answer: Answer) -> list[Readable]:
    return [
        readable(told, content, kept, tsvector=tsvector, is_whole=is_whole)
        for (told, content, kept), (tsvector, is_whole) in zip(unread, answer, strict=True)
    ]
