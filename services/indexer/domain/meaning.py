"""What the terms of a query mean to whoever asks: where, when and by which names they live."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import TypeAlias

from services.indexer.domain.document import (
    Field,
    Trait,
    header_id_lexeme,
    label_of,
    spread_name,
)
from services.indexer.domain.said import Either, Every, Opposite, Place, Said, Term, refuse
from services.indexer.domain.span import Span, read_span, span_of_age
from services.indexer.domain.tokenise import Reading, fold, has_words, is_open, read
from services.indexer.domain.tree import (
    And,
    InAccount,
    InMailbox,
    InThread,
    Keyword,
    Labelled,
    Larger,
    Mark,
    Node,
    Not,
    Or,
    Received,
    Word,
    Words,
)
from shared.contracts.ids import Kind, NotAnId
from shared.contracts.ids import read as read_id
from shared.contracts.ids import shown as shown_id
from shared.contracts.search import NamedAccount, NamedMailbox

EVERYTHING = And(())
_NOTHING = InAccount(frozenset())

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s?(|b|k|kb|kib|m|mb|mib|g|gb|gib)")
_SIZE_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}

_FIELDS = {field.value: field for field in Field}
_PEOPLE = (Field.FROM, Field.TO, Field.CC, Field.BCC)
_WITH = "with"
TEXT_OPERATORS = frozenset({"", _WITH, *_FIELDS})

_IS: dict[str, Node] = {
    "unread": Not(Keyword("\\seen")),
    "read": Keyword("\\seen"),
    "starred": Keyword("\\flagged"),
    "flagged": Keyword("\\flagged"),
    "answered": Keyword("\\answered"),
    "replied": Keyword("\\answered"),
    "forwarded": Keyword("$forwarded"),
    "draft": Keyword("\\draft"),
    "important": Keyword("$important"),
    "signed": Mark(Trait.SIGNED.lexeme),
    "encrypted": Mark(Trait.ENCRYPTED.lexeme),
}
_HAS: dict[str, Node] = {
    trait.value: Mark(trait.lexeme)
    for trait in Trait
    if trait not in (Trait.SIGNED, Trait.ENCRYPTED)
}
_ROLES = {
    "inbox": "inbox",
    "archive": "archive",
    "draft": "drafts",
    "drafts": "drafts",
    "sent": "sent",
    "trash": "trash",
    "bin": "trash",
    "junk": "junk",
    "spam": "junk",
}
_ANYWHERE = ("anywhere", "any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who asks: when and where it is for them, and what they call their accounts and mailboxes."""

    now: datetime
    zone: tzinfo = UTC
    accounts: Sequence[NamedAccount] = ()
    mailboxes: Sequence[NamedMailbox] = ()


def meaning_of(said: Said, reader: Reader) -> Node:
    """What is asked for; raises QueryInvalid."""
    match said:
        case Term():
            return node_of(said, reader)
        case Opposite(inner):
            return Not(meaning_of(inner, reader))
        case Every(several):
            return And(tuple(meaning_of(inner, reader) for inner in several))
        case Either(several):
            return Or(tuple(meaning_of(inner, reader) for inner in several))


def node_of(term: Term, reader: Reader) -> Node:
    """What one term asks for; raises QueryInvalid."""
    if term.operator in TEXT_OPERATORS:
        if not has_words(term.value):
            refuse("There is no word to search for.", term.value_at)
        return _text(term, reader)
    operator = _CONDITIONS.get(term.operator)
    if operator is None:
        refuse(f"There is no operator “{term.operator[:40]}”.", term.at)
    value = term.value.strip()
    if not value:
        refuse(f"“{term.operator}:” needs a value.", term.at)
    return operator(value, term.value_at, reader)


# --- Words ----------------------------------------------------------------------------------------


def _text(term: Term, reader: Reader) -> Node:
    if term.operator == _WITH:
        return _any(_in_field(term, field, reader) for field in _PEOPLE)
    return _in_field(term, _FIELDS.get(term.operator), reader)


def _in_field(term: Term, field: Field | None, reader: Reader) -> Node:
    if field in _PEOPLE and not term.is_phrase and term.value.casefold() == "me":
        if not reader.accounts:
            return _NOTHING
        return _any(adjacent(account.email, field) for account in reader.accounts)
    if term.is_phrase:
        return adjacent(term.value, field)
    words = [adjacent(word, field) for word in term.value.split() if has_words(word)]
    return words[0] if len(words) == 1 else And(tuple(words))


def adjacent(text: str, field: Field | None) -> Node:
    """The words of a text, next to each other as they stand in it; none ask for everything."""
    reading = read(text)
    if not reading.words:
        return EVERYTHING
    begins = text.endswith("*")
    if _is_address(reading):
        return Words((Word(reading.wholes[0][1], is_prefix=begins),), field)
    ways = [reading.words]
    joined = _joined(reading)
    if joined != reading.words:
        ways.append(joined)
    if field is Field.FILENAME and (apart := spread_name(text)) is not None:
        ways.append(read(apart).words)
    return _any(Words(_asked(way, begins=begins), field) for way in ways)


def _is_address(reading: Reading) -> bool:
    """Whether all of it is one address."""
    if len(reading.wholes) != 1 or "@" not in reading.wholes[0][1]:
        return False
    start, address = reading.wholes[0]
    return start == 0 and reading.words == read(address).words


def _joined(reading: Reading) -> list[str]:
    """The words, with each hyphenated one written without hyphen: as people write `e-mail`, too."""
    joined = list(reading.words)
    for start, whole in reversed(reading.wholes):
        end = start + 1
        while end < len(reading.words) and len("".join(reading.words[start:end])) < len(whole):
            end += 1
        if "".join(reading.words[start:end]) == whole:
            joined[start:end] = [whole]
    return joined


def _asked(way: list[str], *, begins: bool) -> tuple[Word, ...]:
    # The last character of an unspaced run begins a pair in documents where more follows.
    words = [Word(word, is_prefix=is_open(word)) for word in way]
    if len(words) > 1 and words[-1].is_prefix and words[-2].text[1:] == words[-1].text:
        words.pop()  # the pair before it holds it already
    if begins:
        words[-1] = replace(words[-1], is_prefix=True)
    return tuple(words)


def _any(nodes: Iterable[Node]) -> Node:
    several = tuple(nodes)
    return several[0] if len(several) == 1 else Or(several)


# --- Conditions -----------------------------------------------------------------------------------


def _one_of(operator: str, choices: dict[str, Node]) -> "_Operator":
    def choose(value: str, at: Place, _: Reader) -> Node:
        node = choices.get(value.casefold())
        if node is None:
            refuse(f"“{operator}:” knows {', '.join(choices)}.", at)
        return node

    return choose


def _in(value: str, at: Place, reader: Reader) -> Node:
    """By the role that a mailbox has (RFC 6154), by its name or its path; `…/*`: and all below."""
    wanted = value.casefold()
    if wanted in _ANYWHERE:
        return EVERYTHING
    role = _ROLES.get(wanted)
    found = [one for one in reader.mailboxes if role is not None and one.role == role]
    found = found or [one for one in reader.mailboxes if _is_called(one, value)]
    if not found and role is None:
        refuse(f"There is no mailbox “{value[:80]}”.", at)
    return InMailbox(frozenset(one.mailbox_id for one in found))


def _is_called(mailbox: NamedMailbox, value: str) -> bool:
    delimiter = mailbox.delimiter or "/"
    path = fold(mailbox.path).replace(delimiter, "/")
    wanted = fold(value).replace(delimiter, "/")
    if wanted.endswith("/*"):
        return path == wanted[:-2] or path.startswith(wanted[:-1])
    return wanted in (path, path.rpartition("/")[2], shown_id(Kind.MAILBOX, mailbox.mailbox_id))


def _account(value: str, at: Place, reader: Reader) -> Node:
    wanted = fold(value)
    found = [
        one.account_id
        for one in reader.accounts
        if wanted in (fold(one.name), fold(one.email), shown_id(Kind.ACCOUNT, one.account_id))
    ]
    if not found:
        refuse(f"There is no account “{value[:80]}”.", at)
    return InAccount(frozenset(found))


def _thread(value: str, at: Place, _: Reader) -> Node:
    try:
        return InThread(read_id(Kind.THREAD, value))
    except NotAnId:
        refuse("A thread is named by its id, as thr_….", at)


def _label(value: str, _at: Place, _: Reader) -> Node:
    return Labelled(label_of(value))


def _message_id(value: str, _at: Place, _: Reader) -> Node:
    return Mark(header_id_lexeme(value))


def _span(value: str, at: Place, reader: Reader) -> Span:
    span = read_span(value, reader.now, reader.zone)
    if span is None:
        refuse(
            "A date is written as 2026-01-31, 2026-01, 2026, today, yesterday, monday or 7d.", at
        )
    return span


def _after(value: str, at: Place, reader: Reader) -> Node:
    return Received(_span(value, at, reader).begin)


def _before(value: str, at: Place, reader: Reader) -> Node:
    return Not(Received(_span(value, at, reader).begin))


def _on(value: str, at: Place, reader: Reader) -> Node:
    span = _span(value, at, reader)
    return And((Received(span.begin), Not(Received(span.end))))


def _age(value: str, at: Place, reader: Reader) -> datetime:
    span = span_of_age(value, reader.now)
    if span is None:
        refuse("An age is written as 12h, 3d, 2w, 6m or 1y.", at)
    return span.begin


def _newer_than(value: str, at: Place, reader: Reader) -> Node:
    return Received(_age(value, at, reader))


def _older_than(value: str, at: Place, reader: Reader) -> Node:
    return Not(Received(_age(value, at, reader)))


def _size(value: str, at: Place) -> int:
    found = _SIZE.fullmatch(value.casefold())
    if found is None:
        refuse("A size is written as 500k, 1.5M, 2G or in bytes.", at)
    return int(Decimal(found[1]) * _SIZE_BYTES[found[2][:1]])


def _larger(value: str, at: Place, _: Reader) -> Node:
    return Larger(_size(value, at))


def _smaller(value: str, at: Place, _: Reader) -> Node:
    return Not(Larger(_size(value, at) - 1))


_Operator: TypeAlias = Callable[[str, Place, Reader], Node]

_CONDITIONS: dict[str, _Operator] = {
    "is": _one_of("is", _IS),
    "has": _one_of("has", _HAS),
    "in": _in,
    "label": _label,
    "account": _account,
    "thread": _thread,
    "after": _after,
    "since": _after,
    "before": _before,
    "on": _on,
    "newer_than": _newer_than,
    "newer": _after,
    "older_than": _older_than,
    "older": _before,
    "larger": _larger,
    "size": _larger,
    "smaller": _smaller,
    "rfc822msgid": _message_id,
}
OPERATORS = frozenset({*TEXT_OPERATORS, *_CONDITIONS}) - {""}
