"""A submission server that does what a test says and remembers all it was told."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto


class Does(Enum):
    """What a server may do instead of answering."""

    CUT = auto()  # the line goes dead: reset
    CLOSE = auto()  # it hangs up
    SILENCE = auto()  # it never answers, and stays


Says = str | Does
Script = Mapping[str, Says]

WELCOMING: Script = {
    "greeting": "220 mx.example ESMTP",
    "EHLO": "250-mx.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 50000000\r\n"
    "250 AUTH PLAIN LOGIN",
    "HELO": "250 mx.example",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "dot": "250 2.0.0 taken as 12345",
    "QUIT": "221 2.0.0 bye",
    "RSET": "250 ok",
}


@dataclass
class Talk:
    """One connection as the server saw it."""

    commands: list[str] = field(default_factory=list)
    body: bytes | bytearray | None = None  # as it came, dots doubled, without the final one
    dots: list[bytes] = field(default_factory=list)  # the bodies that had their dot
    protected: bool = False

    @property
    def dot(self) -> bool:
        return bool(self.dots)

    @property
    def messages(self) -> list[bytes]:
        """What a server would deliver (RFC 5321 §4.5.2)."""
        return [
            b"\r\n".join(
                line[1:] if line.startswith(b".") else line for line in body.split(b"\r\n")
            )
            for body in self.dots
        ]

    @property
    def message(self) -> bytes:
        """The only one."""
        (message,) = self.messages
        return message

    def said(self, verb: str) -> list[str]:
        return [line for line in self.commands if line.upper().startswith(verb.upper())]


class ScriptedServer:
    """Answers by the longest key of the script that the command begins with.

    What is a function there sees what was said before, and says the answer.
    `body` is what it does in the middle of a message, after `body_bytes`.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.script: dict[str, Says | Callable[[Talk], Says | None]] = dict(WELCOMING)
        self.body_bytes = 1
        self.most_messages: tuple[int, str] | None = None  # in a session, and what it says then
        self.hold_dot: asyncio.Event | None = None  # the answer to the dot waits for it
        self.talks: list[Talk] = []
        self.port = 0
        self._tls = tls
        self._changed = asyncio.Condition()
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._closing = asyncio.Event()

    def does(self, **differently: Says | Callable[[Talk], Says | None]) -> "ScriptedServer":
        """Go on like this; `AUTH__PLAIN` stands for the command `AUTH PLAIN`."""
        self.script.update({key.replace("__", " "): what for key, what in differently.items()})
        return self

    @property
    def messages(self) -> list[bytes]:
        """Everything that was handed over with a final dot."""
        return [message for talk in self.talks for message in talk.messages]

    async def until(self, *, dots: int) -> None:
        """Wait until so many messages were handed over."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: len(self.messages) >= dots)

    @contextlib.asynccontextmanager
    async def running(self, *, implicit_tls: bool = False) -> AsyncGenerator["ScriptedServer"]:
        listener = socket.create_server(("127.0.0.1", 0))
        # A server that stops reading is noticed before it was sent everything.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.port = listener.getsockname()[1]
        server = await asyncio.start_server(
            self._serve, sock=listener, ssl=self._tls if implicit_tls else None
        )
        try:
            yield self
        finally:
            server.close()
            self._closing.set()
            talking = [task for task in self._open.values() if task is not None]
            for writer in self._open:
                writer.transport.abort()
            await asyncio.gather(*talking, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk()
        self.talks.append(talk)
        self._open[writer] = asyncio.current_task()
        with contextlib.suppress(ConnectionError, _Over, ssl.SSLError):
            await self._talk(talk, reader, writer)
        del self._open[writer]
        writer.close()

    async def _talk(
        self, talk: Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._do("greeting", talk, writer)
        while raw := await reader.readline():
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            talk.commands.append(line)
            if line.startswith("MAIL") and await self._had_enough(talk, writer):
                continue
            said = await self._do(self._key(line), talk, writer)
            verb = line.partition(" ")[0].upper()
            if verb == "QUIT":
                return
            if verb == "STARTTLS":
                assert self._tls is not None
                await writer.start_tls(self._tls)
                talk.protected = True
            if verb == "DATA" and said.startswith("354"):
                await self._take(talk, reader, writer)

    async def _had_enough(self, talk: Talk, writer: asyncio.StreamWriter) -> bool:
        if self.most_messages is None or len(talk.dots) < self.most_messages[0]:
            return False
        words = self.most_messages[1]
        writer.write(f"{words}\r\n".encode())
        await writer.drain()
        if words.startswith("421"):
            raise _Over
        return True

    async def _take(
        self, talk: Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        talk.body = body = bytearray()
        while not (b"\r\n" + body[-5:]).endswith(b"\r\n.\r\n"):
            more = await reader.read(65536)
            if not more:
                raise _Over
            body += more
            if "body" in self.script and len(body) >= self.body_bytes:
                await self._do("body", talk, writer)
        del body[-3:]
        talk.dots.append(bytes(body))
        async with self._changed:
            self._changed.notify_all()
        if self.hold_dot is not None:
            await self.hold_dot.wait()
        await self._do("dot", talk, writer)

    def _key(self, line: str) -> str:
        fits = [key for key in self.script if line.upper().startswith(key.upper())]
        return max(fits, key=len, default="unknown")

    async def _do(self, key: str, talk: Talk, writer: asyncio.StreamWriter) -> str:
        does = self.script.get(key, "500 5.5.1 what?")
        match does(talk) if callable(does) else does:
            case Does.CUT:
                writer.transport.abort()
                raise _Over
            case Does.CLOSE:
                raise _Over
            case Does.SILENCE:
                await self._closing.wait()
                raise _Over
            case str(words):
                writer.write(words.encode("utf-8", "surrogateescape") + b"\r\n")
                await writer.drain()
                return words
            case None:
                return ""


class _Over(Exception):
    """The talk ended."""
