"""A line of a found message that shows why it was found. Plain text."""

import re
from functools import lru_cache
from itertools import accumulate

from services.indexer.domain.tokenise import fold
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
        choices.add(("" if inside else r"(?<![^\W_])") + re.escape(word.text) + end)
    return re.compile("|".join(sorted(choices, key=len, reverse=True))) if choices else None


def snippet(text: str, pattern: re.Pattern[str] | None, preview: str) -> str:
    """The text around the first word found, else the message's preview."""
    at = _first(text, pattern) if pattern else None
    if at is None:
        return _line(preview[: CHARACTERS * 2])[:CHARACTERS]
    start = max(0, at - _BEFORE)
    if start:
        # Begin with a whole word, where one begins in time.
        space = re.compile(r"\s").search(text, start, at)
        start = space.end() if space else start
    line = _line(text[start : start + CHARACTERS * 4])
    before = "… " if start else ""
    room = CHARACTERS - len(before) - 2
    return before + (line if len(line) <= room else line[:room].rstrip() + " …")


def _first(text: str, pattern: re.Pattern[str]) -> int | None:
    if text.isascii():
        found = pattern.search(text.lower())
        return found.start() if found else None
    # Folding changes lengths; character by character, each place leads back to the text.
    folded = [_fold_character(character) for character in text]
    found = pattern.search("".join(folded))
    if found is None:
        return None
    ends = accumulate(len(part) for part in folded)
    return next(index for index, end in enumerate(ends) if end > found.start())


@lru_cache(maxsize=65_536)
def _fold_character(character: str) -> str:
    return fold(character)


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
