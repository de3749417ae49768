"""A message as what can be found of it: sections of words, and the tsvector made of them.

The tsvector is written as a literal, so that PostgreSQL's own parser never reads mail. Words of
mail hold letters, digits and the joiners of addresses only; lexemes that begin with a colon are
ours, and no text can produce them.
"""

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from services.indexer.domain.tokenise import Reading, cut, read
from shared.contracts.mail import Address, Content

MAX_POSITION = 16_383  # what a tsvector can tell apart
_POSITION_LABELS = [str(position) for position in range(MAX_POSITION + 1)]
_LEXEME_BYTES = 900_000  # of 1 MiB that a tsvector may hold
_POSITIONS = 255  # that a lexeme may keep

HAS_ATTACHMENT = ":has:attachment"
PARTIAL = ":partial"  # not every position is in the tsvector: the text has to be looked at


class Field(StrEnum):
    """Where in a message a query may look."""

    SUBJECT = "subject"
    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    BODY = "body"
    FILENAME = "filename"
    LIST = "list"


WEIGHT = {Field.SUBJECT: "A", Field.FILENAME: "C", Field.BODY: "D"}
"""Fields that a weight tells apart. The others have lexemes of their own, as `:from:alice`."""

_PEOPLE_WEIGHT = "B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a message says, as it is kept for snippets and for reading its words again."""

    subject: str
    sender: list[str]
    recipients_to: list[str]
    recipients_cc: list[str]
    recipients_bcc: list[str]
    filenames: list[str]
    list_id: str
    header_id: str  # the Message-ID header
    preview: str
    body: str
    attachment_count: int


@dataclass(frozen=True)
class Document:
    """The words of one message, section by section."""

    sections: list[tuple[Field, Reading]]
    marks: list[str]

    @cached_property
    def _literal(self) -> tuple[str, bool]:
        return _write(self.sections, self.marks)

    @property
    def is_whole(self) -> bool:
        """Whether the tsvector knows the place of every word; else phrases are checked here."""
        return self._literal[1]

    def tsvector(self, tenant_id: UUID, account_id: UUID) -> str:
        """The literal, with the lexemes by which a query stays inside its tenant and accounts."""
        words, _ = self._literal
        return f"{words} '{tenant_lexeme(tenant_id)}' '{account_lexeme(account_id)}'"


def tenant_lexeme(tenant_id: UUID) -> str:
    return f":tenant:{tenant_id.hex}"


def account_lexeme(account_id: UUID) -> str:
    return f":account:{account_id.hex}"


def header_id_lexeme(header_id: str) -> str:
    """The lexeme of a Message-ID, with or without its angle brackets (RFC 5322 §3.6.4)."""
    return ":msgid:" + cut(header_id.strip().strip("<>"))


def field_lexeme(field: Field, word: str) -> str:
    return f":{field.value}:{word}"


def kept_of(content: Content) -> Kept:
    """What is kept of a message's content. A NUL, which PostgreSQL refuses, becomes a space."""
    return Kept(
        subject=_storable(content.subject),
        sender=_people((content.sender,) if content.sender else ()),
        recipients_to=_people(content.to),
        recipients_cc=_people(content.cc),
        recipients_bcc=_people(content.bcc),
        filenames=[_line(part.name) for part in content.attachments if part.name.strip()],
        list_id=_storable(content.list_id or ""),
        header_id=_storable(content.message_id or ""),
        preview=_storable(content.preview),
        body=_storable(content.text),
        attachment_count=sum(not part.inline for part in content.attachments),
    )


def document_of(kept: Kept) -> Document:
    """The words of a message, in the order in which their positions are given out."""
    texts = [
        (Field.SUBJECT, [kept.subject]),
        (Field.FROM, kept.sender),
        (Field.TO, kept.recipients_to),
        (Field.CC, kept.recipients_cc),
        (Field.BCC, kept.recipients_bcc),
        (Field.FILENAME, kept.filenames),
        (Field.LIST, [kept.list_id]),
        (Field.BODY, [kept.body]),
    ]
    sections = [(field, read(text)) for field, several in texts for text in several if text]
    marks = [HAS_ATTACHMENT] if kept.attachment_count else []
    if kept.header_id:
        marks.append(header_id_lexeme(kept.header_id))
    return Document(sections, marks)


def quoted(lexeme: str) -> str:
    """A lexeme as tsvector and tsquery literals quote it."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _storable(text: str) -> str:
    return text.replace("\0", " ")


def _line(text: str) -> str:
    return " ".join(_storable(text).split())


def _people(people: tuple[Address, ...]) -> list[str]:
    return [_line(f"{person.name} <{person.email}>") for person in people]


def _write(sections: list[tuple[Field, Reading]], marks: list[str]) -> tuple[str, bool]:
    """The words as a literal, and whether each of them is there with each of its positions."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    position = 1
    for field, reading in sections:
        labels = _labels(position, len(reading.words), WEIGHT.get(field, _PEOPLE_WEIGHT))
        for prefix in _prefixes(field):
            words = [prefix + word for word in reading.words] if prefix else reading.words
            for word, label in zip(words, labels, strict=True):
                places[word].append(label)
            for index, address in reading.addresses:
                places[prefix + address].append(labels[index])
        position += len(reading.words) + 1  # no phrase reaches from one section into the next
    crowded = [lexeme for lexeme, at in places.items() if len(at) > _POSITIONS]
    for lexeme in crowded:
        del places[lexeme][_POSITIONS:]
    whole = position <= MAX_POSITION and not crowded
    lexemes = list(places)
    while sum(map(len, lexemes)) * 4 > _LEXEME_BYTES:  # 4: bytes of a character at most
        whole = False
        lexemes = lexemes[: len(lexemes) * 3 // 4]
    written = [f"'{lexeme}':{','.join(places[lexeme])}" for lexeme in lexemes]
    written += [quoted(mark) for mark in marks]
    if not whole:
        written.append(quoted(PARTIAL))
    return " ".join(written), whole


def _labels(start: int, count: int, weight: str) -> list[str]:
    """Positions as a literal writes them; D, the weight of most words, has no letter."""
    labels = _POSITION_LABELS[start : start + count]
    labels += _POSITION_LABELS[-1:] * (count - len(labels))
    return labels if weight == "D" else [label + weight for label in labels]


def _prefixes(field: Field) -> tuple[str, ...]:
    """With what the words of a section are written: as words, as words of this field, or both."""
    if field in WEIGHT:
        return ("",)
    own = field_lexeme(field, "")
    return (own,) if field is Field.LIST else ("", own)
