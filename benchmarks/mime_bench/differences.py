"""Why we read something in another way than others do, and who is right.

A kind of difference that comes again and again is told by what makes it: the others' answer is
made from the message in their way, and has to be what they said. What is particular to one message
is named in `differences.toml`. A difference that is neither is not explained.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from benchmarks.mime_bench.agreement import Row, hashed, sha256, words
from services.sync.domain.mime.charset import codec_for
from services.sync.domain.mime.structure import Part, read_structure

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_LEAP_DAY = timedelta(days=1, seconds=1)
_NAMED = Path(__file__).with_name("differences.toml")
_MEDIA_TYPE = {"text_ws_sha256": "text/plain", "html_ws_sha256": "text/html"}


@dataclass(frozen=True)
class Difference:
    """A way in which readings differ."""

    title: str
    right: str  # "ours", "theirs", or "nobody" where both may be defended
    why: str


def explanation_of(row: Row) -> Difference | None:
    """Why this row differs; None when nobody knows."""
    for difference, made_so in _MADE_SO:
        if made_so(row):
            return difference
    return _named().get(row.name)


@cache
def _named() -> dict[str, Difference]:
    return {
        name: Difference(entry["title"], entry["right"], entry["why"])
        for entry in tomllib.loads(_NAMED.read_text("utf-8"))["difference"]
        for name in entry["rows"]
    }


def stale(compared: list[Row]) -> list[str]:
    """Differences that are named though there is none any more."""
    same = {row.name for row in compared if row.same}
    return sorted(same & _named().keys())


# --- How the others read ------------------------------------------------------------------------


def _is_text(row: Row, read: Callable[[Part], str]) -> bool:
    """Whether their text, or HTML, is what comes of reading all such parts in this way."""
    wanted = _MEDIA_TYPE.get(row.field)
    if wanted is None:
        return False
    texts = [read(part) for part in row.leaves if part.media_type == wanted]
    return hashed("\n".join(texts)) == row.theirs


def _latin_1(row: Row) -> bool:
    return _is_text(row, lambda part: part.content.decode("latin-1"))


def _ascii(row: Row) -> bool:
    return _is_text(
        row,
        lambda part: part.content.decode(
            codec_for(part.type.token("charset")) or "ascii", "replace"
        ),
    )


def _names_ignored(row: Row) -> bool:
    if row.field == "attachment_sha256":
        assert isinstance(row.ours, list)
        texts = {sha256(part.content) for part in row.leaves if part.media_type == "text/plain"}
        return row.theirs == [each for each in row.ours if each not in texts]
    files = (part for part in row.leaves[1:] if part.media_type == "text/plain" and part.file_name)
    return any(files) and _ascii(row)


def _marks_left_in(row: Row) -> bool:
    return any(part.type.token("format") == "flowed" for part in row.leaves) and (
        _is_text(row, lambda part: part.content.decode("latin-1").replace(" \n", ""))
        or _is_text(row, lambda part: part.content.decode("latin-1"))
    )


def _undeclared(row: Row) -> bool:
    if row.field != "subject" or "\ufffd" not in str(row.theirs):
        return False
    raw = read_structure(row.raw).root.raw_field("subject")
    return not raw.isascii() and _known(words(raw.decode("utf-8", "replace"))) == _known(
        str(row.theirs)
    )


def _known(text: str) -> str:
    """Without what could not be read: parsers do not agree how many signs stand for it."""
    return re.sub("\ufffd+", "\ufffd", text)


def _first_century(row: Row) -> bool:
    if not (row.field == "date" and isinstance(row.theirs, int) and isinstance(row.ours, int)):
        return False
    theirs = _EPOCH + timedelta(seconds=row.theirs)
    ours = _EPOCH + timedelta(seconds=row.ours)
    return theirs.year < 200 and abs(ours - theirs.replace(year=theirs.year + 1900)) < _A_LEAP_DAY


_MADE_SO: list[tuple[Difference, Callable[[Row], bool]]] = [
    (
        Difference(
            "A text file within the message",
            "ours",
            "A `text/plain` part with a file name that is not the first one is a file to RFC 8621 "
            "§4.1.4: it is offered for download, and is not taken for what the person wrote.",
        ),
        _names_ignored,
    ),
    (
        Difference(
            "`iso-8859-1` with bytes from 0x80 to 0x9F",
            "ours",
            "Read by the letter these bytes are control characters, which nobody wrote. Programs "
            "that label so mean windows-1252, and so does the WHATWG Encoding Standard: they are "
            "quotation marks, dashes and the euro sign.",
        ),
        _latin_1,
    ),
    (
        Difference(
            "8-bit text without a charset",
            "ours",
            "The others put U+FFFD for every byte above 0x7F. We ask the bytes themselves: UTF-8 "
            "when they are UTF-8, windows-1252 otherwise, so that words stay words.",
        ),
        _ascii,
    ),
    (
        Difference(
            "`format=flowed`",
            "ours",
            "Flowed lines are joined (RFC 3676) within one depth of quotation; the others leave "
            "them as they are, or join them with the quotation marks still in them.",
        ),
        _marks_left_in,
    ),
    (
        Difference(
            "8-bit subject without an encoded word",
            "ours",
            "The others put U+FFFD for what is not UTF-8. We take the charset that the message "
            "names for its body, else windows-1252. Where the message names none this is a guess, "
            "and may show wrong letters; theirs shows none.",
        ),
        _undeclared,
    ),
    (
        Difference(
            "The year 102",
            "ours",
            "Programs that count years from 1900 wrote 2002 as 102 or 0102. RFC 5322 §4.3 adds "
            "1900 to a year of three digits; the others take it for one of the first century.",
        ),
        _first_century,
    ),
]
