"""Base64 as it comes (RFC 2045 §6.8), broken as it may be: the same whole or in pieces.

Until the first padding, what is no base64 is line noise and passed over. Behind padding more may
follow, for some programs encode in padded pieces; and so may what never was encoded, such as the
footer of a mailing list. So from there on a line counts only if all of it is base64, and the first
that is not ends the part.
"""

from __future__ import annotations

import binascii
import re

#: Behind padding, a line that does not end in so many octets is no base64, either.
_LONGEST_LINE = 64 * 1024

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
NOT_BASE64 = bytes(set(range(256)) - set(_LETTERS))
_ONLY_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]*")


class Base64Decoder:
    """Undoes base64 however it is cut."""

    def __init__(self) -> None:
        self._letters = b""  # fewer than four
        self._padded = False
        self._line = b""  # behind padding: one that is not whole
        self._more = False  # whether more than an odd end was encoded behind padding
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        """What can be said of it so far."""
        if self._ended:
            return b""
        out: list[bytes] = []
        if not self._padded:
            first, equals, data = data.partition(b"=")
            self._take(first, out)
            if equals:
                self._close(out)
                self._padded = True
        if self._padded:
            *lines, self._line = (self._line + data).split(b"\n")
            for line in lines:
                self._take_line(line, out)
            if len(self._line) > _LONGEST_LINE:
                self._ended = True
        return b"".join(out)

    def end(self) -> bytes:
        """What was held back."""
        out: list[bytes] = []
        self._take_line(self._line, out)
        if self._more or not self._padded:  # `foo` behind the padding is a word, and no octets
            self._close(out)
        return b"".join(out)

    def _take_line(self, line: bytes, out: list[bytes]) -> None:
        if self._ended or len(line) > _LONGEST_LINE or not _ONLY_BASE64.fullmatch(line):
            self._ended = True
            return
        first, *others = line.split(b"=")
        self._take(first, out)
        for piece in others:
            self._close(out)
            self._take(piece, out)

    def _take(self, data: bytes, out: list[bytes]) -> None:
        letters = self._letters + data.translate(None, delete=NOT_BASE64)
        whole = len(letters) - len(letters) % 4
        out.append(binascii.a2b_base64(letters[:whole]))
        self._letters = letters[whole:]
        self._more = self._more or (self._padded and whole > 0)

    def _close(self, out: list[bytes]) -> None:
        """The end of a piece: two letters left over are one octet more, three are two."""
        if len(self._letters) > 1:
            out.append(binascii.a2b_base64(self._letters + b"=" * (4 - len(self._letters))))
            self._more = self._more or self._padded
        self._letters = b""
