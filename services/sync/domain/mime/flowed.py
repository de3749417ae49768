"""Paragraphs whose lines were wrapped for the journey (RFC 3676), made one line again."""

from __future__ import annotations

_SIGNATURE = "-- "


def unflowed(text: str, *, delete_space: bool) -> str:
    """The text with a line for each paragraph.

    Quoted lines stay as they came: their marks at the beginning of each line are what quoting is
    known by, and many programs quote without counting them as the RFC has it.
    """
    paragraphs: list[str] = []
    open_lines: list[str] = []  # of a paragraph that goes on
    for raw_line in text.split("\n"):
        line = raw_line.removesuffix("\r")
        quoted = line.startswith(">")
        if not quoted:
            line = line.removeprefix(" ")  # space-stuffing, §4.4
        flows = line.endswith(" ") and not quoted and line != _SIGNATURE
        if open_lines and (quoted or line == _SIGNATURE):
            # §4.5: what does not fit together does not belong together, whatever was said.
            paragraphs.append("".join(open_lines).rstrip(" "))
            open_lines = []
        if flows:
            open_lines.append(line[:-1] if delete_space else line)
        else:
            paragraphs.append("".join((*open_lines, line)))
            open_lines = []
    if open_lines:
        paragraphs.append("".join(open_lines))
    return "\n".join(paragraphs)
