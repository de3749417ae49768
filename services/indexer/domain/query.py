"""The language people search in, read to a tree; what cannot be read says where and why.

    query   = either
    either  = all *( "OR" all )
    all     = 1*( term / "AND" )
    term    = ( "-" / "NOT" ) term / [ operator ":" ] ( word / phrase / "(" either ")" )
    word    = characters without space, quote or parenthesis, with "*" at the end for a beginning
    phrase  = DQUOTE characters DQUOTE [ "*" ]

Words without a letter or digit ask for nothing and are passed over, as in a pasted line.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from services.indexer.domain.meaning import OPERATORS, TEXT_OPERATORS
from services.indexer.domain.said import (
    Either,
    Every,
    Opposite,
    Place,
    QueryInvalid,
    Said,
    Term,
    refuse,
)
from services.indexer.domain.tokenise import has_words

MAX_CHARACTERS = 1_000
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""
      (?P<open>\()
    | (?P<close>\))
    | (?P<phrase>["“”„](?P<inside>[^"“”„]*)(?P<end>["“”„])?)(?P<begins>\*?)
    | (?P<minus>-+(?=[^\s\-]))
    | (?P<word>[^\s()"“”„]+)
    """,
    re.VERBOSE,
)
_OPERATOR = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_-]*):(?P<value>.*)", re.DOTALL)

__all__ = ["MAX_CHARACTERS", "QueryInvalid", "parse"]


def parse(text: str) -> Said:
    """What a query says; raises QueryInvalid."""
    if len(text) > MAX_CHARACTERS:
        _refuse(f"A query has at most {MAX_CHARACTERS} characters.", MAX_CHARACTERS)
    return _Parser(text.replace("\0", " ")).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int
    closed: bool = True  # of a phrase


def _refuse(detail: str, position: int) -> NoReturn:
    refuse(detail, Place(position=position))


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    for found in _TOKEN.finditer(text):
        start = found.start()
        if found["phrase"] is not None:
            closed = found["end"] is not None
            inside = found["inside"] + found["begins"]
            tokens.append(_Token("phrase", inside, start, closed))
        else:
            kind = next(kind for kind in ("open", "close", "minus", "word") if found[kind])
            tokens.append(_Token(kind, found[0], start))
    return tokens


class _Parser:
    """Recursive descent over the tokens. A node is None where nothing was asked for."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Said:
        if not self._tokens:
            _refuse("There is nothing to search for.", 0)
        said = self._either("")
        if self._next < len(self._tokens):  # only ")" ends an `either` early
            _refuse("This parenthesis was not opened.", self._tokens[self._next].position)
        if said is None:
            _refuse("There is no word to search for.", self._tokens[0].position)
        return said

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _either(self, operator: str) -> Said | None:
        sides = [self._all(operator)]
        while (token := self._peek()) and token.kind == "word" and token.text == "OR":
            self._take()
            sides.append(self._all(operator))
        return _joined(Either, [side for side in sides if side is not None])

    def _all(self, operator: str) -> Said | None:
        terms: list[Said] = []
        seen = False
        while (token := self._peek()) and token.kind != "close":
            if token.kind == "word" and token.text == "OR":
                break
            seen = True
            if token.kind == "word" and token.text == "AND":
                self._take()
                continue
            term = self._term(operator)
            if term is not None:
                terms.append(term)
        if not seen:
            self._nothing_here()
        return _joined(Every, terms)

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

    def _term(self, operator: str) -> Said | None:
        token = self._take()
        match token.kind:
            case "minus":
                return self._negated(operator, token, times=len(token.text))
            case "open":
                return self._group(operator, token)
            case "phrase":
                return self._phrase(operator, token)
            case _ if token.text == "NOT" and self._starts_term(self._peek()):
                return self._negated(operator, token, times=1)
            case _:
                return self._word(operator, token)

    def _starts_term(self, token: _Token | None) -> bool:
        if token is None or token.kind == "close":
            return False
        return token.kind != "word" or token.text not in ("OR", "AND")

    def _negated(self, operator: str, token: _Token, times: int) -> Said | None:
        if not self._starts_term(self._peek()):
            return None
        said = self._deeper(lambda: self._term(operator), token)
        return Opposite(said) if said is not None and times % 2 else said

    def _group(self, operator: str, opened: _Token) -> Said | None:
        said = self._deeper(lambda: self._either(operator), opened)
        if self._peek() is None:
            _refuse("This parenthesis is not closed.", opened.position)
        self._take()
        return said

    def _deeper(self, inner: Callable[[], Said | None], token: _Token) -> Said | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _refuse("This is nested too deeply.", token.position)
        said = inner()
        self._depth -= 1
        return said

    def _phrase(self, operator: str, token: _Token) -> Said | None:
        if not token.closed:
            _refuse("This quote is not closed.", token.position)
        return _asked(operator, token, token)

    def _word(self, operator: str, token: _Token) -> Said | None:
        found = _OPERATOR.fullmatch(token.text)
        if found is None:
            return _asked(operator, token, token)
        name, value = found["name"].casefold(), found["value"]
        if name not in OPERATORS:
            # "Re: lunch" and "https://…" are text; "form:bob" is a slip of the pen.
            if not value or value.startswith("//"):
                return _asked(operator, token, token)
            _refuse(
                f"There is no operator “{found['name'][:40]}:”. Text with a colon goes in quotes.",
                token.position,
            )
        if operator:
            _refuse(f"“{name}:” cannot stand inside “{operator}:( )”.", token.position)
        if value:
            return _asked(name, token, _behind(token, value))
        follows = self._peek()
        if follows is not None and follows.kind == "open":
            return self._group(name, self._take())
        if follows is None or follows.kind not in ("word", "phrase"):
            _refuse(f"“{token.text}” needs a value.", token.position)
        self._take()
        if not follows.closed:
            _refuse("This quote is not closed.", follows.position)
        return _asked(name, token, follows)


def _behind(token: _Token, value: str) -> _Token:
    """What is joined to an operator."""
    return _Token("word", value, token.position + len(token.text) - len(value))


def _asked(operator: str, token: _Token, value: _Token) -> Term | None:
    if operator in TEXT_OPERATORS and not has_words(value.text):
        return None
    return Term(
        operator=operator,
        value=value.text,
        is_phrase=value.kind == "phrase",
        at=Place(position=token.position),
        value_at=Place(position=value.position),
    )


def _joined(kind: type[Every] | type[Either], said: list[Said]) -> Said | None:
    if len(said) < 2:
        return said[0] if said else None
    return kind(tuple(said))
