"""What is asked for of a large message: its headers and the texts a person reads.

Of what is attached, only what a message is told by: invitations, reports, and how a message in it
is headed.

The structure that a server tells (BODYSTRUCTURE, RFC 9051 §7.5.2) says which sections those are.
Put together they are a message that reads as the whole does, with empty files in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from services.sync.domain.invitations import is_calendar
from services.sync.domain.mime.bodies import Bodies, bodies_of, leaves_of
from services.sync.domain.mime.fields import read_header
from services.sync.domain.mime.params import Parameterized, parameterized
from services.sync.domain.mime.structure import Part, read_structure
from services.sync.domain.reports import is_read_for_report

#: Larger messages are read without their attachments.
WHOLE_BYTES = 256 * 1024
#: Where texts are longer, together, the message is better read from its beginning.
MAX_BYTES = 8 * 1024 * 1024

#: What else is read, an invitation or a report, is small, or it is not asked for.
MAX_BESIDE_BYTES = 128 * 1024
MAX_BESIDE = 20

_HEADER = "HEADER"
_READ = ("text/plain", "text/html")
_BASE64_LINE = 78  # 76 letters and a line end (RFC 2045 §6.8)


class Described(Protocol):
    """A part of a message as its server describes it."""

    @property
    def section(self) -> str: ...  # "1.2"; of the whole message it does not matter
    @property
    def media_type(self) -> str: ...
    @property
    def params(self) -> Mapping[str, str]: ...
    @property
    def disposition(self) -> str | None: ...
    @property
    def disposition_params(self) -> Mapping[str, str]: ...
    @property
    def encoding(self) -> str | None: ...
    @property
    def size(self) -> int: ...
    @property
    def parts(self) -> Sequence[Described]: ...
    @property
    def message(self) -> bool: ...


class Skeleton(Struct, frozen=True, kw_only=True):
    """A message without its attachments, and how large those are by their number."""

    raw: bytes
    attachment_sizes: Mapping[int, int]


def sections_of(structure: Described) -> tuple[str, ...]:
    """What to ask for: FETCH BODY.PEEK[…], each of these."""
    names = [_HEADER]
    read = _read_sections(structure)
    beside = 0
    for node in _nodes(structure):
        if node is not structure:
            names.append(f"{node.section}.MIME")
        if _is_multipart(node):
            continue
        if (section := _section(node)) in read:
            names.append(section)
        elif beside < MAX_BESIDE and (section := _beside(node)):
            names.append(section)
            beside += 1
    return tuple(names)


def headers_of(structure: Described) -> tuple[str, ...]:
    """What to ask for to tell which attachment is which: the headers of all parts, and no text."""
    return tuple(name for name in sections_of(structure) if _is_header(name))


def attached_part(
    structure: Described, headers: Mapping[str, bytes], number: int
) -> Described | None:
    """The part that is listed as this attachment; None where there is none, or no telling."""
    texts = {name: b"" for name in sections_of(structure) if not _is_header(name)}
    found = _attached(structure, texts | dict(headers))
    return None if found is None else found[1].get(number)


def assemble(structure: Described, sections: Mapping[str, bytes]) -> Skeleton | None:
    """The message from its sections; None where structure and sections do not fit together."""
    found = _attached(structure, sections)
    if found is None:
        return None
    raw, attached = found
    return Skeleton(
        raw=raw,
        attachment_sizes={number: _decoded_size(node) for number, node in attached.items()},
    )


def _is_header(name: str) -> bool:
    return name == _HEADER or name.endswith(".MIME")  # and not the header of a message inside


def _attached(
    structure: Described, sections: Mapping[str, bytes]
) -> tuple[bytes, dict[int, Described]] | None:
    """The message put together, and what is attached to it, by number."""
    header = sections.get(_HEADER)
    read = _read_sections(structure)
    if header is None or sum(map(len, sections.values())) > MAX_BYTES:
        return None
    pieces: list[bytes] = []
    if not _write(structure, header, sections, read, pieces):
        return None
    raw = b"".join(pieces)
    told = [node for node in _nodes(structure) if not _is_multipart(node)]
    root = read_structure(raw).root
    leaves = leaves_of(root)
    if len(leaves) != len(told):
        return None
    node_of = {id(part): node for part, node in zip(leaves, told, strict=True)}
    bodies = bodies_of(root)
    if any(_section(node_of[id(part)]) not in read for part in _bodies(bodies)):
        return None  # a text that was not asked for: the structure was wrong about it
    return raw, {number: node_of[id(part)] for number, part in enumerate(bodies.attached, 1)}


def _write(
    node: Described,
    header: bytes | None,
    sections: Mapping[str, bytes],
    read: set[str],
    pieces: list[bytes],
) -> bool:
    """Write one part, header and all; False where something of it is missing or wrong."""
    if header is None:
        return False
    header = header.rstrip(b"\r\n")
    pieces.append(header + b"\r\n\r\n" if header else b"\r\n")
    field = read_header(header, 0, len(header)).first.get("content-type", b"")
    type_ = parameterized(field)
    if type_.value.startswith("multipart/") != _is_multipart(node):
        return False
    if not _is_multipart(node):
        section = _section(node)
        if section in read:
            if section not in sections:
                return False
            pieces.append(sections[section])
        elif section := _beside(node):
            pieces.append(sections.get(section, b""))
        return True
    boundary = type_.parameters.get("boundary", b"").strip()
    if not boundary:
        return False
    for part in node.parts:
        pieces.append(b"\r\n--" + boundary + b"\r\n")
        if not _write(part, sections.get(f"{part.section}.MIME"), sections, read, pieces):
            return False
    pieces.append(b"\r\n--" + boundary + b"--\r\n")
    return True


def _read_sections(structure: Described) -> set[str]:
    """The sections that are read as text or HTML; none where they are too long together."""
    sizes: dict[int, Described] = {}

    def part_of(node: Described) -> Part:
        part = Part(
            b"",
            [],
            {"content-disposition": _disposition(node)},
            0,
            0,
            Parameterized(
                node.media_type.lower(), {"name": b"x"} if _has(node.params, "name") else {}
            ),
            [part_of(child) for child in node.parts] if _is_multipart(node) else [],
        )
        sizes[id(part)] = node
        return part

    root = part_of(structure)
    nodes = [sizes[id(part)] for part in _bodies(bodies_of(root))]
    if sum(node.size for node in nodes) > MAX_BYTES:
        return set()
    return {_section(node) for node in nodes}


def _beside(node: Described) -> str | None:
    """What to ask for of an attachment: all of a small calendar or report, a message's header."""
    if node.message and node.section:
        return f"{node.section}.{_HEADER}"
    name = node.disposition_params.get("filename") or node.params.get("name") or ""
    media_type = node.media_type.lower()
    if node.size <= MAX_BESIDE_BYTES and (
        is_calendar(media_type, name) or is_read_for_report(media_type)
    ):
        return _section(node)
    return None


def _bodies(bodies: Bodies) -> list[Part]:
    return [part for part in (*bodies.text, *bodies.html) if part.media_type in _READ]


def _disposition(node: Described) -> bytes:
    value = (node.disposition or "").lower().encode("latin-1", "replace")
    return value + b"; filename=x" if _has(node.disposition_params, "filename") else value


def _has(params: Mapping[str, str], name: str) -> bool:
    """Whether there is such a parameter, whole or in pieces (RFC 2231)."""
    return any(key.lower().split("*")[0] == name and value for key, value in params.items())


def _is_multipart(node: Described) -> bool:
    return bool(node.parts) and not node.message


def _section(node: Described) -> str:
    return node.section or "1"  # a message of one part (RFC 9051 §6.4.5)


def _nodes(node: Described) -> Iterator[Described]:
    yield node
    if _is_multipart(node):
        for part in node.parts:
            yield from _nodes(part)


def _decoded_size(node: Described) -> int:
    """What an attachment will be once decoded, from what its server says it is encoded."""
    match (node.encoding or "").lower():
        case "base64":
            return (node.size - 2 * (node.size // _BASE64_LINE)) // 4 * 3
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return node.size * 45 // 63
        case _:
            return node.size
