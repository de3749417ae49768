"""Text as the words that can be found. Documents and queries are read by these same rules.

Letters are compared without case, accents and compatibility forms. Scripts that write without
spaces are cut into pairs of characters, so that any part of a sentence can be found. An address
is one word as a whole and several by its parts; so is a hyphenated word, whose whole is written
without hyphens: `e-mail` is found as `e-mail`, `e mail` and `email`.

Whoever changes these rules raises WORDS_VERSION: then every message is read again, from what is
kept of it (docs/decisions/0029-words-are-read-again-in-place.md).
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import add

WORDS_VERSION = 2
WORD_BYTES = 200  # a longer word is found by its beginning; a lexeme over 2,046 bytes is an error


def _ranges(codes: list[int]) -> str:
    """These characters as the inside of a regular expression's class."""
    spans: list[list[int]] = []
    for code in codes:
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)


# Signs that belong to a word though `\w` does not know them: vowels of Devanagari, Thai, …
_MARKS = _ranges([code for code in range(0x20000) if unicodedata.category(chr(code))[0] == "M"])

# Accents over Latin, Greek and Cyrillic, points of Hebrew and Arabic; and what is only there for
# the look of a line: soft hyphen, joiners, marks of direction, tatweel.
_SILENT = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u0640\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
    "\u00ad\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)

# Letters that carry their stroke or ligature inside, so that taking accents off leaves them.
_PLAIN = {
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "æ": "ae",
    "œ": "oe",
    "ı": "i",
    "ħ": "h",
    "\u2010": "-",
}

# Written without spaces between words: Thai, Lao, Myanmar, Khmer, Han, Kana, Bopomofo, Hangul.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u318f\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_SCRIPTS = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")

# A run is words held together by single joiners, as in an address. The classes are disjoint, so
# that reading is linear whatever a stranger writes.
_RUN = re.compile(rf"[\w{_MARKS}]+(?:[.+\-@][\w{_MARKS}]+)*")
_WORD = re.compile(rf"[\w{_MARKS}]+")  # where no `_` is left
_MARKLESS_WORD = re.compile(r"[^\W_]+")


_ASCII_RUN = re.compile(r"\w+(?:[.+\-@]\w+)*", re.ASCII)
# Each ASCII character as it is compared; what belongs to no word is a space.
_ASCII_WORDS = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))
_REMEMBERED_CHARACTERS = 64
_MOST_PARTS = 4  # of a hyphenated word


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as its words in order, and where among them stand what several of them make up."""

    words: list[str]
    wholes: list[tuple[int, str]]  # index of the first word; the whole address or hyphenated word


def fold(text: str) -> str:
    """The text as it is compared: NFKC, without case and accents."""
    if text.isascii():
        return text.lower()
    if _ALPHABETIC.fullmatch(text):
        # Few of them are in one text: to replace each everywhere takes a fraction of `translate`.
        for letter in _CHANGED.keys() & set(text):
            text = text.replace(letter, _CHANGED[letter])
        return text.lower()
    return _fold(text)


def _fold(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    small = apart.casefold()
    if small != apart:
        small = unicodedata.normalize("NFKD", small)
    plain = _SILENT.sub("", small)
    for letter in _PLAIN.keys() & set(plain):
        plain = plain.replace(letter, _PLAIN[letter])
    return unicodedata.normalize("NFKC", plain)


# The letters of Latin, Greek and Cyrillic fold one by one: no two of them become one. So do the
# dashes and quotation marks between them, and signs of money. No mark is left of them.
_EASY = [
    code
    for code in (*range(0x530), *range(0x2000, 0x2070), *range(0x20A0, 0x20C0), 0x2122)
    if code not in {0x488, 0x489}
]
_ALPHABETIC = re.compile(f"[{_ranges(_EASY)}]*")
_FOLDED = {code: _fold(chr(code)) for code in _EASY}
_CHANGED = {chr(code): to for code, to in _FOLDED.items() if code > 0x7F and chr(code) != to}


# Of these letters some become two, or none: `ß`.
_UNEVEN = re.compile(f"[{_ranges([code for code in _FOLDED if len(_FOLDED[code]) != 1])}]")


def fold_evenly(text: str) -> str | None:
    """The same as `fold` where each character stays one, at its place; None for other texts."""
    if _ALPHABETIC.fullmatch(text) and not _UNEVEN.search(text):
        return text.translate(_FOLDED)
    return None


def read(text: str) -> Reading:
    """The words of a text, in order. No text is refused."""
    if "@" not in text:
        return _read_plain(text)
    words: list[str] = []
    wholes: list[tuple[int, str]] = []
    plain: list[str] = []  # lines not yet read
    for line in text.splitlines():
        if "@" not in line:
            plain.append(line)
            continue
        if plain:
            _append(words, wholes, _read_plain("\n".join(plain)))
            plain.clear()
        # White space ends every word, so that what stands between is read by itself.
        for piece in line.split():
            read_so = _read_piece if len(piece) > _REMEMBERED_CHARACTERS else _known
            _append(words, wholes, read_so(piece))
    if plain:
        _append(words, wholes, _read_plain("\n".join(plain)))
    return Reading(words, wholes)


def has_words(text: str) -> bool:
    """Whether there is anything in a text to be found by."""
    return bool(read(text).words)


def _append(words: list[str], wholes: list[tuple[int, str]], found: Reading) -> None:
    if found.wholes:
        wholes += [(len(words) + index, whole) for index, whole in found.wholes]
    words += found.words


def _read_plain(text: str) -> Reading:
    """The words of a text without an address."""
    folded = text if text.isascii() else fold(text)  # of ASCII the words come folded
    return _hyphenated(folded, _words) if "-" in folded else Reading(_words(folded), [])


def _ascii_words(text: str) -> list[str]:
    words = text.translate(_ASCII_WORDS).split()
    if len(text) > WORD_BYTES and max(map(len, words), default=0) > WORD_BYTES:
        return [word[:WORD_BYTES] for word in words]
    return words


def _hyphenated(text: str, words_of: Callable[[str], list[str]]) -> Reading:
    """Words of a text between whose parts single hyphens stand.

    Cut at every hyphen; what ends and begins there with a letter or digit belongs together.
    """
    words: list[str] = []
    wholes: list[tuple[int, str]] = []
    parts: list[str] = []  # of a hyphenated word that may go on
    for segment in text.split("-"):
        found = words_of(segment)
        if parts:
            goes_on = bool(found) and segment[0].isalnum()
            if goes_on:
                parts.append(found[0])
            if not goes_on or len(found) > 1 or not segment[-1].isalnum():
                # Here `words` ends with all of the parts but one that was just found.
                _join(wholes, len(words) + goes_on - len(parts), parts)
                parts = []
        if not parts and found and segment[-1].isalnum():
            parts = [found[-1]]
        words += found
    if parts:
        _join(wholes, len(words) - len(parts), parts)
    return Reading(words, wholes)


def _join(wholes: list[tuple[int, str]], start: int, parts: list[str]) -> None:
    # More parts, or a longer word, is an id that nobody writes in another way; what is written
    # without spaces is found by any part of it.
    if 1 < len(parts) <= _MOST_PARTS:
        whole = "".join(parts)
        if len(whole) <= _REMEMBERED_CHARACTERS and not _UNSPACED_CHARACTER.search(whole):
            wholes.append((start, whole))


def _read_piece(piece: str) -> Reading:
    folded = fold(piece)
    if "@" not in folded:
        return _read_plain(folded)
    words: list[str] = []
    wholes: list[tuple[int, str]] = []
    runs = _ASCII_RUN if folded.isascii() else _RUN
    for run in runs.findall(folded):
        start = len(words)
        words += _words(run)
        if run.count("@") == 1 and len(words) > start:
            wholes.append((start, cut(run)))
    return Reading(words, wholes)


def _words(folded: str) -> list[str]:
    if folded.isascii():
        return _ascii_words(folded)
    if _ALPHABETIC.fullmatch(folded):
        words = _MARKLESS_WORD.findall(folded)
    else:
        words = _WORD.findall(folded.replace("_", " "))
        if _UNSPACED_CHARACTER.search(folded):
            return [part for word in words for part in _parts(word)]
    if len(folded) * 4 > WORD_BYTES and max(map(len, words), default=0) * 4 > WORD_BYTES:
        return [cut(word) for word in words]
    return words


# Mail says the same words over and over; to fold them is most of the work.
_known = lru_cache(maxsize=16_384)(_read_piece)


def is_open(word: str) -> bool:
    """Whether a word of a query is the last character of an unspaced run, of which more may follow.

    In documents each character begins a pair, the last one of a run stands alone: so `東` is found
    as the beginning of `東京` and in `関東`.
    """
    return len(word) == 1 and _UNSPACED_CHARACTER.match(word) is not None


def cut(word: str) -> str:
    """The word as long as it may be, in whole characters."""
    if len(word) * 4 <= WORD_BYTES:
        return word
    return word.encode()[:WORD_BYTES].decode(errors="ignore")


def _parts(word: str) -> list[str]:
    if word.isascii() or not _UNSPACED_CHARACTER.search(word):
        return [cut(word)]
    parts: list[str] = []
    for script in _SCRIPTS.findall(word):
        if _UNSPACED_CHARACTER.match(script):
            parts += map(add, script, script[1:])
            parts.append(script[-1])
        else:
            parts.append(cut(script))
    return parts
