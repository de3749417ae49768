"""What a server has sent and nobody has read: bounded, and inflated no faster than it is read."""

from __future__ import annotations

from services.sync.imap.deflate import Inflated
from services.sync.imap.endpoint import Limits
from services.sync.imap.framing import Frame, Framer


class Inbound:
    """Takes in bytes, hands out answers, and says when the server has to wait."""

    def __init__(self, limits: Limits) -> None:
        self._framer = Framer(
            max_literal_bytes=limits.literal_bytes, max_line_bytes=limits.line_bytes
        )
        self._most = limits.queued_bytes
        self._ahead: Frame | None = None
        self._inflated: Inflated | None = None
        self.full = False

    def cut_literals(self, at: int | None) -> None:
        """From the next answer on hold no more than so much of a literal."""
        self._framer.cut_at = at

    @property
    def midway(self) -> bool:
        """Whether something came that nobody has read."""
        return self.ready or self._framer.midway

    @property
    def ready(self) -> bool:
        """Whether a whole answer is there. Garbled when there never will be one."""
        if self._ahead is None:
            self._ahead = self._cut()
        return self._ahead is not None

    def take_in(self, data: bytes) -> None:
        """Bytes that came."""
        if self._inflated is None:
            self._framer.feed(data)
        else:
            self._inflated.feed(data)
            self._inflate()
        self._measure()

    def next(self) -> Frame | None:
        """The next answer, if it is there. Garbled when there never will be one."""
        frame, self._ahead = self._ahead, None
        if frame is None:
            frame = self._cut()
        if self.full and self._framer.held <= self._most // 2:
            self.full = False
            self._inflate()
            self._measure()
        return frame

    def inflate(self) -> None:
        """All that came after the last answer handed out is compressed (RFC 4978 §3)."""
        self._inflated = Inflated()
        self.take_in(self._framer.take_rest())

    def clear(self) -> None:
        """Forget whatever came."""
        self._ahead = None
        self._inflated = None
        self._framer.clear()
        self.full = False

    def _cut(self) -> Frame | None:
        while (frame := self._framer.next()) is None:
            if self._inflated is None or not (more := self._inflated.next()):
                return None
            self._framer.feed(more)
        return frame

    def _inflate(self) -> None:
        while (
            self._inflated is not None
            and self._framer.held <= self._most
            and (more := self._inflated.next())
        ):
            self._framer.feed(more)

    def _measure(self) -> None:
        # One answer may be larger than what we queue: only with a whole one there is it too much.
        if self._framer.held > self._most and self.ready:
            self.full = True
