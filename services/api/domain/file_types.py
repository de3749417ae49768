"""What kind of file it is, by what is in it; and which kinds a browser may show."""

import mimetypes
import re

import puremagic

#: So many bytes from the beginning are looked at.
HEAD_BYTES = 64 * 1024
UNKNOWN = "application/octet-stream"

_CONFIDENT = 0.3
_ENOUGH_BYTES = 3

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
#: Many kinds of file begin like these: then whoever sends it knows better which one it is.
_CONTAINERS = {
    b"PK\x03\x04": "application/zip",
    b"\xd0\xcf\x11\xe0": "application/x-ole-storage",
    b"<?xml": "application/xml",
    b"{\\rtf": "application/rtf",
    b"\x1f\x8b": "application/gzip",
}
#: A browser shows these and runs nothing that is in them.
_SHOWN = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/bmp",
        "application/pdf",
        "text/plain",
        "audio/mpeg",
        "audio/mp4",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "video/mp4",
        "video/ogg",
        "video/webm",
    }
)


def is_shown(content_type: str) -> bool:
    """Whether it is safe to have a browser show such a file by itself."""
    return content_type in _SHOWN


def sent_as(content_type: str) -> str:
    """The type as it goes into a header: what is no type is unknown."""
    known = content_type.strip().lower()
    return known if _TYPE.fullmatch(known) else UNKNOWN


def type_of(head: bytes, declared: str, name: str) -> str:
    """What an uploaded file is: by its first bytes, else as declared, else by its name."""
    by_name = mimetypes.guess_type(name)[0] or ""
    said = [
        kind for kind in (sent_as(declared.partition(";")[0]), sent_as(by_name)) if kind != UNKNOWN
    ]
    said.sort(key=lambda kind: kind in _CONTAINERS.values())  # what says more comes first
    possible = _sniffed(head)
    for kind in said:
        if kind in possible:
            return kind
    for beginning, container in _CONTAINERS.items():
        if head.startswith(beginning):
            return said[0] if said else container
    return next(iter([*possible, *said]), UNKNOWN)


def _sniffed(head: bytes) -> list[str]:
    """What it may be, the likeliest first."""
    try:
        matches = puremagic.magic_string(head[:HEAD_BYTES])
    except (puremagic.PureError, ValueError):  # nothing known; nothing there
        return []
    return [
        match.mime_type
        for match in matches
        # A few bytes in common with something rare say nothing.
        if _TYPE.fullmatch(match.mime_type)
        and match.confidence >= _CONFIDENT
        and len(match.byte_match or b"") >= _ENOUGH_BYTES
    ]
