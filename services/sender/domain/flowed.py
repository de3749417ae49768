"""Paragraphs wrapped so that readers can undo it (RFC 3676)."""

import re

_LINE = 76  # with the blank that says that the line goes on
_SIGNATURE = "-- "
_QUOTES = re.compile(r"(?:> ?)*")
_PLACES = re.compile(r"[^ ]* +|[^ ]+")


def needs_flowing(text: str) -> bool:
    """Whether any line is longer than is read well as it is (RFC 5322 §2.1.1)."""
    return any(len(line) > 78 for line in text.split("\n"))


def flowed(text: str) -> str:
    """The text with no line longer than 78, as far as its words allow.

    Blanks at the end of a line would join it to the next, so they go; the line before a signature
    keeps its own (§4.3).
    """
    return "\n".join(part for line in text.split("\n") for part in _wrapped(line))


def _wrapped(line: str) -> list[str]:
    if line == _SIGNATURE:
        return [line]
    line = line.rstrip(" ")
    if line.startswith(">"):
        # Quoting is known by its marks; a reader that joins lines joins those of one depth.
        marks = _QUOTES.match(line)
        assert marks is not None
        prefix = marks[0].replace(" ", "")
        rest = line[marks.end() :]
        return [f"{prefix} {part}" if part else prefix for part in _lines(rest, len(prefix) + 1)]
    return [_stuffed(part) for part in _lines(line, 1)]


def _lines(text: str, taken: int) -> list[str]:
    """The text in lines that each end in a blank, but the last."""
    room = max(_LINE - taken, 20)
    if len(text) <= room:
        return [text]
    lines = [""]
    for place in _PLACES.findall(text):
        begun = lines[-1].strip(" ") and lines[-1] != _SIGNATURE
        if begun and len(lines[-1]) + len(place.rstrip(" ")) > room:
            lines.append(place)
        else:
            lines[-1] += place
    return lines


def _stuffed(line: str) -> str:
    """§4.4: what begins like a quotation, like blanks or like mbox's separator gets a blank."""
    return f" {line}" if line.startswith((" ", ">", "From ")) else line
