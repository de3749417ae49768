"""What travels compressed (RFC 4978): one stream each way, cut where somebody waits."""

from __future__ import annotations

import zlib

from services.sync.imap.errors import Garbled

#: So much is inflated at a time: a few bytes may stand for gigabytes.
_SLICE_BYTES = 256 * 1024


class Deflated:
    """What we say, compressed."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)

    def of(self, data: bytes) -> bytes:
        """These bytes, to be sent now."""
        return self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


class Inflated:
    """Bytes as they were before a server compressed them, some at a time."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._deflated = b""
        self._more = False

    def feed(self, data: bytes) -> None:
        """Compressed bytes that came."""
        self._deflated = self._deflated + data if self._deflated else data

    def next(self) -> bytes:
        """Some of what they stand for; empty when that was all."""
        while self._deflated or self._more:
            try:
                plain = self._inflate.decompress(self._deflated, _SLICE_BYTES)
            except zlib.error as error:
                raise Garbled("what should be compressed is not") from error
            if self._inflate.unused_data:
                raise Garbled("more after the end of what is compressed")
            self._deflated = self._inflate.unconsumed_tail
            # What filled the slice may not have been all, though all input was taken.
            self._more = len(plain) == _SLICE_BYTES
            if plain:
                return plain
        return b""
