"""From bytes as they arrive to whole answers: lines with the literals in them.

Answers are cut when somebody wants one, not when bytes come: what waits is held as it came, and
what follows an answer is not looked at before the answer was understood (after COMPRESS it is
compressed). Linear in the number of bytes however they are cut, iterative, and bounded.
"""

from __future__ import annotations

import re
from collections import deque

from services.sync.imap.errors import TooLarge

#: One answer: a line, then for each literal in it the literal and the line that goes on after it.
#: The announcement of a literal ("{42}") is not part of its line.
Frame = list[bytes]

_LITERAL = re.compile(rb"~?\{(\d{1,18})\+?\}\Z")
#: Status answers and continuations end in words for people, which may look like a literal.
_WORDS = re.compile(rb"(?:\*|[^\s*+(){%\"\\]+) (?:OK|NO|BAD|BYE|PREAUTH)\b|\+", re.IGNORECASE)
#: What keeping a piece costs beside its bytes.
_PIECE_BYTES = 64
#: From here on it is cheaper to remember where a piece lies than to copy it.
_LARGE_BYTES = 4096


class Cut(bytes):
    """The beginning of a literal that was longer than wanted; the rest was not held."""

    size: int  # of all of it

    @classmethod
    def of(cls, beginning: bytes, size: int) -> Cut:
        cut = cls(beginning)
        cut.size = size
        return cut


class Framer:
    """Cuts what arrived into frames."""

    #: Of longer literals the beginning is handed over, as Cut; None: what is too long is an error.
    cut_at: int | None = None

    def __init__(self, *, max_literal_bytes: int, max_line_bytes: int) -> None:
        self._max_literal = max_literal_bytes
        self._max_line = max_line_bytes
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._piece = b""  # the one being cut
        self._at = 0
        self._rest = bytearray()  # of a line that is not whole
        self._frame: Frame = []
        self._frame_bytes = 0
        self._literal: list[memoryview | bytearray] | None = None  # where it lies, not copied yet
        self._missing = 0  # bytes of that literal
        self._unwanted = 0  # bytes behind those

    @property
    def held(self) -> int:
        """How much waits to be cut."""
        return self._waiting_bytes

    @property
    def midway(self) -> bool:
        """Whether anything came that is not part of a whole answer handed over."""
        return bool(
            self._waiting
            or self._at < len(self._piece)
            or self._rest
            or self._frame
            or self._literal is not None
        )

    def feed(self, data: bytes) -> None:
        """Bytes that came."""
        self._waiting.append(data)
        self._waiting_bytes += len(data) + _PIECE_BYTES

    def take_rest(self) -> bytes:
        """What came after the last answer handed over; it will not be cut."""
        rest = b"".join((self._rest, self._piece[self._at :], *self._waiting))
        self.clear()
        return rest

    def clear(self) -> None:
        """Forget whatever came."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._piece, self._at = b"", 0
        self._rest.clear()
        self._frame, self._literal, self._missing, self._unwanted = [], None, 0, 0

    def next(self) -> Frame | None:
        """The next whole answer, if it has come."""
        while True:
            if self._at >= len(self._piece):
                if not self._waiting:
                    self._piece, self._at = b"", 0
                    return None
                self._piece, self._at = self._waiting.popleft(), 0
                self._waiting_bytes -= len(self._piece) + _PIECE_BYTES
            if self._missing:
                self._more_of_literal()
                continue
            if self._unwanted:
                passed = min(self._unwanted, len(self._piece) - self._at)
                self._unwanted -= passed
                self._at += passed
                continue
            end = self._piece.find(b"\n", self._at)
            if end < 0:
                self._rest += memoryview(self._piece)[self._at :]
                self._at = len(self._piece)
                if len(self._rest) > self._max_line:
                    raise TooLarge("a line that does not end")
                continue
            line = self._piece[self._at : end]
            self._at = end + 1
            if self._rest:
                self._rest += line
                line = bytes(self._rest)
                self._rest.clear()
            if line.endswith(b"\r"):
                line = line[:-1]
            if len(line) > self._max_line:
                raise TooLarge("a line too long")
            if (frame := self._line(line)) is not None:
                return frame

    def _line(self, line: bytes) -> Frame | None:
        if (
            line.endswith(b"}")
            and (announced := _LITERAL.search(line, max(0, len(line) - 24)))
            and (self._frame or not _WORDS.match(line))
        ):
            size = int(announced[1])
            held = size if self.cut_at is None else min(size, self.cut_at)
            self._frame_bytes += len(line) + held
            if held > self._max_literal or self._frame_bytes > self._max_literal + self._max_line:
                raise TooLarge(f"a literal of {size} bytes")
            self._frame.append(line[: announced.start()])
            self._unwanted = size - held
            self._begin_literal(held)
        elif self._frame:
            self._frame.append(line)
            whole, self._frame, self._frame_bytes = self._frame, [], 0
            return whole
        elif line:
            return [line]
        return None

    def _begin_literal(self, size: int) -> None:
        end = self._at + size
        if end <= len(self._piece):  # nearly always: all of it is there
            self._end_literal(self._piece[self._at : end])
            self._at = end
        else:
            self._literal = [bytearray()]
            self._missing = size

    def _more_of_literal(self) -> None:
        assert self._literal is not None
        piece = memoryview(self._piece)[self._at : self._at + self._missing]
        self._missing -= len(piece)
        self._at += len(piece)
        last = self._literal[-1]
        if len(piece) >= _LARGE_BYTES:
            self._literal.append(piece)
        elif isinstance(last, bytearray):  # crumbs are gathered
            last += piece
        else:
            self._literal.append(bytearray(piece))
        if not self._missing:
            self._end_literal(b"".join(self._literal))
            self._literal = None

    def _end_literal(self, held: bytes) -> None:
        self._frame.append(Cut.of(held, len(held) + self._unwanted) if self._unwanted else held)
