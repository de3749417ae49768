"""A message as what can be found of it: sections of words, and the tsvector made of them.

The tsvector is written as PostgreSQL sends it (its binary form), so that its parser never reads
mail: to read a literal took it longer than all of the words' reading here. Words of mail hold
letters, digits and the joiners of addresses only; lexemes that begin with a colon are ours, and no
text can produce them.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import islice
from uuid import UUID

from services.indexer.domain.tokenise import Reading, cut, read
from shared.contracts.mail import Address, Content

MAX_POSITION = 16_383  # what a tsvector can tell apart
_TSVECTOR_BYTES = 1_000_000  # of 1 MiB that a tsvector may hold
_POSITIONS = 255  # that a lexeme may keep
# Behind a lexeme, by the bytes of its places: each takes two.
_COUNTS = [b"\0" + (length // 2).to_bytes(2) for length in range(2 * _POSITIONS + 1)]

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


class Trait(StrEnum):
    """What a message has, or is, beside its words."""

    ATTACHMENT = "attachment"
    INVITATION = "invitation"
    PDF = "pdf"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    SPREADSHEET = "spreadsheet"
    PRESENTATION = "presentation"
    ARCHIVE = "archive"
    SIGNED = "signed"
    ENCRYPTED = "encrypted"

    @property
    def lexeme(self) -> str:
        return f":has:{self.value}"


# By the end of a name or of a type; a type alone is often `application/octet-stream`.
_KINDS = {
    Trait.INVITATION: ("ics", "calendar"),
    Trait.PDF: ("pdf",),
    Trait.DOCUMENT: ("doc", "docx", "odt", "rtf", "pages", "msword", "wordprocessingml.document"),
    Trait.SPREADSHEET: ("xls", "xlsx", "ods", "csv", "numbers", "ms-excel", "spreadsheetml.sheet"),
    Trait.PRESENTATION: (
        *("ppt", "pptx", "odp", "key", "ms-powerpoint"),
        "presentationml.presentation",
    ),
    Trait.ARCHIVE: ("zip", "tar", "tgz", "gz", "bz2", "xz", "7z", "rar", "zst"),
    Trait.IMAGE: ("jpg", "jpeg", "png", "gif", "webp", "heic", "svg", "tiff", "bmp", "avif"),
    Trait.AUDIO: ("mp3", "wav", "flac", "ogg", "opus", "m4a"),
    Trait.VIDEO: ("mp4", "mov", "mkv", "webm", "avi"),
}
_TRAIT_OF_END = {end: trait for trait, ends in _KINDS.items() for end in ends}
_LONG_ENDS = [end for end in _TRAIT_OF_END if "." in end or "-" in end]
_TRAIT_OF_TYPE = {"image": Trait.IMAGE, "audio": Trait.AUDIO, "video": Trait.VIDEO}

WEIGHT = {Field.SUBJECT: "A", Field.FILENAME: "C", Field.BODY: "D"}
"""What the words of a field are worth. People's have the one between."""

BY_WEIGHT = frozenset({Field.BODY})
"""Fields whose words only their weight tells apart, which GIN has to read each message for. The
others have lexemes of their own, as `:from:alice`."""

# Before a capital that a small letter or digit precedes, or that begins a word after others, and
# between letters and digits.
_INSIDE_NAME = re.compile(
    r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])"
)

_PEOPLE_WEIGHT = "B"
_PLACES = {
    weight: [(bits << 14 | position).to_bytes(2) for position in range(MAX_POSITION + 1)]
    for bits, weight in enumerate("DCBA")
}


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
    traits: list[str] | None = None  # None: kept before they were
    text_is_cut: bool = False


@dataclass(frozen=True)
class Document:
    """The words of one message, section by section."""

    sections: list[tuple[Field, Reading]]
    marks: list[str]

    @cached_property
    def _lexemes(self) -> tuple[int, bytes, bool]:
        return _write(self.sections, self.marks)

    @property
    def is_whole(self) -> bool:
        """Whether the tsvector knows the place of every word; else phrases are checked here."""
        return self._lexemes[2]

    def tsvector(self, tenant_id: UUID, account_id: UUID) -> bytes:
        """The words, with the lexemes by which a query stays inside its tenant and accounts."""
        count, lexemes, _ = self._lexemes
        inside = (_mark(tenant_lexeme(tenant_id)), _mark(account_lexeme(account_id)))
        return b"".join([(count + len(inside)).to_bytes(4), lexemes, *inside])


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
        traits=sorted(_traits(content)),
        text_is_cut=content.text_is_cut,
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
    sections = [(section, read(text)) for section, several in texts for text in several if text]
    for name in kept.filenames:
        apart = spread_name(name)
        if apart is not None:
            sections.append((Field.FILENAME, read(apart)))
    traits = set(_traits_by_name(kept.filenames) if kept.traits is None else kept.traits)
    if kept.attachment_count:
        traits.add(Trait.ATTACHMENT.value)
    marks = [Trait(trait).lexeme for trait in sorted(traits)]
    if kept.header_id:
        marks.append(header_id_lexeme(kept.header_id))
    return Document(sections, marks)


def spread_name(name: str) -> str | None:
    """A file's name with the words that only capitals and digits keep apart; None: there are none.

    `QuarterlyReport2026.pdf` has `Quarterly`, `Report`, `2026` and `pdf` in it.
    """
    apart = _INSIDE_NAME.sub(" ", name)
    return apart if apart != name else None


def label_of(label: str) -> str:
    """A label as labels are compared: without case, in one line."""
    return " ".join(_storable(label).split()).casefold()


def quoted(lexeme: str) -> str:
    """A lexeme as a tsquery literal quotes it."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _traits(content: Content) -> set[str]:
    found: set[str] = set()
    for part in content.attachments:
        kind, _, subtype = part.content_type.lower().partition("/")
        trait = (
            _by_name(part.name)
            or _TRAIT_OF_TYPE.get(kind)
            or _TRAIT_OF_END.get(subtype.rpartition("-")[2])
            or next((_TRAIT_OF_END[end] for end in _LONG_ENDS if subtype.endswith(end)), None)
        )
        # A picture inside of the text is no file that somebody sent.
        if trait is not None and not part.inline:
            found.add(trait.value)
    if content.invitation is not None:
        found.add(Trait.INVITATION.value)
    if content.signed is not None:
        found.add(Trait.SIGNED.value)
    if content.encrypted is not None:
        found.add(Trait.ENCRYPTED.value)
    return found


def _traits_by_name(filenames: list[str]) -> list[str]:
    return [trait.value for name in filenames if (trait := _by_name(name))]


def _by_name(name: str) -> Trait | None:
    _, dot, end = name.rpartition(".")
    return _TRAIT_OF_END.get(end.strip().lower()) if dot else None


def _storable(text: str) -> str:
    return text.replace("\0", " ")


def _line(text: str) -> str:
    return " ".join(_storable(text).split())


def _people(people: tuple[Address, ...]) -> list[str]:
    return [_line(f"{person.name} <{person.email}>") for person in people]


def _write(sections: list[tuple[Field, Reading]], marks: list[str]) -> tuple[int, bytes, bool]:
    """How many lexemes, the lexemes with their places, and whether every place of all is there.

    A lexeme is its text, a NUL, the number of its places and the places in order, each two bytes
    of weight and position (PostgreSQL's tsvectorrecv).
    """
    places: dict[str, bytes] = {}
    mixed: set[str] = set()  # words of one text and wholes of it: `email`, `e-mail`
    position = 1
    for section, reading in sections:
        at = _PLACES[WEIGHT.get(section, _PEOPLE_WEIGHT)][position : position + len(reading.words)]
        for prefix in _prefixes(section):
            words = [prefix + word for word in reading.words] if prefix else reading.words
            for word, place in zip(words, at, strict=False):
                if word in places:
                    places[word] += place
                else:
                    places[word] = place
            for word in words[len(at) :]:  # beyond the last place
                places.setdefault(word, b"")
            for index, whole in reading.wholes:
                place = at[index] if index < len(at) else b""
                lexeme = prefix + whole
                if lexeme in places:
                    mixed.add(lexeme)
                places[lexeme] = places.get(lexeme, b"") + place
        position += len(reading.words) + 1  # no phrase reaches from one section into the next
    for lexeme in mixed:
        places[lexeme] = _in_order(places[lexeme])
    whole = position <= MAX_POSITION
    if max(map(len, places.values()), default=0) > 2 * _POSITIONS:
        whole = False
        places = {word: at[: 2 * _POSITIONS] for word, at in places.items()}
    lexemes = _laid_out(places)
    while len(lexemes) > _TSVECTOR_BYTES:
        whole = False
        places = dict(islice(places.items(), len(places) * 3 // 4))
        lexemes = _laid_out(places)
    beside = marks if whole else [*marks, PARTIAL]
    return len(places) + len(beside), lexemes + b"".join(map(_mark, beside)), whole


def _laid_out(places: dict[str, bytes]) -> bytes:
    """Each word with its places. A message has hundreds: none is touched from here."""
    at = places.values()
    lexemes = [b""] * (3 * len(places))
    lexemes[0::3] = map(str.encode, places)
    lexemes[1::3] = map(_COUNTS.__getitem__, map(len, at))
    lexemes[2::3] = at
    return b"".join(lexemes)


def _in_order(places: bytes) -> bytes:
    """Each place once, and in order, as PostgreSQL wants them."""
    at = (places[start : start + 2] for start in range(0, len(places), 2))
    by_position = {int.from_bytes(place) & MAX_POSITION: place for place in at}
    return b"".join(by_position[position] for position in sorted(by_position))


def _mark(lexeme: str) -> bytes:
    """A lexeme without a place."""
    return lexeme.encode() + _COUNTS[0]


def _prefixes(field: Field) -> tuple[str, ...]:
    """With what the words of a section are written: as words, as words of this field, or both."""
    if field in BY_WEIGHT:
        return ("",)
    own = field_lexeme(field, "")
    return (own,) if field is Field.LIST else ("", own)
