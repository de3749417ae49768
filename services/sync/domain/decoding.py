"""Transfer encodings undone as the octets come (RFC 2045 §6); `mime.transfer` does it at once."""

from __future__ import annotations

from typing import Protocol

from services.sync.domain.mime.base64_pieces import Base64Decoder
from services.sync.domain.mime.transfer import decoded, from_quoted_printable

#: Of what has to be held as a whole to be decoded, and of a line that does not end.
MAX_HELD_BYTES = 32 * 1024 * 1024
_LONGEST_LINE = 64 * 1024


class TooMuchToHold(Exception):
    """This encoding cannot be undone piece by piece, and there is too much of it."""


class Decoder(Protocol):
    """Undoes one encoding."""

    def feed(self, data: bytes) -> bytes:
        """What can be said of it so far."""
        ...

    def end(self) -> bytes:
        """What was held back."""
        ...


def decoder_of(encoding: str) -> Decoder:
    """What undoes this Content-Transfer-Encoding; an unknown one is left as it is."""
    match encoding.strip().lower():
        case "base64":
            return Base64Decoder()
        case "quoted-printable":
            return _QuotedPrintable()
        case "x-uuencode" | "uuencode" | "x-uue" | "uue" as uuencode:
            return _AtOnce(uuencode)
        case _:
            return _Plain()


class _Plain:
    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


class _QuotedPrintable:
    """Line by line: what an `=` means depends on what follows it."""

    def __init__(self) -> None:
        self._line = b""

    def feed(self, data: bytes) -> bytes:
        data = self._line + data
        at = data.rfind(b"\n") + 1
        if len(data) - at > _LONGEST_LINE:
            # No line of it ends, so it is cut where no `=XX` and no soft line break is.
            at = len(data) - 64
            equals = data.rfind(b"=", at - 3, at)
            at = at if equals < 0 else equals
        self._line = data[at:]
        return from_quoted_printable(data[:at])

    def end(self) -> bytes:
        return from_quoted_printable(self._line)


class _AtOnce:
    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._held += data
        if len(self._held) > MAX_HELD_BYTES:
            raise TooMuchToHold
        return b""

    def end(self) -> bytes:
        return decoded(bytes(self._held), self._encoding)[0]
