"""A zip file that is written as it is sent, nothing of it held back."""

import io
import zipfile
from datetime import datetime


class _Sent(io.RawIOBase):
    """What was written and not yet taken; there is no way back in it."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class Zip:
    """Files one after the other. Each call returns what is to be sent by now.

    Written as deflate without compressing: what is attached is mostly compressed, and not every
    reader takes files that are merely stored where their size follows them.
    """

    def __init__(self) -> None:
        self._sent = _Sent()
        self._zip = zipfile.ZipFile(self._sent, "w", zipfile.ZIP_DEFLATED, compresslevel=0)

    def begin(self, name: str, changed_at: datetime) -> bytes:
        """The next file begins."""
        year = min(max(changed_at.year, 1980), 2107)  # what the format can say
        info = zipfile.ZipInfo(name, (year, *changed_at.timetuple()[1:6]))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        self._file = self._zip.open(info, "w")
        return self._sent.take()

    def write(self, data: bytes) -> bytes:
        """More of the file."""
        self._file.write(data)
        return self._sent.take()

    def end_file(self) -> bytes:
        """The file is whole."""
        self._file.close()
        return self._sent.take()

    def end(self) -> bytes:
        """There are no more files."""
        self._zip.close()
        return self._sent.take()
