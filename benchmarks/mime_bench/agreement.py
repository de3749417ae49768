"""What we say of real and broken mail beside what other parsers said of the same.

    spamassassin  what at least two of three parsers agree on
    mail-parser   what a parser written in Rust says, field by field
    mime4j        the leaves of every message, messages in messages taken apart too

Everything is compared without regard to white space. What the others do not say is not compared.
"""

import dataclasses
import hashlib
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from services.sync.domain.mime.bodies import bodies_of, leaves_of
from services.sync.domain.mime.charset import decode
from services.sync.domain.mime.structure import Part, read_structure
from services.sync.domain.mime.uuencoded import unpacked
from services.sync.domain.parse import parse
from shared.contracts.mail import Address
from tests.corpora import corpora, messages

_NESTED = 20


@dataclass(frozen=True)
class Row:
    """One field of one message, as they read it and as we do."""

    corpus: str
    file: str
    field: str
    theirs: object
    ours: object
    raw: bytes = dataclasses.field(repr=False)

    @property
    def same(self) -> bool:
        return self.theirs == self.ours

    @property
    def name(self) -> str:
        return f"{self.corpus}/{self.file} {self.field}"

    @cached_property
    def leaves(self) -> list[Part]:
        """The parts of the message that are no multipart."""
        return leaves_of(read_structure(self.raw).root)


def rows() -> list[Row]:
    """Every comparison that the corpora allow; none where there are no corpora."""
    folder = corpora()
    if folder is None:
        return []
    raws = dict(messages())
    return [
        *_spamassassin(folder, raws),
        *_mail_parser(folder / "mime" / "mail-parser"),
        *_mime4j(folder / "mime" / "mime4j"),
    ]


def counted(compared: list[Row]) -> dict[tuple[str, str], tuple[int, int]]:
    """By corpus and field: how many agree, of how many."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for row in compared:
        same, of = found.get((row.corpus, row.field), (0, 0))
        found[row.corpus, row.field] = (same + row.same, of + 1)
    return found


# --- spamassassin -------------------------------------------------------------------------------


def _spamassassin(folder: Path, raws: dict[str, bytes]) -> Iterator[Row]:
    """Of text and HTML only a hash is known."""
    expected = folder / "spamassassin" / "expected-parse.jsonl"
    for line in expected.read_text("utf-8").splitlines():
        theirs = json.loads(line)
        raw = raws[f"spamassassin/{theirs['file']}"]
        parsed = parse(raw)
        attached = unpacked(bodies_of(read_structure(raw).root)).attached
        ours = {
            "subject": words(parsed.subject),
            "from": parsed.sender.email.lower() if parsed.sender else "",
            "date": int(parsed.sent_at.timestamp()) if parsed.sent_at else None,
            "text_ws_sha256": hashed(parsed.text),
            "html_ws_sha256": hashed(parsed.html or ""),
            "attachment_sha256": sorted(sha256(part.content) for part in attached),
        }
        for name, mine in ours.items():
            if name not in theirs:
                continue
            yield Row("spamassassin", theirs["file"], name, _comparable(theirs[name]), mine, raw)


def _comparable(value: object) -> object:
    """Capitals in an address or a subject are nobody's opinion."""
    if isinstance(value, str):
        return words(value)
    return sorted(value) if isinstance(value, list) else value


def words(text: str) -> str:
    """What is said, however it is spaced and capitalised."""
    return " ".join(text.split()).lower()


def hashed(text: str) -> str:
    """As the corpus names a text."""
    return sha256(" ".join(text.split()).encode())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- mail-parser --------------------------------------------------------------------------------

#: What it writes as the type of a part that says none (of a digest, say).
_UNSAID = "/"


def _mail_parser(folder: Path) -> Iterator[Row]:
    for line in (folder / "expected.jsonl").read_text("utf-8").splitlines():
        theirs = json.loads(line)
        raw = (folder / theirs["file"]).read_bytes()
        parsed = parse(raw)
        bodies = unpacked(bodies_of(read_structure(raw).root))
        senders = (parsed.sender,) if parsed.sender else ()
        wanted = [
            (one["name"], None if one["type"] == _UNSAID else one["type"], one["sha256"])
            for one in theirs["attachments"]
        ]
        held = [
            (part.file_name or None, part.media_type, sha256(part.content))
            for part in bodies.attached
        ]
        compared: dict[str, tuple[object, object]] = {
            "subject": (theirs["subject"] or "", parsed.subject),
            "from": (_people(theirs["from"])[:1], _listed(senders)),
            "to": (_people(theirs["to"]), _listed(parsed.to)),
            "cc": (_people(theirs["cc"]), _listed(parsed.cc)),
            "date": (
                theirs["date"],
                int(parsed.sent_at.timestamp()) if parsed.sent_at else None,
            ),
            "message_id": (theirs["message_id"], parsed.message_id),
            "text": (_spaced(theirs["text"]), _texts(bodies.text, "text/plain")),
            "html": (_spaced(theirs["html"]), _texts(bodies.html, "text/html")),
            "attachments": (wanted, _as_far_as_said(wanted, held)),
        }
        for name, (said, mine) in compared.items():
            yield Row("mail-parser", theirs["file"], name, said, mine, raw)


def _people(entries: list[list[str | None]] | None) -> list[tuple[str, str]]:
    return [(name or "", email or "") for name, email in entries or []]


def _listed(people: tuple[Address, ...]) -> list[tuple[str, str]]:
    return [(one.name, one.email) for one in people]


def _spaced(texts: list[str]) -> list[str]:
    return [" ".join(text.split()) for text in texts]


def _texts(parts: list[Part], media_type: str) -> list[str]:
    return _spaced(
        [
            decode(part.content, part.type.token("charset"))
            for part in parts
            if part.media_type == media_type
        ]
    )


def _as_far_as_said(
    theirs: list[tuple[str | None, ...]], ours: list[tuple[str | None, ...]]
) -> list[tuple[str | None, ...]]:
    """Ours without what they are silent about. A name that only we found is a difference."""
    if len(theirs) != len(ours):
        return ours
    return [
        (mine[0], *(None if said is None else value for said, value in rest))
        for mine, rest in (
            (mine, list(zip(them[1:], mine[1:], strict=True)))
            for them, mine in zip(theirs, ours, strict=True)
        )
    ]


# --- mime4j -------------------------------------------------------------------------------------


def _mime4j(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.rglob("*.msg")):
        described = path.with_name(f"{path.stem}_decoded.xml")
        raw = path.read_bytes()
        theirs = list(_described(ElementTree.fromstring(described.read_bytes()), path.parent))
        yield Row(
            "mime4j",
            path.relative_to(folder).as_posix(),
            "leaves",
            [b" ".join(each.split()) for each in theirs],
            [b" ".join(each.split()) for each in _contents(raw)],
            raw,
        )


def _described(node: ElementTree.Element, folder: Path) -> Iterator[bytes]:
    for child in node:
        if child.tag in {"message", "multipart", "body-part"}:
            yield from _described(child, folder)
        elif child.tag.endswith("-body"):
            yield (folder / child.attrib["name"]).read_bytes()


def _contents(raw: bytes, depth: int = 0) -> Iterator[bytes]:
    for part in leaves_of(read_structure(raw).root):
        if part.media_type == "message/rfc822" and depth < _NESTED:
            yield from _contents(part.content, depth + 1)
        else:
            yield part.content
