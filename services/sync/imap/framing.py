"""From bytes as they arrive to whole answers: lines with the literals in them.

Linear in the number of bytes however they are cut, iterative, and bounded: nobody makes us hold
more than the limits.
"""

from __future__ import annotations

import re

from services.sync.imap.errors import TooLarge

#: One answer: a line, then for each literal in it the literal and the line that goes on after it.
#: The announcement of a literal ("{42}") is not part of its line.
Frame = list[bytes]

_LITERAL = re.compile(rb"~?\{(\d{1,18})\+?\}\Z")
#: Status answers and continuations end in words for people, which may look like a literal.
_WORDS = re.compile(rb"(?:\*|[^\s*+(){%\"\\]+) (?:OK|NO|BAD|BYE|PREAUTH)\b|\+", re.IGNORECASE)


class Framer:
    """Cuts what arrives into frames."""

    def __init__(self, *, max_literal_bytes: int, max_line_bytes: int) -> None:
        self._max_literal = max_literal_bytes
        self._max_line = max_line_bytes
        self._rest = bytearray()  # of a line that is not whole
        self._frame: Frame = []
        self._frame_bytes = 0
        self._literal: list[bytes] | None = None
        self._missing = 0  # bytes of that literal

    @property
    def midway(self) -> bool:
        """Whether an answer has begun and not ended."""
        return bool(self._rest or self._frame or self._literal is not None)

    def feed(self, data: bytes) -> list[Frame]:
        """The answers that these bytes complete."""
        frames: list[Frame] = []
        at = 0
        while True:
            if self._literal is not None:
                taken = data[at : at + self._missing]
                self._literal.append(taken)
                self._missing -= len(taken)
                at += len(taken)
                if self._missing:
                    return frames
                self._frame.append(b"".join(self._literal))
                self._literal = None
            end = data.find(b"\n", at)
            if end < 0:
                self._rest += data[at:]
                if len(self._rest) > self._max_line:
                    raise TooLarge("a line that does not end")
                return frames
            line = data[at:end]
            at = end + 1
            if self._rest:
                line = bytes(self._rest + line)
                self._rest.clear()
            if line.endswith(b"\r"):
                line = line[:-1]
            if len(line) > self._max_line:
                raise TooLarge("a line too long")
            self._line(line, frames)

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if (
            line.endswith(b"}")
            and (announced := _LITERAL.search(line, max(0, len(line) - 24)))
            and (self._frame or not _WORDS.match(line))
        ):
            size = int(announced[1])
            self._frame_bytes += len(line) + size
            if size > self._max_literal or self._frame_bytes > self._max_literal + self._max_line:
                raise TooLarge(f"a literal of {size} bytes")
            self._frame.append(line[: announced.start()])
            self._literal = []
            self._missing = size
        elif self._frame:
            self._frame.append(line)
            frames.append(self._frame)
            self._frame, self._frame_bytes = [], 0
        elif line:
            frames.append([line])


def size_of(frame: Frame) -> int:
    """How many bytes a frame holds."""
    return sum(map(len, frame))
