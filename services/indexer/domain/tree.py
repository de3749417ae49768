"""A query as a tree: what is asked, and whether one message is an answer to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from services.indexer.domain.document import BY_WEIGHT, Document, Field
from services.indexer.domain.tokenise import Reading


@dataclass(frozen=True, slots=True)
class Word:
    """A word that must be there, or the beginning of one."""

    text: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Words that stand next to each other, anywhere or in one field."""

    words: tuple[Word, ...]
    field: Field | None = None

    @property
    def depends_on_places(self) -> bool:
        """Whether a tsvector that lacks some positions may be wrong about this."""
        return len(self.words) > 1 or self.field in BY_WEIGHT


@dataclass(frozen=True, slots=True)
class Mark:
    """Something a message has or not, which the index keeps as a lexeme of its own."""

    lexeme: str


@dataclass(frozen=True, slots=True)
class Keyword:
    """A flag that is set on the message (RFC 9051 §2.3.2), in lower case."""

    keyword: str


@dataclass(frozen=True, slots=True)
class Received:
    """The message came at this time or later."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Larger:
    """The message has more than so many bytes."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class InMailbox:
    """The message is in one of these mailboxes."""

    mailbox_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class InAccount:
    """The message is in one of these accounts."""

    account_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class InThread:
    """The message belongs to this conversation."""

    thread_id: UUID


@dataclass(frozen=True, slots=True)
class Labelled:
    """The message has this label, or this keyword, as `label_of` writes it."""

    label: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these."""

    nodes: tuple["Node", ...]


Node: TypeAlias = (
    Words
    | Mark
    | Keyword
    | Received
    | Larger
    | InMailbox
    | InAccount
    | InThread
    | Labelled
    | Not
    | And
    | Or
)


class Evidence(Protocol):
    """What is known of one message."""

    @property
    def keywords(self) -> frozenset[str]: ...

    @property
    def labels(self) -> frozenset[str]: ...

    @property
    def mailbox_id(self) -> UUID | None: ...

    @property
    def account_id(self) -> UUID: ...

    @property
    def thread_id(self) -> UUID | None: ...

    @property
    def received_at(self) -> datetime: ...

    @property
    def size_bytes(self) -> int: ...

    def has(self, leaf: Words | Mark) -> bool:
        """Whether these words are in it."""
        ...


def holds(node: Node, message: Evidence) -> bool:
    """Whether a message is what is asked for."""
    match node:
        case Words() | Mark():
            return message.has(node)
        case Keyword(keyword):
            return keyword in message.keywords
        case Received(since):
            return message.received_at >= since
        case Larger(size_bytes):
            return message.size_bytes > size_bytes
        case InMailbox(mailbox_ids):
            return message.mailbox_id in mailbox_ids
        case InAccount(account_ids):
            return message.account_id in account_ids
        case InThread(thread_id):
            return message.thread_id == thread_id
        case Labelled(label):
            return label in message.labels or label in message.keywords
        case Not(inner):
            return not holds(inner, message)
        case And(nodes):
            return all(holds(inner, message) for inner in nodes)
        case Or(nodes):
            return any(holds(inner, message) for inner in nodes)


def has_words(document: Document, leaf: Words | Mark) -> bool:
    """Whether these words are in a message, by its text alone."""
    if isinstance(leaf, Mark):
        return leaf.lexeme in document.marks
    return any(
        _has_in_order(reading, leaf.words)
        for field, reading in document.sections
        if (field is leaf.field if leaf.field else field is not Field.LIST)
    )


def leaves(node: Node) -> Iterator[Node]:
    """The conditions at the ends of a tree."""
    match node:
        case Not(inner):
            yield from leaves(inner)
        case And(nodes) | Or(nodes) if nodes:
            for inner in nodes:
                yield from leaves(inner)
        case _:
            yield node


def _has_in_order(reading: Reading, asked: tuple[Word, ...]) -> bool:
    if len(asked) == 1 and any(_is(asked[0], whole) for _, whole in reading.wholes):
        return True
    wholes = dict(reading.wholes) if len(asked) > 1 else {}
    return any(
        all(
            _is(word, reading.words[start + offset])
            or (start + offset in wholes and _is(word, wholes[start + offset]))
            for offset, word in enumerate(asked)
        )
        for start in range(len(reading.words) - len(asked) + 1)
    )


def _is(asked: Word, word: str) -> bool:
    return word.startswith(asked.text) if asked.is_prefix else word == asked.text
