"""A mail server that does not always tell the truth; behind it is Dovecot, which does.

    sync ──commands──> Liar ──────────> Dovecot
         <──lies────── Liar <──answers─

Whole answers (lines with their literals) pass through the lie that is told at the moment: it may
drop them, change them, hold them back, add to them, or hang up in the middle.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.servers.process import LOOPBACK

_LITERAL = re.compile(rb"~?\{(\d+)\}\r\n\Z")
_BODY_ITEM = re.compile(rb"BODY\[[^\]]*\](?:<\d+>)? (?:~?\{\d+\}\r\n)\Z")


@dataclass(frozen=True)
class Answer:
    """What a server says at once: text and literals in turn, the first and the last being text."""

    parts: tuple[bytes, ...]

    @property
    def raw(self) -> bytes:
        return b"".join(self.parts)

    @property
    def head(self) -> bytes:
        """Its first line."""
        return self.parts[0]

    @property
    def uid(self) -> int | None:
        """Of a FETCH answer, where it says."""
        found = re.search(rb"[( ]UID (\d+)", self.text) if self.is_fetch else None
        return int(found[1]) if found else None

    @property
    def text(self) -> bytes:
        """All of it but what literals hold."""
        return b"".join(self.parts[::2])

    @property
    def is_fetch(self) -> bool:
        return re.match(rb"\* \d+ FETCH ", self.head) is not None

    @property
    def is_end(self) -> bool:
        """Whether it ends a command, well or not."""
        return re.match(rb"[^*+ ][^ ]* (?:OK|NO|BAD)", self.head) is not None

    def changed(self, pattern: bytes, to: bytes | Callable[[re.Match[bytes]], bytes]) -> bytes:
        """The same with its text rewritten, literals untouched."""
        texts = [re.sub(pattern, to, part) for part in self.parts[::2]]
        return self._with(texts)

    def _with(self, texts: list[bytes]) -> bytes:
        parts = list(self.parts)
        parts[::2] = texts
        return b"".join(parts)


class _HangUp(bytes):
    """In place of bytes: the server closes the connection."""


HANG_UP = _HangUp()
#: What is said in place of an answer. Made anew for each connection.
Lie: TypeAlias = Callable[[], Callable[[Answer], Iterable[bytes]]]


@dataclass(eq=False)
class Liar:
    """A port that leads to an honest server, and what is said there at the moment."""

    imap_port: int
    lie: Lie | None = None  # of connections to come, and of those that are
    bytes_per_second: float | None = None
    told: int = 0  # answers that were not the server's own
    #: What it takes for what was asked, where it does not listen.
    mishears: Callable[[bytes], bytes] = lambda asked: asked
    _writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    @classmethod
    @asynccontextmanager
    async def before(cls, port: int) -> "AsyncGenerator[Liar]":
        """A liar before the server at this port."""
        serving: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            serving.add(task)
            try:
                await liar._serve(port, reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # either side left, or the test is over
            finally:
                serving.discard(task)
                writer.transport.abort()

        server = await asyncio.start_server(serve, LOOPBACK, 0, limit=2**24)
        liar = cls(server.sockets[0].getsockname()[1])
        try:
            yield liar
        finally:
            server.close()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    def repent(self) -> None:
        """From now on the truth; whoever was lied to has to come again."""
        self.lie, self.bytes_per_second = None, None
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        from_server, to_server = await asyncio.open_connection(LOOPBACK, port, limit=2**24)
        self._writers.add(writer)

        async def up() -> None:
            with contextlib.suppress(OSError):
                while piece := await reader.read(65536):
                    to_server.write(self.mishears(piece))
                    await to_server.drain()
            to_server.close()

        carrying = asyncio.create_task(up())
        try:
            await self._speak(from_server, writer)
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)
            to_server.transport.abort()
            self._writers.discard(writer)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lie = telling = None
        while (answer := await _next(reader)) is not None:
            if self.lie is not lie:
                lie, telling = self.lie, self.lie() if self.lie else None
            instead = list(telling(answer)) if telling else [answer.raw]
            if b"".join(instead) != answer.raw:
                self.told += 1
            for piece in instead:
                if piece is HANG_UP:
                    writer.close()
                    return
                await self._write(writer, piece)

    async def _write(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        # We are not there when it is compressed.
        piece = piece.replace(b" COMPRESS=DEFLATE", b"") if b"CAPABILITY" in piece else piece
        rest = memoryview(piece)
        while self.bytes_per_second and rest:
            writer.write(rest[:1])
            rest = rest[1:]
            self.told += 1
            await writer.drain()
            await asyncio.sleep(1 / self.bytes_per_second)
        writer.write(rest)
        await writer.drain()


async def _next(reader: asyncio.StreamReader) -> Answer | None:
    parts = [await reader.readline()]
    if not parts[0].endswith(b"\n"):
        return None
    while literal := _LITERAL.search(parts[-1]):
        parts += [await reader.readexactly(int(literal[1])), await reader.readline()]
    return Answer(tuple(parts))


# -- lies ----------------------------------------------------------------------------------------


def _of_each(tell: Callable[[Answer], Iterable[bytes]]) -> Lie:
    """A lie that remembers nothing."""
    return lambda: tell


def _in_fetches(tell: Callable[[Answer], Iterable[bytes]]) -> Lie:
    return lambda: lambda answer: tell(answer) if answer.is_fetch else [answer.raw]


def _before_each_end(*lines: bytes) -> Lie:
    said = b"".join(line + b"\r\n" for line in lines)
    return lambda: lambda answer: [said, answer.raw] if answer.is_end else [answer.raw]


#: Expunges that never happened, and all that did once more.
def expunges_twice() -> Callable[[Answer], Iterable[bytes]]:
    def tell(answer: Answer) -> Iterable[bytes]:
        if re.match(rb"\* (?:\d+ EXPUNGE|VANISHED )", answer.head):
            return [answer.raw, answer.raw]
        return [b"* 1 EXPUNGE\r\n", answer.raw] if answer.is_end else [answer.raw]

    return tell


#: Told some commands after it happened.
def expunges_late() -> Callable[[Answer], Iterable[bytes]]:
    held: list[bytes] = []
    ends = 0

    def tell(answer: Answer) -> Iterable[bytes]:
        nonlocal ends
        if re.match(rb"\* (?:\d+ EXPUNGE|VANISHED )", answer.head):
            held.append(answer.raw)
            return []
        ends += answer.is_end
        if answer.is_end and held and ends % 4 == 0:
            late = b"".join(held)
            held.clear()
            return [answer.raw, late]
        return [answer.raw]

    return tell


of_other_mailboxes = _before_each_end(
    b'* STATUS "Ghost" (MESSAGES 7 UIDNEXT 99 UIDVALIDITY 5 UNSEEN 0 HIGHESTMODSEQ 1)',
    b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1)",
    b'* LIST (\\Noselect) "/" "Ghost"',
    b"* SEARCH 1 2 3 4000000000",
    b"* 2 FETCH (FLAGS (\\Seen))",
    b"* 4000000 FETCH (UID 4000000000 FLAGS (\\Flagged))",
    b"* 77 EXISTS",
    b"* 3 RECENT",
    b"* OK [UIDVALIDITY 12345] another",
    b"* OK [UIDNEXT 4294967295] another",
)


def out_of_order() -> Callable[[Answer], Iterable[bytes]]:
    chance = random.Random(5)
    held: list[bytes] = []

    def tell(answer: Answer) -> Iterable[bytes]:
        if answer.is_fetch:
            held.append(answer.raw)
            return []
        if not answer.is_end:
            return [answer.raw]
        chance.shuffle(held)
        said = [*held, answer.raw]
        held.clear()
        return said

    return tell


def missing(every: int = 3) -> Lie:
    """Listed, and then not given."""

    def tell(answer: Answer) -> Iterable[bytes]:
        given = len(answer.parts) > 1 and b"BODY[" in answer.text
        return [] if given and (answer.uid or 0) % every == 0 else [answer.raw]

    return _in_fetches(tell)


def _nil_everywhere(answer: Answer) -> Iterable[bytes]:
    said, parts = b"", iter(answer.parts)
    for text in parts:
        literal = next(parts, None)
        if literal is not None and _BODY_ITEM.search(text):
            said += _LITERAL.sub(b"NIL", text)  # NIL in place of a literal
        else:
            said += text + (literal or b"")
    said = re.sub(rb'INTERNALDATE "[^"]*"', b"INTERNALDATE NIL", said)
    said = re.sub(rb"RFC822\.SIZE \d+", b"RFC822.SIZE NIL", said)
    said = re.sub(rb"MODSEQ \(\d+\)", b"MODSEQ NIL", said)
    return [re.sub(rb"BODYSTRUCTURE \(.*\)(?= [A-Z]|\)\r\n)", b"BODYSTRUCTURE NIL", said)]


nil_everywhere = _in_fetches(_nil_everywhere)


def _as_literal(found: re.Match[bytes]) -> bytes:
    return b"%s{%d}\r\n%s" % (found[1], len(found[2]), found[2])


#: A literal may stand wherever a string may (RFC 9051 §4.3), and here where none may, too.
literals_in_odd_places = _of_each(
    lambda answer: [
        answer.changed(rb'(INTERNALDATE |LIST \([^)]*\) "/" )"([^"\r\n]*)"', _as_literal)
        if answer.is_fetch or answer.head.startswith(b"* LIST")
        else answer.changed(rb'(\* STATUS )"?([^" \r\n]+)"?', _as_literal)
    ]
)


def _size(found: re.Match[bytes]) -> bytes:
    right = int(found[1])
    return b"RFC822.SIZE %d" % (0, 1, right * 3, 4_294_967_295)[right % 4]


wrong_size = _in_fetches(lambda answer: [answer.changed(rb"RFC822\.SIZE (\d+)", _size)])

wrong_structure = _in_fetches(
    lambda answer: [
        answer.changed(
            rb"BODYSTRUCTURE \(.*\)(?= [A-Z]|\)\r\n)",
            b'BODYSTRUCTURE (("text" "plain" NIL NIL NIL "7bit" 999999 NIL)("application" "pdf" NIL'
            b' NIL NIL "base64" 5)("message" "rfc822" NIL NIL NIL "7bit" 3 NIL NIL 0) "mixed")',
        )
    ]
)

uidnext_too_small = _of_each(lambda answer: [answer.changed(rb"UIDNEXT \d+", b"UIDNEXT 1")])


def _bye(answer: Answer) -> Iterable[bytes]:
    if len(answer.parts) == 1 or len(answer.parts[1]) < 20:
        return [answer.raw]
    half = answer.parts[1][: len(answer.parts[1]) // 2]
    return [answer.head + half + b"\r\n* BYE Too much work.\r\n", HANG_UP]


bye_in_mid_literal = _in_fetches(_bye)


def garbage() -> Callable[[Answer], Iterable[bytes]]:
    chance = random.Random(6)

    def tell(answer: Answer) -> Iterable[bytes]:
        if chance.random() < 0.7:
            return [answer.raw]
        noise = (
            chance.randbytes(chance.randrange(1, 300)).replace(b"{", b"") + b"\r\n",
            b"* 1 FETCH (UID 1 FLAGS (\\Seen \r\n",
            b"* 1 FETCH (UID 99999999999999999999 FLAGS ())\r\n",
            b"* " + b"(" * 5000 + b"\r\n",
            b"\r\n",
            b"* -1 EXISTS\r\n",
            b"A9999 OK Nobody asked.\r\n",
        )
        return [chance.choice(noise), answer.raw]

    return tell


#: As after a disk was lost: no message anywhere, all well formed, and OK.
def nothing_is_there() -> Callable[[Answer], Iterable[bytes]]:
    def tell(answer: Answer) -> Iterable[bytes]:
        if answer.is_fetch or re.match(rb"\* VANISHED ", answer.head):
            return []
        if re.match(rb"\* \d+ EXISTS", answer.head):
            return [b"* 0 EXISTS\r\n"]
        if re.match(rb"\* E?SEARCH", answer.head):
            return [re.sub(rb"(ALL|COUNT|MIN|MAX) [^ )\r]+|(?<=SEARCH)( \d+)+", b"", answer.raw)]
        return [answer.changed(rb"MESSAGES \d+", b"MESSAGES 0")]

    return tell


#: Another UIDVALIDITY each time one looks.
def renumbered_each_time() -> Callable[[Answer], Iterable[bytes]]:
    chance = random.SystemRandom()

    def tell(answer: Answer) -> Iterable[bytes]:
        other = b"UIDVALIDITY %d" % chance.randrange(1, 2**32)
        return [answer.changed(rb"UIDVALIDITY \d+", other)]

    return tell


modseq_too_small = _of_each(
    lambda answer: [answer.changed(rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ 1")]
)


def _refused(answer: Answer) -> Iterable[bytes]:
    found = re.match(rb"([^*+ ]\S*) OK (?:\[[^]]*\] )?(?:Fetch|Search)", answer.head)
    return [found[1] + b" NO [SERVERBUG] Internal error\r\n"] if found else [answer.raw]


refused = _of_each(_refused)


def fetched_twice() -> Callable[[Answer], Iterator[bytes]]:
    """Each message once more, and the second time it says something else."""

    def tell(answer: Answer) -> Iterator[bytes]:
        yield answer.raw
        if answer.is_fetch and len(answer.parts) > 1:
            parts = list(answer.parts)
            parts[1] = parts[1].replace(b"Subject: ", b"Subject: no")[: len(parts[1])]
            yield b"".join(parts)

    return tell


def a_mailbox_short() -> Callable[[Answer], Iterable[bytes]]:
    """LIST forgets one, and names another twice."""

    def tell(answer: Answer) -> Iterable[bytes]:
        if re.match(rb"\* (?:LIST|LSUB|STATUS) .*Archive", answer.head):
            return []
        if re.match(rb"\* LIST .*INBOX", answer.head):
            return [answer.raw, answer.raw]
        return [answer.raw]

    return tell
