"""Messages are read in a process beside, so that the wire and the database never wait for it.

Reading takes most of a first copy's time. And no rule bounds what a message can do to its reader:
one that takes too long, or takes its reader along, must not take anything else. The process holds
no password, no key and no connection but to its parent; it is born when it is first needed and
goes when there was nothing to read for a while. While it reads one batch the next is on its way.
"""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
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
_PIECES_AT_ONCE = 1024  # IOV_MAX of Linux
_SOCKET_BYTES = 1024 * 1024
_ASKERS = 2  # of one process: one whose batch is read, one whose batch comes

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
        most = _ASKERS * at_once or 1
        self._slots = asyncio.Semaphore(most)
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="reader")
        self._askers: dict[_Child, int] = {}
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
        for child in list(self._askers):
            self._end(child)
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
            return await self._alone(batch)
        except NoReader as error:
            # No message's fault; and mail that waits for a process that never comes is lost mail.
            log.warning("reading in a thread", error=str(error.__cause__ or error))
            return await self._here(batch)

    async def _alone(self, batch: Sequence[Raw]) -> list[Understood | Unreadable]:
        """One by one, by a process that nobody else asks: who does not survive is to blame."""
        loop = asyncio.get_running_loop()
        read: list[Understood | Unreadable] = []
        child: _Child | None = None
        try:
            for one in batch:
                child = child or _Child(self._module, self._seconds)
                try:
                    read += await loop.run_in_executor(self._threads, child.ask, [one])
                except (OSError, EOFError) as error:
                    slow = isinstance(error, TimeoutError)
                    reason = "took_too_long" if slow else "reader_died"
                    log.warning("message not read", bytes=len(one.raw), reason=reason)
                    read.append(Unreadable(uid=one.uid, reason=reason))
                    self._end(child)
                    child = None
        finally:
            if child is not None:
                self._end(child)
        return read

    async def _here(self, batch: Sequence[Raw]) -> list[Understood | Unreadable]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, reader_process.read_all, batch)

    async def _ask(self, batch: Sequence[Raw]) -> list[Understood | Unreadable]:
        loop = asyncio.get_running_loop()
        child = self._child()
        self._askers[child] += 1
        answered = False
        try:
            answer = await loop.run_in_executor(self._threads, child.ask, batch)
            answered = True
        finally:
            if not answered:
                # Also when the asker was cancelled: this answer must not be the next one's. Who
                # else asked it asks again.
                self._end(child)
            elif child in self._askers:
                self._askers[child] -= 1
                self._retire_later(loop)
        return answer

    def _child(self) -> "_Child":
        """The one with the least to do; a new one when all are busy and there may be more."""
        least = min(self._askers, key=self._askers.__getitem__, default=None)
        if least is None or (self._askers[least] and len(self._askers) < self._at_once):
            least = _Child(self._module, self._seconds)
            self._askers[least] = 0
        return least

    def _retire_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._retirement is not None:
            self._retirement.cancel()
        self._retirement = loop.call_later(self._idle_seconds, self._retire)

    def _retire(self) -> None:
        for child in [child for child, askers in self._askers.items() if not askers]:
            self._end(child)

    def _end(self, child: "_Child") -> None:
        self._askers.pop(child, None)
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
        self._speaking = threading.Lock()
        self._listening = threading.Condition()
        self._asked = 0  # batches
        self._answered = 0

    def ask(self, batch: Sequence[Raw]) -> list[Understood | Unreadable]:
        """Have these read. Raises OSError (TimeoutError, too) or EOFError where that fails."""
        with self._speaking:  # also while it reads another's
            ours = self._say(batch)
            turn = self._asked
            self._asked += 1
        with self._listening:
            self._listening.wait_for(lambda: self._answered == turn or self._ended)
            if self._answered != turn:
                raise EOFError("the process is gone")
        length = int.from_bytes(_exactly(ours, LENGTH_BYTES), "big")
        encoded = _exactly(ours, length)
        with self._listening:
            self._answered += 1
            self._listening.notify_all()
        answer = _answers.decode(encoded)
        if len(answer) != len(batch):
            raise EOFError("an answer to something else")
        return [
            understood or Unreadable(uid=one.uid, reason=reason)
            for one, (understood, reason) in zip(batch, answer, strict=True)
        ]

    def _say(self, batch: Sequence[Raw]) -> socket.socket:
        """Send what is to be read; from where the answer comes."""
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
        _send(ours, [len(asked).to_bytes(LENGTH_BYTES, "big"), asked, *(one.raw for one in batch)])
        return ours

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
        with self._listening:
            self._ended = True
            self._listening.notify_all()
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


def _send(ours: socket.socket, pieces: list[bytes]) -> None:
    """Send all of these, so many at a time as the other end takes, and copied by nobody.

    In few calls: each hands the interpreter to another thread, and waits to get it back.
    """
    assert len(pieces) <= _PIECES_AT_ONCE
    ends = list(accumulate(map(len, pieces)))
    sent = ours.sendmsg(pieces)
    while sent < ends[-1]:
        first = bisect_right(ends, sent)
        rest = memoryview(pieces[first])[sent - ends[first] :]
        sent += ours.sendmsg([rest, *pieces[first + 1 :]])


def _exactly(ours: socket.socket, length: int) -> bytearray:
    received = bytearray(length)
    view = memoryview(received)
    while view:
        count = ours.recv_into(view)
        if not count:
            raise EOFError("the process is gone")
        view = view[count:]
    return received
