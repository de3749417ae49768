"""The bytes of a message as a tree of parts (RFC 2046), found without copying them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from services.sync.domain.mime.charset import clean
from services.sync.domain.mime.fields import MAX_HEADER_BYTES, Header, read_header
from services.sync.domain.mime.params import Parameterized, parameterized
from services.sync.domain.mime.transfer import decoded, decoded_size

#: Deeper, or more of them, is an attack; what lies beyond stays one part that is not looked into.
MAX_DEPTH = 100
MAX_PARTS = 1_000
#: How many places that look like a boundary are looked at, in the whole message.
MAX_CANDIDATES = 200_000
#: How many times the size of the message may be searched through for boundaries.
MAX_PASSES = 120

_NOTHING = Parameterized("", {})
_PLAIN = Parameterized("text/plain", {})
_GUESSED = re.compile(rb"^--([^\r\n]{1,100}?)(?:--)?[ \t]*\r?$", re.MULTILINE)
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+*%-]+")


@dataclass(slots=False)  # cached properties need a dictionary
class Part:
    """One node of a message."""

    source: bytes = field(repr=False)
    fields: list[tuple[str, bytes]]
    first: dict[str, bytes]  # of each field's name in lower case
    start: int  # of the body
    end: int
    type: Parameterized
    children: list[Part]

    @property
    def media_type(self) -> str:
        """`text/plain`, in lower case."""
        return self.type.value

    def raw_field(self, name: str) -> bytes:
        """The first field of this name (in lower case), empty when there is none."""
        return self.first.get(name, b"")

    @property
    def disposition(self) -> Parameterized:
        """Content-Disposition (RFC 2183)."""
        return self._disposition if "content-disposition" in self.first else _NOTHING

    @cached_property
    def _disposition(self) -> Parameterized:
        return parameterized(self.first["content-disposition"])

    @cached_property
    def file_name(self) -> str:
        """What the sender calls it; empty when it has no name."""
        return self.disposition.text("filename") or self.type.text("name")

    @cached_property
    def content_id(self) -> str | None:
        """Content-ID without its brackets (RFC 2392)."""
        text = clean(self.raw_field("content-id").decode("latin-1")).strip()
        return text.removeprefix("<").partition(">")[0].strip()[:1_000] or None

    @property
    def content(self) -> bytes:
        """The body with its transfer encoding undone."""
        return self.decoded[0]

    @cached_property
    def decoded(self) -> tuple[bytes, str | None]:
        """The body with its transfer encoding undone, and what was wrong with that."""
        return decoded(self.source[self.start : self.end], self.encoding)

    def size(self) -> tuple[int, str | None]:
        """How many bytes that is, without making them where they can be counted."""
        return decoded_size(self.source[self.start : self.end], self.encoding)

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding (RFC 2045 §6), in lower case."""
        return parameterized(self.raw_field("content-transfer-encoding")).value


@dataclass
class Structure:
    """A whole message, taken apart."""

    root: Part
    header: bytes  # of the whole
    read: Header
    defects: list[str]


def read_structure(source: bytes) -> Structure:
    """Take a message apart, from the outside to the inside."""
    defects: list[str] = []
    if b"\n" not in source and b"\r" in source:  # as old Macintosh programs ended lines
        source = source.replace(b"\r", b"\n")
        defects.append("lines_end_with_cr")
    read = read_header(source, 0, len(source))
    if defects:
        read = read._replace(end=None)  # of what came, it is not
    root = _part(source, read, len(source), _PLAIN, defects)
    header = source[: min(root.start, MAX_HEADER_BYTES)]
    budget = _Budget(len(source))
    waiting = [(root, 0)]
    count = 1
    while waiting:
        part, depth = waiting.pop()
        if not part.media_type.startswith("multipart/"):
            continue
        if depth >= MAX_DEPTH or budget.spent:
            defects.append("parts_nested_too_deep" if depth >= MAX_DEPTH else "too_many_boundaries")
            continue
        spans = _children(part, budget, defects)
        digest = part.media_type == "multipart/digest"
        default = Parameterized("message/rfc822", {}) if digest else _PLAIN
        for start, end in spans:
            if count >= MAX_PARTS:
                defects.append("too_many_parts")
                break
            count += 1
            read_of_it = read_header(part.source, start, end)
            part.children.append(_part(part.source, read_of_it, end, default, defects))
        waiting.extend((child, depth + 1) for child in reversed(part.children))
        if not part.children:
            defects.append("multipart_without_parts")
            part.type = _PLAIN  # so that what it says is not lost
    return Structure(root, header, read, list(dict.fromkeys(defects)))


def _part(
    source: bytes, header: Header, end: int, default: Parameterized, defects: list[str]
) -> Part:
    defects.extend(header.defects)
    raw = header.first.get("content-type")
    type_ = default
    if raw is not None:
        type_ = parameterized(raw)
        if not _TYPE.fullmatch(type_.value):
            # RFC 2045 §5.2: what cannot be read is plain text; its charset may still be right.
            defects.append("invalid_content_type")
            type_ = Parameterized("text/plain", type_.parameters)
    return Part(source, header.fields, header.first, header.body_at, end, type_, [])


class _Budget:
    """How much work the search for boundaries may still do."""

    def __init__(self, size: int) -> None:
        self._bytes = size * MAX_PASSES + 1_000_000
        self._candidates = MAX_CANDIDATES

    def searched(self, size: int) -> None:
        self._bytes -= size

    def candidate(self) -> None:
        self._candidates -= 1

    @property
    def spent(self) -> bool:
        return self._bytes <= 0 or self._candidates <= 0


def _children(part: Part, budget: _Budget, defects: list[str]) -> list[tuple[int, int]]:
    """Where the parts of a multipart begin and end."""
    boundary = part.type.parameters.get("boundary", b"").strip()
    spans = _split(part, boundary, budget, defects) if boundary else []
    if not spans and (encoded := _unwrapped(part)):
        # A multipart that was itself transfer-encoded, which RFC 2045 §6.4 forbids.
        part.source, part.start, part.end = encoded, 0, len(encoded)
        del part.first["content-transfer-encoding"]  # undone, also when no parts are in it
        spans = _split(part, boundary, budget, defects) if boundary else []
    if not spans and (guessed := _GUESSED.search(part.source, part.start, part.end)):
        spans = _split(part, guessed[1], budget, defects)
        if spans:
            defects.append("wrong_boundary")
    return spans


def _unwrapped(part: Part) -> bytes | None:
    return part.content if part.encoding in {"base64", "quoted-printable"} else None


def _split(
    part: Part, boundary: bytes, budget: _Budget, defects: list[str]
) -> list[tuple[int, int]]:
    source, end = part.source, part.end
    delimiter = b"--" + boundary
    spans: list[tuple[int, int]] = []
    begun: int | None = None  # where the present part starts
    at = part.start
    budget.searched(end - at)
    while (found := source.find(delimiter, at, end)) >= 0 and not budget.spent:
        budget.candidate()
        at = found + len(delimiter)
        if found > part.start and source[found - 1] != 0x0A:
            continue
        newline = source.find(b"\n", at, end)
        line_end = newline if newline >= 0 else end
        tail = source[at : min(line_end, at + 200)].rstrip()
        if tail not in {b"", b"--"} or line_end - at > 200:
            continue  # a longer boundary that begins like this one
        if begun is not None:
            spans.append((begun, max(begun, _before_newline(source, found, begun))))
        begun = None if tail == b"--" else min(line_end + 1, end)
        at = line_end
        if tail == b"--":
            break
    if begun is not None:
        defects.append("multipart_not_closed")
        spans.append((begun, end))
    return spans


def _before_newline(source: bytes, at: int, start: int) -> int:
    """The end of a part: the line end before a boundary belongs to that (RFC 2046 §5.1.1)."""
    if at > start and source[at - 1] == 0x0A:
        at -= 1
        if at > start and source[at - 1] == 0x0D:
            at -= 1
    return at
