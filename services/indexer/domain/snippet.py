"""A line of a found message that shows why it was found. Plain text."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from services.indexer.domain.tokenise import fold, fold_evenly
from services.indexer.domain.tree import And, Node, Not, Or, Word, Words

CHARACTERS = 200
_BEFORE = 60


def words_shown(node: Node) -> list[Word]:
    """The words that a found message may show: those asked for, not those to be absent."""
    match node:
        case Words(words):
            return list(words)
        case And(nodes) | Or(nodes):
            return [word for inner in nodes for word in words_shown(inner)]
        case Not(Not(inner)):
            return words_shown(inner)
        case _:
            return []


def pattern_of(words: list[Word]) -> re.Pattern[str] | None:
    """What finds any of these words in folded text; None where there is nothing to look for."""
    choices: set[str] = set()
    for word in words:
        # A pair of an unspaced script stands in the midst of others.
        inside = not word.text.isascii()
        end = "" if inside or word.is_prefix else r"(?![^\W_])"
        said = re.escape(word.text)
        # What stands before is looked at last: a pattern that begins with letters is found fast.
        choices.add(said + end + ("" if inside else rf"(?<![^\W_]{said})"))
    return re.compile("|".join(sorted(choices, key=len, reverse=True))) if choices else None


@dataclass(frozen=True, slots=True)
class Snippet:
    """A line, and the places in it that match: from and to, in characters."""

    text: str
    marks: tuple[tuple[int, int], ...]


def snippet(text: str, pattern: re.Pattern[str] | None, preview: str) -> Snippet:
    """The text around the first word found, else the message's preview."""
    line = _around(text, pattern) if pattern else None
    if line is None:
        line = _line(preview[: CHARACTERS * 2])[:CHARACTERS]
    return Snippet(line, _marks(line, pattern) if pattern else ())


def _around(text: str, pattern: re.Pattern[str]) -> str | None:
    at = next(_places(text, pattern), None)
    if at is None:
        return None
    start = max(0, at[0] - _BEFORE)
    if start:
        # Begin with a whole word, where one begins in time.
        space = re.compile(r"\s").search(text, start, at[0])
        start = space.end() if space else start
    line = _line(text[start : start + CHARACTERS * 4])
    before = "… " if start else ""
    room = CHARACTERS - len(before) - 2
    return before + (line if len(line) <= room else line[:room].rstrip() + " …")


def _marks(line: str, pattern: re.Pattern[str]) -> tuple[tuple[int, int], ...]:
    """What matches; what touches, as pairs of an unspaced script do, is one."""
    marks: list[tuple[int, int]] = []
    for start, end in _places(line, pattern):
        if marks and start <= marks[-1][1]:
            marks[-1] = (marks[-1][0], max(end, marks[-1][1]))
        else:
            marks.append((start, end))
    return tuple(marks)


def _places(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where in a text the pattern is found, from and to."""
    if text.isascii():
        for found in _overlapping(text.lower(), pattern):
            yield found.span()
        return
    even = fold_evenly(text)
    if even is not None:
        for found in _overlapping(even, pattern):
            yield found.span()
        return
    # Folding changes lengths; character by character, each place leads back to the text.
    folded = [_fold_character(character) for character in text]
    ends = list(accumulate(len(part) for part in folded))
    for found in _overlapping("".join(folded), pattern):
        start, end = found.span()
        yield bisect_right(ends, start), bisect_left(ends, end) + 1


def _overlapping(folded: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """As pairs of an unspaced script do: `東京都` is `東京` and `京都`."""
    found = pattern.search(folded)
    while found is not None:
        yield found
        found = pattern.search(folded, found.start() + 1)


@lru_cache(maxsize=65_536)
def _fold_character(character: str) -> str:
    return fold(character)


def _line(text: str) -> str:
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
