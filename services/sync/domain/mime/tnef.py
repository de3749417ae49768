"""What is in a winmail.dat (MS-OXTNEF): the names and sizes of its files, nothing unpacked.

Outlook packs attachments so for people of its own kind; everybody else sees one useless file.
"""

from __future__ import annotations

import mimetypes
import struct
from collections.abc import Iterator

from services.sync.domain.mime.charset import clean, decode
from shared.contracts.content import Inside

MAX_FILES = 100
#: Attributes and properties looked at; a container has some dozens of them.
MAX_ATTRIBUTES = 5_000
_MAX_NAME = 1_000

_SIGNATURE = 0x223E9F78
_OEM_CODEPAGE = 0x9007
_BEGINS_FILE = 0x9002  # attAttachRendData, the first attribute of each file
_DATA = 0x800F
_TITLE = 0x8010
_PROPERTIES = 0x9005
_OF_ATTACHMENT = 2

_LONG_NAME = 0x3707
_MEDIA_TYPE = 0x370E
_NAMED = 0x8000
_STRING, _UNICODE, _OBJECT, _BINARY = 0x1E, 0x1F, 0x0D, 0x102
_MULTIPLE = 0x1000
_FIXED = {
    **dict.fromkeys((0x02, 0x03, 0x04, 0x0A, 0x0B), 4),
    **dict.fromkeys((0x05, 0x06, 0x07, 0x14, 0x40), 8),
    0x48: 16,
}


class _File:
    def __init__(self) -> None:
        self.title = ""
        self.long_name = ""
        self.media_type = ""
        self.size_bytes = 0


def is_tnef(media_type: str, file_name: str) -> bool:
    """Whether a part says that it is one."""
    return media_type in {"application/ms-tnef", "application/vnd.ms-tnef"} or (
        media_type == "application/octet-stream" and file_name.lower() == "winmail.dat"
    )


def files_in(container: bytes) -> tuple[Inside, ...]:
    """The files in it, as far as it can be read."""
    files: list[_File] = []
    charset = "windows-1252"
    for level, name, data in _attributes(memoryview(container)):
        if name == _OEM_CODEPAGE and len(data) >= 4:
            charset = f"cp{int.from_bytes(data[:4], 'little')}"
        if level != _OF_ATTACHMENT:
            continue
        if name == _BEGINS_FILE:
            if len(files) >= MAX_FILES:
                break
            files.append(_File())
        elif not files:
            continue
        elif name == _TITLE:
            files[-1].title = _text(data, charset)
        elif name == _DATA:
            files[-1].size_bytes = len(data)
        elif name == _PROPERTIES:
            _read_properties(files[-1], data, charset)
    return tuple(_inside(file) for file in files)


def _inside(file: _File) -> Inside:
    name = file.long_name or file.title
    media_type = file.media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Inside(name=name, content_type=media_type[:200].lower(), size_bytes=file.size_bytes)


def _attributes(container: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Level, name and data of each attribute (§2.1.3): level, id, length, data, checksum."""
    if len(container) < 6 or int.from_bytes(container[:4], "little") != _SIGNATURE:
        return
    at = 6
    for _ in range(MAX_ATTRIBUTES):
        if at + 9 > len(container):
            return
        level, name, _kind, length = struct.unpack_from("<BHHI", container, at)
        data = container[at + 9 : at + 9 + length]
        yield level, name, data
        at += 9 + length + 2


def _read_properties(file: _File, data: memoryview, charset: str) -> None:
    """Names and type among the MAPI properties of a file (§2.1.3.4); up to what is not known."""
    at = 4
    for _ in range(min(int.from_bytes(data[:4], "little"), MAX_ATTRIBUTES)):
        if at + 4 > len(data):
            return
        kind, name = struct.unpack_from("<HH", data, at)
        at += 4
        if name >= _NAMED:
            at = _behind_name(data, at)
        single = kind & ~_MULTIPLE
        count = 1
        if kind & _MULTIPLE or single in {_STRING, _UNICODE, _OBJECT, _BINARY}:
            count = int.from_bytes(data[at : at + 4], "little")
            at += 4
        if single in _FIXED:
            at += count * _FIXED[single]
            continue
        if single not in {_STRING, _UNICODE, _OBJECT, _BINARY}:
            return
        for _ in range(min(count, MAX_ATTRIBUTES)):
            if at + 4 > len(data):
                return
            length = int.from_bytes(data[at : at + 4], "little")
            value = data[at + 4 : at + 4 + length]
            at += 4 + length + -length % 4
            if single in {_STRING, _UNICODE} and name in {_LONG_NAME, _MEDIA_TYPE}:
                text = _text(value, "utf-16-le" if single == _UNICODE else charset)
                if name == _LONG_NAME:
                    file.long_name = text
                else:
                    file.media_type = text


def _behind_name(data: memoryview, at: int) -> int:
    """Where the value of a named property begins: a GUID and a number, or a GUID and a name."""
    by_name = int.from_bytes(data[at + 16 : at + 20], "little")
    length = int.from_bytes(data[at + 20 : at + 24], "little") if by_name else 0
    return at + 24 + length + -length % 4


def _text(value: memoryview, charset: str) -> str:
    raw = bytes(value[: 2 * _MAX_NAME])
    if charset == "utf-16-le":
        text = clean(raw.decode(charset, "replace").partition("\0")[0])
    else:
        text = decode(raw.partition(b"\0")[0], charset)
    return " ".join(text.split())[:_MAX_NAME]
