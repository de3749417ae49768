"""A mail server that says what the test wrote, and holds us to what we should say."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.sync.imap import Endpoint, Limits, Session, Timeouts, connect
from shared.contracts.account import Security

PATIENCE = 10.0
QUICK = Timeouts(connect=1.0, silence=1.0, answer=3.0)


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.tag = ""

    async def says(self, *lines: str | bytes) -> None:
        """Send lines; `{tag}` is the tag of the last command expected."""
        for line in lines:
            raw = line.replace("{tag}", self.tag).encode() if isinstance(line, str) else line
            self.writer.write(raw + b"\r\n")
        await self.writer.drain()

    async def sends(self, raw: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(raw)
        await self.writer.drain()

    async def line(self) -> bytes:
        """The next line from the client, without its end."""
        async with asyncio.timeout(PATIENCE):
            line = await self.reader.readline()
        assert line.endswith(b"\r\n"), f"the client hung up after {line!r}"
        return line[:-2]

    async def literal(self, size: int) -> bytes:
        """So many bytes from the client."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(size)

    async def expects(self, pattern: str) -> re.Match[str]:
        """A command that matches (the tag apart)."""
        tag, _, command = (await self.line()).decode().partition(" ")
        self.tag = tag
        found = re.fullmatch(pattern, command)
        assert found, f"expected {pattern!r}, the client said {command!r}"
        return found

    async def greets(self, capabilities: str = "IMAP4rev1") -> None:
        """Greet and let the client log in."""
        await self.says(f"* OK [CAPABILITY {capabilities}] ready")
        await self.expects(r'LOGIN "ada" "secret"')
        await self.says(f"{{tag}} OK [CAPABILITY {capabilities}] welcome")

    async def opens(self, exists: int = 3, *, more: tuple[str, ...] = ()) -> None:
        """Answer a SELECT or EXAMINE."""
        await self.expects(r'(SELECT|EXAMINE) ".*"( \(CONDSTORE\))?')
        await self.says(
            f"* {exists} EXISTS", "* OK [UIDVALIDITY 7] ok", "* OK [UIDNEXT 100] ok", *more
        )
        await self.says("{tag} OK [READ-ONLY] opened")

    async def parts(self) -> None:
        """Answer a LOGOUT."""
        await self.expects("LOGOUT")
        await self.says("* BYE goodbye", "{tag} OK done")


async def dial(host: str, port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
    except OSError:
        sock.close()
        raise
    return sock


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def listening(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that plays the script to each client; its assertions are the test's."""
    failures: list[BaseException] = []
    playing: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        playing.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await script(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except (AssertionError, TimeoutError) as failure:
            failures.append(failure)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if playing:
            await asyncio.wait(playing, timeout=PATIENCE)
        if failures:
            raise failures[0]


@asynccontextmanager
async def talking_to(
    script: Script,
    *,
    log_in: bool = True,
    timeouts: Timeouts = QUICK,
    limits: Limits | None = None,
) -> AsyncIterator[Session]:
    """A session with a server that plays the script."""
    async with (
        listening(script) as port,
        connect(
            Endpoint(host="127.0.0.1", port=port, security=Security.NONE),
            dial=dial,
            timeouts=timeouts,
            limits=limits or Limits(),
        ) as session,
    ):
        if log_in:
            await session.login("ada", "secret")
        yield session


def opened(then: Script, *, capabilities: str = "IMAP4rev1", exists: int = 3) -> Script:
    """A script that greets, lets a mailbox be opened, and goes on as the test says."""

    async def script(peer: Peer) -> None:
        await peer.greets(capabilities)
        await peer.opens(exists)
        await then(peer)

    return script


def message(number: int, uid: int, raw: bytes, *, flags: str = "") -> bytes:
    """A whole message as the answer to FETCH."""
    told = (
        f"* {number} FETCH (UID {uid} FLAGS ({flags}) "
        f'INTERNALDATE "17-Jul-1996 02:44:25 -0700" '
        f"RFC822.SIZE {len(raw)} BODY[] {{{len(raw)}}}\r\n"
    )
    return told.encode() + raw + b")"
