"""Long text made short (zstd, RFC 8878)."""

import threading

import zstandard


class Zstd(threading.local):
    """Made once for each thread: that costs as much as its use, and it is no two threads'."""

    def __init__(self, *, level: int) -> None:
        self.compressor = zstandard.ZstdCompressor(level=level)
        self.decompressor = zstandard.ZstdDecompressor()
