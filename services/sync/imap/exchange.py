"""Commands and the answers to them, in one turn to speak."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aioimaplib.aioimaplib import AUTH, SELECTED, Commands

from services.sync.imap.arguments import Part
from services.sync.imap.errors import Disconnected, Garbled, Refused, refusal
from services.sync.imap.framing import Frame
from services.sync.imap.parser import (
    Answer,
    Continue,
    Noise,
    Status,
    Untagged,
    Value,
    as_words,
    parse_answer,
)

if TYPE_CHECKING:
    from services.sync.imap.wire import Wire

#: Commands that the library's table allows in too few states (RFC 2177, RFC 4978).
_ALSO_SAID_IN = {"IDLE": AUTH, "COMPRESS": SELECTED}
#: So many answers that are there already are read before anybody else has a turn.
_AT_A_STRETCH = 256


class Exchange:
    """Commands sent in one turn, and the answers to them."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.owed: set[str] = set()  # tags
        self._read = 0
        self._overheard = False
        self._asked_at: float | None = None  # a command that was sent alone
        self._commands: dict[str, str] = {}

    async def send(self, command: str, *parts: Part) -> str:
        """Send a command; its tag is returned.

        A literal that has to be asked for is sent only when no other command is on its way.
        """
        verb = command.split()[0]
        known = Commands.get(verb)
        if (
            known is not None
            and self.wire.state not in known.valid_states
            and self.wire.state != _ALSO_SAID_IN.get(verb)
        ):
            raise Disconnected(f"{command} cannot be said in state {self.wire.state}")
        tag = self.wire.new_tag()
        # Not the loop's clock: uvloop's stands still while it works, and moves by milliseconds.
        self._asked_at = None if self.owed else time.perf_counter()
        self.owed.add(tag)
        self._commands[tag] = command
        out = bytearray(f"{tag} {command}".encode("ascii"))
        for part in parts:
            out += b" "
            if isinstance(part, bytes):
                out += part
                continue
            out += part.before
            if self.wire.takes_literal_at_once(len(part.data)):
                out += b"{%d+}\r\n" % len(part.data)
            else:
                out += b"{%d}\r\n" % len(part.data)
                await self.wire.write(bytes(out))
                out.clear()
                await self.go_ahead()
            if len(part.data) > 65_536:  # not copied once more
                await self.wire.write(bytes(out))
                await self.wire.write(part.data)
                out.clear()
            else:
                out += part.data
            out += part.after
        out += b"\r\n"
        await self.wire.write(bytes(out))
        return tag

    async def send_line(self, line: bytes) -> None:
        """Go on with a command that the server waits for."""
        await self.wire.write(line + b"\r\n")

    async def next(self, *, silence: float | None = None) -> Answer:
        """The next answer, refusals included; a tagged one settles its command."""
        return self._settle(await self._frame(silence))

    async def _frame(self, silence: float | None = None) -> Frame:
        if not self._overheard:  # what nobody asked for is no sign that the answer is coming
            self.wire.begin_to_wait()
        self._overheard = False
        self._read += 1
        if self._read % _AT_A_STRETCH == 0:  # others have work to do as well
            await asyncio.sleep(0)
        return self.wire.next_arrived() or await self.wire.frame(silence=silence)

    def _settle(self, frame: Frame) -> Answer:
        answer = parse_answer(frame)
        if isinstance(answer, Status) and answer.tag is not None:
            if answer.tag not in self.owed:
                return Noise(frame)
            self.owed.discard(answer.tag)
            if self._asked_at is not None:
                took = time.perf_counter() - self._asked_at
                self.wire.round_trip = min(self.wire.round_trip, took)
            if answer.code == "CAPABILITY":
                self.wire.offers = offers_in(answer.values())
        return answer

    async def answers(self) -> AsyncIterator[Untagged | Status]:
        """What the server says until it has answered all; a refusal is raised.

        What the caller does not want it hands to `overhear`.
        """
        while self.owed:
            answer = self._settle(await self._frame())
            if isinstance(answer, Untagged):
                yield answer
            elif isinstance(answer, Status):
                if answer.tag is not None and answer.status in {"NO", "BAD"}:
                    raise self.refusal(answer)
                yield answer
            else:
                self._overheard = True

    async def finish(self) -> None:
        """Read on to the end of all commands; nothing in the answers is of interest."""
        async for answer in self.answers():
            self.overhear(answer)

    async def go_ahead(self) -> bytes:
        """Wait until the server asks for the rest of the one command that was sent."""
        while True:
            match answer := await self.next():
                case Continue(text):
                    return text
                case Status(tag=str(), status="OK"):
                    raise Garbled("a command was done before all of it was sent")
                case Status(tag=str()):
                    raise self.refusal(answer)
                case _:
                    self.overhear(answer)

    def overhear(self, answer: Answer) -> None:
        """Take note of what nobody asked for."""
        self._overheard = True
        self.wire.overhear(answer)

    def refusal(self, status: Status) -> Refused:
        """The refusal that a NO or BAD is."""
        return refusal(
            command=self._commands.get(status.tag or "", ""),
            status=status.status,
            code=status.code,
            text=status.text,
        )


def offers_in(values: list[Value]) -> frozenset[str]:
    """Capabilities in upper case (they are case-insensitive, RFC 9051 §7.2.2)."""
    return frozenset(word.upper() for word in as_words(values))
