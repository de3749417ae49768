"""Files that stand in a text, as mail had them before MIME: `begin 644 photo.gif` … `end`.

Only what is one from its first line to its last is taken for a file. What somebody quotes or
writes about stays text.
"""

from __future__ import annotations

import mimetypes
import re
from dataclasses import replace

from services.sync.domain.mime.bodies import Bodies
from services.sync.domain.mime.params import Parameterized
from services.sync.domain.mime.structure import Part

MAX_FILES = 100

_ENCODING = "content-transfer-encoding"

_BEGIN = re.compile(rb"^begin [0-7]{3,4}(?: ([^\r\n]{0,250}))?\r?\n", re.MULTILINE)
_DATA = re.compile(rb"[!-`][ -`]{0,90}\r?\n")
_ZERO = re.compile(rb"[ `]{0,4}\r?\n")
_END = re.compile(rb"end[ \t]*(?:\r?\n|\r?\Z)")


def unpacked(bodies: Bodies) -> Bodies:
    """The same with the files in its texts behind all that is attached, and not in the texts."""
    texts: dict[int, Part] = {}
    files: list[Part] = []
    for part in (*bodies.text, *bodies.html):
        if part.media_type == "text/plain" and id(part) not in texts:
            texts[id(part)] = _without_files(part, files)
    if not files:
        return bodies
    return Bodies(
        [texts.get(id(part), part) for part in bodies.text],
        [texts.get(id(part), part) for part in bodies.html],
        [*bodies.attached, *files],
    )


def _without_files(part: Part, files: list[Part]) -> Part:
    content = part.content
    if b"begin " not in content:
        return part
    kept: list[bytes] = []
    at = 0
    while len(files) < MAX_FILES and (begin := _BEGIN.search(content, at)):
        end = _end_of(content, begin.end())
        if end is None:
            kept.append(content[at : begin.end()])
            at = begin.end()
            continue
        kept.append(content[at : begin.start()])
        files.append(_file(content, begin, end))
        at = end
    text = b"".join((*kept, content[at:]))
    if len(text) == len(content):
        return part
    first = {name: value for name, value in part.first.items() if name != _ENCODING}
    return replace(part, source=text, start=0, end=len(text), first=first)


def _end_of(content: bytes, at: int) -> int | None:
    """Behind the last line of a file whose data begin here; None where it is no file."""
    lines = 0
    while (data := _DATA.match(content, at)) and _is_whole(data[0].rstrip(b"\r\n")):
        lines += 1
        at = data.end()
    if zero := _ZERO.match(content, at):
        at = zero.end()
    end = _END.match(content, at)
    return end.end() if lines and end else None


def _is_whole(line: bytes) -> bool:
    """Whether a line is as long as it says; spaces at its end may have got lost, one be added."""
    length = (line[0] - 32) & 63
    return length > 0 and len(line) - 1 <= (length + 2) // 3 * 4 + 1


def _file(content: bytes, begin: re.Match[bytes], end: int) -> Part:
    name = (begin[1] or b"").strip()
    guessed = mimetypes.guess_type(name.decode("latin-1"))[0] or "application/octet-stream"
    quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    first = {
        "content-disposition": b'attachment; filename="' + quoted + b'"',
        _ENCODING: b"x-uuencode",
    }
    return Part(content, [], first, begin.start(), end, Parameterized(guessed, {}), [])
