"""Content-Type and Content-Disposition: a value with parameters (RFC 2045 §5.1, RFC 2231)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from services.sync.domain.mime.charset import clean, decode
from services.sync.domain.mime.words import decode_words, one_line

MAX_PARAMETERS = 200
_USUAL_BYTES = 50  # with a boundary it is longer, and never the same again

_PARAMETER = re.compile(
    rb";\s*([^=;\s\"]{1,100})\s*=\s*(?:\"([^\"\\]*+(?:\\(?:.|\Z)[^\"\\]*+)*)(?:\"|\Z)|([^;]*))",
    re.DOTALL,
)
#: A value with one parameter, as it is nearly always written: `multipart/mixed; boundary="x"`.
_ONE = re.compile(
    rb"([a-zA-Z0-9/.+-]+);[ \t]*([a-zA-Z]{1,100})=(?:\"([^\"\\]*)\"|([^\s\";\\()=]+))"
)
_ESCAPED = re.compile(rb"\\([\\\"])")
_COMMENT = re.compile(rb"\([^()]*\)")
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?")


class Parameterized(NamedTuple):
    """A field such as `text/plain; charset=utf-8`."""

    value: str  # lower case
    parameters: Mapping[str, bytes]  # names in lower case, with RFC 2231's stars; the first counts

    def token(self, name: str) -> str:
        """A parameter that is a word for programs, in lower case."""
        return clean(self.parameters.get(name, b"").decode("latin-1")).strip().lower()

    def text(self, name: str) -> str:
        """A parameter that people read, such as a file name, in whatever way it was encoded."""
        if not self.parameters:
            return ""
        sections: dict[int, tuple[bytes, bool]] = {}
        for key, raw in self.parameters.items():
            found = _SECTION.fullmatch(key) if "*" in key else None
            if found and found[1] == name and (found[2] or found[3]):
                sections.setdefault(int(found[2] or 0), (raw, bool(found[3])))
        if not sections:
            return one_line(decode_words(self.parameters.get(name, b"")))
        charset = ""
        pieces: list[bytes] = []
        first = min(sections)  # 0, but some begin with 1
        for number in range(first, first + len(sections)):
            if number not in sections:
                break
            raw, encoded = sections[number]
            if number == first and encoded and raw.count(b"'") >= 2:
                label, _, raw = raw.split(b"'", 2)
                charset = label.decode("latin-1")
            pieces.append(unquote_to_bytes(raw) if encoded else raw)
        joined = b"".join(pieces)
        if not charset and b"=?" in joined:
            return one_line(decode_words(joined))
        return one_line(decode(joined, charset))


def parameterized(raw: bytes) -> Parameterized:
    """The parts of such a field, as far as they can be told apart."""
    return _usual(raw) if len(raw) <= _USUAL_BYTES else _read(raw)


@lru_cache(maxsize=1024)
def _usual(raw: bytes) -> Parameterized:
    """Half a dozen are in every message, and they are the same few everywhere."""
    return _read(raw)


def _read(raw: bytes) -> Parameterized:
    if found := _ONE.fullmatch(raw):
        value, name, quoted, bare = found.groups()
        text = bare if quoted is None else quoted
        return Parameterized(value.decode("ascii").lower(), {name.decode("ascii").lower(): text})
    head, _, rest = raw.partition(b";")
    if b"(" in head:
        head = _COMMENT.sub(b"", head)
    head = head.strip()
    if b"=" in head and (words := head.split(None, 1))[1:]:  # the first semicolon was forgotten
        head, rest = words[0], words[1] + b";" + rest
    value = clean(head.decode("latin-1")).lower()
    parameters: dict[str, bytes] = {}
    if rest:
        for found in _PARAMETER.finditer(b";" + rest):
            name = found[1].decode("latin-1").lower()
            quoted = found[2]
            text = _ESCAPED.sub(rb"\1", quoted) if quoted is not None else found[3].strip()
            parameters.setdefault(name, text)
            if len(parameters) >= MAX_PARAMETERS:
                break
    return Parameterized(value, parameters)
