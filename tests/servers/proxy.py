"""A way between a client and a server that a test makes long, narrow, or treacherous.

    client ──> Proxy.port ──> the server
               delay, rate, cut after so many bytes, silence

What is set holds for connections to come; `cut`, `cut_after` and `silence` meet those that are.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

LOOPBACK = "127.0.0.1"
_PIECE = 64 * 1024
_QUEUED = 256  # pieces under way at a time: a slow way fills up, and the sender has to wait


class End(Enum):
    """How a connection ends."""

    POLITE = "FIN"  # the other side hears that nothing more will come
    RUDE = "RST"  # the other side hears that the connection never was


@dataclass(kw_only=True)
class Way:
    """How the way is, in both directions."""

    delay_seconds: float = 0.0  # one way: a round trip takes twice as long
    bytes_per_second: float | None = None  # one way


@dataclass(eq=False)
class _Pipe:
    """One direction of one connection: bytes in, and out again when their time has come."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    way: Way
    passed: int = 0  # bytes that came out
    ends_at: int | None = None  # after so many bytes the whole connection is cut
    how: End = End.RUDE
    silent: bool = False  # bytes are swallowed, and nobody is told

    async def run(self) -> None:
        """Until either side ends; the end itself travels as slowly as the bytes before it."""
        moving: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED)
        loop = asyncio.get_running_loop()

        async def take() -> None:
            with contextlib.suppress(ConnectionError):
                while piece := await self.reader.read(self._piece()):
                    await moving.put((loop.time() + self.way.delay_seconds, piece))
            await moving.put((loop.time() + self.way.delay_seconds, b""))

        taking = asyncio.create_task(take())
        try:
            while True:
                due, piece = await moving.get()
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                if not piece:
                    if self.silent:
                        await asyncio.Event().wait()  # nobody hears of the end either
                    return
                if not await self._give(piece):
                    return
        except ConnectionError:
            return  # the side that would have had these bytes is gone
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    def _piece(self) -> int:
        rate = self.way.bytes_per_second
        return _PIECE if rate is None else max(1, min(_PIECE, int(rate / 50)))

    async def _give(self, piece: bytes) -> bool:
        """Pass these on; False when this was the end of the connection."""
        if self.silent:
            return True
        if self.ends_at is not None:
            piece = piece[: max(0, self.ends_at - self.passed)]
        if piece:
            self.writer.write(piece)
            await self.writer.drain()
            self.passed += len(piece)
        if self.way.bytes_per_second is not None:
            await asyncio.sleep(len(piece) / self.way.bytes_per_second)
        return self.ends_at is None or self.passed < self.ends_at


@dataclass(eq=False)
class _Connection:
    up: _Pipe  # client → server
    down: _Pipe  # server → client

    def end(self, how: End) -> None:
        for writer in (self.up.writer, self.down.writer):
            if how is End.RUDE:
                sock: socket.socket | None = writer.get_extra_info("socket")
                if sock is not None:
                    with contextlib.suppress(OSError):
                        # Closed with no time to linger, TCP resets (socket(7)).
                        sock.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                        )
                writer.transport.abort()
            else:
                writer.close()


@dataclass(eq=False)
class Proxy:
    """A port that leads to a server; what happens on the way is the test's choice."""

    port: int
    way: Way = field(default_factory=Way)
    accepted: int = 0  # connections so far
    next_cut: tuple[int, End] | None = None  # the next connection ends after so many bytes down
    _open: set[_Connection] = field(default_factory=set[_Connection])

    @classmethod
    @asynccontextmanager
    async def to(
        cls, port: int, *, delay_seconds: float = 0.0, bytes_per_second: float | None = None
    ) -> "AsyncGenerator[Proxy]":
        """A way to this port of this machine."""
        serving: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            serving.add(task)
            try:
                await proxy._serve(port, reader, writer)
            except asyncio.CancelledError:
                pass  # the proxy closes; a stream's task that is cancelled would be logged
            finally:
                serving.discard(task)

        server = await asyncio.start_server(serve, LOOPBACK, 0)
        proxy = cls(
            server.sockets[0].getsockname()[1],
            Way(delay_seconds=delay_seconds, bytes_per_second=bytes_per_second),
        )
        try:
            yield proxy
        finally:
            server.close()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def cut(self, how: End = End.RUDE) -> None:
        """End what is open, now."""
        for connection in list(self._open):
            connection.end(how)

    def cut_after(self, count: int, how: End = End.RUDE) -> None:
        """End what is open, each when so many more bytes came down from the server.

        Where nothing is open, the next connection ends so.
        """
        if not self._open:
            self.next_cut = (count, how)
        for connection in self._open:
            connection.down.ends_at = connection.down.passed + count
            connection.down.how = how

    def silence(self) -> None:
        """What is open stays open, and carries nothing any more: nobody is told."""
        for connection in self._open:
            connection.up.silent = connection.down.silent = True

    async def _serve(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.accepted += 1
        try:
            from_server, to_server = await asyncio.open_connection(LOOPBACK, port)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(
            up=_Pipe(reader, to_server, self.way), down=_Pipe(from_server, writer, self.way)
        )
        if self.next_cut is not None:
            connection.down.ends_at, connection.down.how = self.next_cut
            self.next_cut = None
        self._open.add(connection)
        pipes = [asyncio.create_task(each.run()) for each in (connection.up, connection.down)]
        how = End.POLITE
        try:
            # Either side's end is the end: no mail protocol goes on with half a connection.
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            if connection.down.ends_at is not None:
                how = connection.down.how
        finally:
            self._open.discard(connection)
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
            connection.end(how)
