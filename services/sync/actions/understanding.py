"""Messages are read in a process beside, so that the wire and the database never wait for it.

Reading takes most of a first copy's time. And no rule bounds what a message can do to its reader:
one that takes too long, or takes its reader along, must not take anything else. The process holds
no password, no key and no connection but to its parent; it is born when it is first needed and
goes when there was nothing to read for a while.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import structlog

from services.sync.actions import reader_process
from services.sync.actions.reader_process import LENGTH_BYTES, READY, Answer, Asked
from services.sync.domain.understand import Raw, Understood, Unreadable

log = structlog.get_logger()

_HOME = Path(__file__).parents[3]  # where `services` is
_ENVIRONMENT = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")
_START_SECONDS = 30.0
_BATCH_MESSAGES = 200
_BATCH_BYTES = 4 * 1024 * 1024
_SOCKET_BYTES = 1024 * 1024

_answers = msgspec.msgpack.Decoder(Answer)


class NoReader(Exception):
    """A process to read in could not be started."""


class Readers:
    """Processes that read messages, at most so many; none: they are read in a thread."""

    def __init__(
        self,
        *,
        at_once: int,
        seconds: float = 30.0,
        idle_seconds: float = 60.0,
        module: str = reader_process.__name__,
    ) -> None:
        self._at_once = at_once
        self._seconds = seconds
        self._module = module
        self._idle_seconds = idle_seconds
        self._slots = asyncio.Semaphore(max(1, at_once))
        self._threads = ThreadPoolExecutor(max(1, at_once), thread_name_prefix="reader")
        self._idle: list[_Child] = []
        self._retirement: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._retirement is not None:
            self._retirement.cancel()
        self._retire()
        self._threads.shutdown(wait=False)

    async def read(self, fetched: Sequence[Raw]) -> list[Understood | Unreadable]:
        """Read these, in their order; what cannot be read is named and keeps nobody waiting."""
        read: list[Understood | Unreadable] = []
        for batch in _batches(fetched):
            # A slot for each batch, so that a letter that just came waits for one, not for all.
            async with self._slots:
                read += await self._read(batch)
        return read

    async def _read(self, batch: Sequence[Raw]) -> list[Understood | Unreadable]:
        if not self._at_once:
            return await self._here(batch)
        try:
            try:
                return await self._ask(batch)
            except (OSError, EOFError) as error:
                log.warning("reading anew, one by one", messages=len(batch), error=repr(error))
            read: list[Understood | Unreadable] = []
            for one in batch:
                try:
                    read += await self._ask([one])
                except (OSError, EOFError) as error:
                    slow = isinstance(error, TimeoutError)
                    reason = "took_too_long" if slow else "reader_died"
                    log.warning("message not read", bytes=len(one.raw), reason=reason)
                    read.append(Unreadable(uid=one.uid, reason=reason))
        except NoReader as error:
            # No message's fault; and mail that waits for a process that never comes is lost mail.
            log.warning("reading in a thread", error=str(error.__cause__ or error))
            return await self._here(batch)
        else:
            return read

    async def _here(self, batch: Sequence[Raw]) -> list[Understood | Unreadable]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, reader_process.read_all, batch)

    async def _ask(self, batch: Sequence[Raw]) -> list[Understood | Unreadable]:
        loop = asyncio.get_running_loop()
        child = self._idle.pop() if self._idle else _Child(self._module, self._seconds)
        answered = False
        try:
            answer = await loop.run_in_executor(self._threads, child.ask, batch)
            answered = True
        finally:
            if answered:
                self._idle.append(child)
                self._retire_later(loop)
            else:
                # Also when the asker was cancelled: this answer must not be the next one's.
                self._end(child)
        return answer

    def _retire_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._retirement is not None:
            self._retirement.cancel()
        self._retirement = loop.call_later(self._idle_seconds, self._retire)

    def _retire(self) -> None:
        while self._idle:
            self._end(self._idle.pop())

    def _end(self, child: "_Child") -> None:
        child.kill()
        try:
            self._threads.submit(child.bury)
        except RuntimeError:  # a read that is cancelled after the end
            child.bury()


class _Child:
    """One process, and the socket that is its standard input and output. Used from threads."""

    def __init__(self, module: str, seconds: float) -> None:
        self._module = module
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ended = False

    def ask(self, batch: Sequence[Raw]) -> list[Understood | Unreadable]:
        """Have these read. Raises OSError (TimeoutError, too) or EOFError where that fails."""
        ours = self._socket or self._start()
        ours.settimeout(self._seconds)
        asked = msgspec.msgpack.encode(
            [
                Asked(
                    uid=one.uid,
                    length=len(one.raw),
                    received_at=one.received_at,
                    size_bytes=one.size_bytes,
                    attachment_sizes=one.attachment_sizes,
                )
                for one in batch
            ]
        )
        # In one piece: each call hands the interpreter to another thread, and waits to get it back.
        ours.sendall(
            b"".join([len(asked).to_bytes(LENGTH_BYTES, "big"), asked, *(one.raw for one in batch)])
        )
        length = int.from_bytes(_exactly(ours, LENGTH_BYTES), "big")
        answer = _answers.decode(_exactly(ours, length))
        if len(answer) != len(batch):
            raise EOFError("an answer to something else")
        return [
            understood or Unreadable(uid=one.uid, reason=reason)
            for one, (understood, reason) in zip(batch, answer, strict=True)
        ]

    def _start(self) -> socket.socket:
        try:
            ours, theirs = socket.socketpair()
            self._socket = ours
            with theirs:
                for end in (ours, theirs):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", self._module, str(self._seconds)],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    cwd=_HOME,
                    env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                )
            if self._ended:  # while it was being born
                self.kill()
            ours.settimeout(_START_SECONDS)
            _exactly(ours, len(READY))
        except (OSError, EOFError) as error:
            raise NoReader from error
        return ours

    def kill(self) -> None:
        """End the process; whoever waits for its answer is told that there is none."""
        self._ended = True
        if self._process is not None:
            self._process.kill()

    def bury(self) -> None:
        """Leave nothing of an ended process behind."""
        if self._process is not None:
            self._process.wait()
        if self._socket is not None:
            self._socket.close()


def _batches(fetched: Sequence[Raw]) -> Iterator[list[Raw]]:
    batch: list[Raw] = []
    size = 0
    for one in fetched:
        if batch and (len(batch) >= _BATCH_MESSAGES or size + len(one.raw) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.raw)
    if batch:
        yield batch


def _exactly(ours: socket.socket, length: int) -> bytearray:
    received = bytearray(length)
    view = memoryview(received)
    while view:
        count = ours.recv_into(view)
        if not count:
            raise EOFError("the process is gone")
        view = view[count:]
    return received
