"""A file of many messages, as most mail programs read it (mboxrd; the format of RFC 4155).

Each message begins with a line `From `. A line of a message that looks so, however often it was
quoted before, is quoted once more, so that nothing is lost on the way back.
"""

import re
from datetime import UTC, datetime

_LOOKS_SO = re.compile(rb"^(>*From )", re.MULTILINE)
_LONGEST_LINE = 64 * 1024
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


class Mbox:
    """Messages one after the other, each in pieces. Each call returns what is to be written."""

    def __init__(self) -> None:
        self._left = b""  # the beginning of a line whose end has not come
        self._inside = False  # of a line whose beginning was written already

    def begin(self, sender: str | None, received_at: datetime) -> bytes:
        """The next message begins."""
        self._left, self._inside = b"", False
        at = received_at.astimezone(UTC)
        # As asctime has it, in no language but this.
        stamp = (
            f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at.day:2d} {at:%H:%M:%S} {at.year:04d}"
        )
        who = "".join((sender or "").split()) or "MAILER-DAEMON"
        return f"From {who} {stamp}\n".encode()

    def write(self, data: bytes) -> bytes:
        """More of the message."""
        data = self._left + data
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) <= _LONGEST_LINE:
            self._left = data
            return b""
        if end == 0 or len(data) - end > _LONGEST_LINE:
            # A line without end is let through; only its beginning matters. Of CR LF both wait.
            end = len(data) - data.endswith(b"\r")
        whole, self._left = data[:end], data[end:]
        return self._quoted(whole)

    def end(self) -> bytes:
        """The message is whole: an empty line stands between it and the next."""
        last = self._quoted(self._left) if self._left else b""
        self._left = b""
        return last + (b"\n\n" if self._inside else b"\n")

    def _quoted(self, data: bytes) -> bytes:
        plain = data.replace(b"\r\n", b"\n")
        begun, rest = b"", plain
        if self._inside:
            begun, newline, rest = plain.partition(b"\n")
            begun += newline
        self._inside = not plain.endswith(b"\n")
        return begun + _LOOKS_SO.sub(rb">\1", rest)
