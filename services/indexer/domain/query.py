"""The language people search in, read to a tree; what cannot be read says where and why.

    query   = either
    either  = all *( "OR" all )
    all     = 1*( term / "AND" )
    term    = ( "-" / "NOT" ) term / [ operator ":" ] ( word / phrase / "(" either ")" )
    word    = characters without space, quote or parenthesis, with "*" at the end for a beginning
    phrase  = DQUOTE characters DQUOTE

Words without a letter or digit ask for nothing and are passed over, as in a pasted line.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from services.indexer.domain.document import HAS_ATTACHMENT, Field, header_id_lexeme
from services.indexer.domain.tokenise import is_open, read
from services.indexer.domain.tree import (
    And,
    Keyword,
    Larger,
    Mark,
    Node,
    Not,
    Or,
    Received,
    Word,
    Words,
)

MAX_CHARACTERS = 1_000
_MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""
      (?P<open>\()
    | (?P<close>\))
    | (?P<phrase>["“”„](?P<inside>[^"“”„]*)(?P<end>["“”„])?)
    | (?P<minus>-+(?=[^\s\-]))
    | (?P<word>[^\s()"“”„]+)
    """,
    re.VERBOSE,
)
_OPERATOR = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_-]*):(?P<value>.*)", re.DOTALL)
_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")
_AGE = re.compile(r"(\d{1,5})([dwmy])")
_AGE_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_SIZE = re.compile(r"(\d{1,12})(|k|kb|m|mb|g|gb)")
_SIZE_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}

_FIELDS = {field.value: field for field in Field}
_IS: dict[str, Node] = {
    "unread": Not(Keyword("\\seen")),
    "read": Keyword("\\seen"),
    "starred": Keyword("\\flagged"),
    "answered": Keyword("\\answered"),
}
_HAS: dict[str, Node] = {"attachment": Mark(HAS_ATTACHMENT)}


class QueryInvalid(Exception):
    """A query that cannot be read: why, and where in its text (characters from 0)."""

    def __init__(self, detail: str, position: int) -> None:
        super().__init__(detail)
        self.detail = detail
        self.position = position


def parse(text: str, now: datetime) -> Node:
    """What a query asks for; raises QueryInvalid."""
    if len(text) > MAX_CHARACTERS:
        _refuse(f"A query has at most {MAX_CHARACTERS} characters.", MAX_CHARACTERS)
    return _Parser(text.replace("\0", " "), now).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int
    closed: bool = True  # of a phrase


def _refuse(detail: str, position: int) -> NoReturn:
    raise QueryInvalid(detail, position)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    for found in _TOKEN.finditer(text):
        if found["phrase"] is not None:
            closed = found["end"] is not None
            tokens.append(_Token("phrase", found["inside"], found.start(), closed))
        else:
            tokens.append(_Token(found.lastgroup or "word", found[0], found.start()))
    return tokens


class _Parser:
    """Recursive descent over the tokens. A node is None where nothing was asked for."""

    def __init__(self, text: str, now: datetime) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._end = len(text)
        self._now = now
        self._depth = 0

    def whole(self) -> Node:
        if not self._tokens:
            _refuse("There is nothing to search for.", 0)
        node = self._either(None)
        if self._next < len(self._tokens):  # only ")" ends an `either` early
            _refuse("This parenthesis was not opened.", self._tokens[self._next].position)
        if node is None:
            _refuse("There is no word to search for.", self._tokens[0].position)
        return node

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _either(self, field: Field | None) -> Node | None:
        sides = [self._all(field)]
        while (token := self._peek()) and token.kind == "word" and token.text == "OR":
            self._take()
            sides.append(self._all(field))
        return _joined(Or, [side for side in sides if side is not None])

    def _all(self, field: Field | None) -> Node | None:
        terms: list[Node] = []
        seen = False
        while (token := self._peek()) and token.kind != "close":
            if token.kind == "word" and token.text == "OR":
                break
            seen = True
            if token.kind == "word" and token.text == "AND":
                self._take()
                continue
            term = self._term(field)
            if term is not None:
                terms.append(term)
        if not seen:
            self._nothing_here()
        return _joined(And, terms)

    def _nothing_here(self) -> NoReturn:
        before = self._tokens[self._next - 1] if self._next else None
        after = self._peek()
        for token in (after, before):
            if token is not None and token.kind == "word":
                _refuse("OR needs something to search for on both sides.", token.position)
        if after is not None and before is not None:
            _refuse("There is nothing between these parentheses.", before.position)
        if after is not None:
            _refuse("This parenthesis was not opened.", after.position)
        _refuse("This parenthesis is not closed.", before.position if before else 0)

    def _term(self, field: Field | None) -> Node | None:
        token = self._take()
        match token.kind:
            case "minus":
                return self._negated(field, token, times=len(token.text))
            case "open":
                return self._group(field, token)
            case "phrase":
                return self._phrase(field, token)
            case _ if token.text == "NOT" and self._starts_term(self._peek()):
                return self._negated(field, token, times=1)
            case _:
                return self._word(field, token)

    def _starts_term(self, token: _Token | None) -> bool:
        if token is None or token.kind == "close":
            return False
        return token.kind != "word" or token.text not in ("OR", "AND")

    def _negated(self, field: Field | None, token: _Token, times: int) -> Node | None:
        if not self._starts_term(self._peek()):
            return None
        node = self._deeper(lambda: self._term(field), token)
        return Not(node) if node is not None and times % 2 else node

    def _group(self, field: Field | None, opened: _Token) -> Node | None:
        node = self._deeper(lambda: self._either(field), opened)
        if self._peek() is None:
            _refuse("This parenthesis is not closed.", opened.position)
        self._take()
        return node

    def _deeper(self, inner: Callable[[], Node | None], token: _Token) -> Node | None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            _refuse("This is nested too deeply.", token.position)
        node = inner()
        self._depth -= 1
        return node

    def _phrase(self, field: Field | None, token: _Token) -> Node | None:
        if not token.closed:
            _refuse("This quote is not closed.", token.position)
        return _words(token.text, field)

    def _word(self, field: Field | None, token: _Token) -> Node | None:
        found = _OPERATOR.fullmatch(token.text)
        if found is None:
            return _words(token.text, field)
        name, value = found["name"].casefold(), found["value"]
        if name not in _FIELDS and name not in _CONDITIONS and name != "rfc822msgid":
            # "Re: lunch" and "https://…" are text; "form:bob" is a slip of the pen.
            if not value or value.startswith("//"):
                return _words(token.text, field)
            _refuse(
                f"There is no operator “{found['name'][:40]}:”. Text with a colon goes in quotes.",
                token.position,
            )
        if field is not None:
            _refuse(f"“{name}:” cannot stand inside “{field.value}:( )”.", token.position)
        if name in _FIELDS:
            return self._in_field(_FIELDS[name], token, value)
        at, value = self._value(token, value)
        if name == "rfc822msgid":
            return Mark(header_id_lexeme(value))
        return _CONDITIONS[name](value.casefold(), at, self._now)

    def _in_field(self, field: Field, token: _Token, value: str) -> Node | None:
        if value:
            return _words(value, field)
        follows = self._peek()
        if follows is not None and follows.kind == "open":
            return self._group(field, self._take())
        _, value = self._value(token, value)
        return _words(value, field)

    def _value(self, token: _Token, value: str) -> tuple[int, str]:
        """What an operator is given: joined to it, or the word or phrase that follows."""
        if value:
            return token.position + len(token.text) - len(value), value
        follows = self._peek()
        if follows is None or follows.kind not in ("word", "phrase"):
            _refuse(f"“{token.text}” needs a value.", token.position)
        self._take()
        if not follows.closed:
            _refuse("This quote is not closed.", follows.position)
        return follows.position, follows.text


def _joined(kind: type[And] | type[Or], nodes: list[Node]) -> Node | None:
    if len(nodes) < 2:
        return nodes[0] if nodes else None
    return kind(tuple(nodes))


def _words(text: str, field: Field | None) -> Node | None:
    """The words of a term: next to each other, as they stand in the text."""
    reading = read(text)
    if not reading.words:
        return None
    begins = text.endswith("*")
    if len(reading.addresses) == 1 and not begins:
        start, address = reading.addresses[0]
        if start == 0 and reading.words == read(address).words:
            return Words((Word(address),), field)
    # The last character of an unspaced run begins a pair in documents where more follows.
    words = [Word(word, is_prefix=is_open(word)) for word in reading.words]
    if len(words) > 1 and words[-1].is_prefix and words[-2].text[1:] == words[-1].text:
        words.pop()  # the pair before it holds it already
    if begins:
        words[-1] = replace(words[-1], is_prefix=True)
    return Words(tuple(words), field)


def _one_of(operator: str, choices: dict[str, Node]) -> Callable[[str, int, datetime], Node]:
    def choose(value: str, at: int, _: datetime) -> Node:
        if value not in choices:
            _refuse(f"“{operator}:” knows {', '.join(choices)}.", at)
        return choices[value]

    return choose


def _date(value: str, at: int) -> datetime:
    found = _DATE.fullmatch(value)
    try:
        year, month, day = (int(part) for part in found.groups()) if found else (0, 0, 0)
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        _refuse("A date is written as 2026-01-31.", at)


def _since(value: str, at: int, _: datetime) -> Node:
    return Received(_date(value, at))


def _before(value: str, at: int, _: datetime) -> Node:
    return Not(Received(_date(value, at)))


def _age(value: str, at: int, now: datetime) -> datetime:
    found = _AGE.fullmatch(value)
    if found is None:
        _refuse("An age is written as 3d, 2w, 6m or 1y.", at)
    try:
        return now - timedelta(days=int(found[1]) * _AGE_DAYS[found[2]])
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _newer_than(value: str, at: int, now: datetime) -> Node:
    return Received(_age(value, at, now))


def _older_than(value: str, at: int, now: datetime) -> Node:
    return Not(Received(_age(value, at, now)))


def _size(value: str, at: int) -> int:
    found = _SIZE.fullmatch(value)
    if found is None:
        _refuse("A size is written as 500k, 10m or in bytes.", at)
    return int(found[1]) * _SIZE_BYTES[found[2][:1]]


def _larger(value: str, at: int, _: datetime) -> Node:
    return Larger(_size(value, at))


def _smaller(value: str, at: int, _: datetime) -> Node:
    return Not(Larger(_size(value, at) - 1))


_CONDITIONS: dict[str, Callable[[str, int, datetime], Node]] = {
    "is": _one_of("is", _IS),
    "has": _one_of("has", _HAS),
    "after": _since,
    "before": _before,
    "newer_than": _newer_than,
    "older_than": _older_than,
    "larger": _larger,
    "smaller": _smaller,
}
