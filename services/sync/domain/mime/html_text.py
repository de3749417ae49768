"""HTML as text: what a person would read aloud, a line for each block.

A scanner, not a parser: the parsers at hand take minutes for a page of nested elements made to
hurt them (400,000 times `<div>`: lexbor 470 s), and for text alone no tree is needed. Every step
looks at each character a bounded number of times.
"""

from __future__ import annotations

import re
from html import unescape

from services.sync.domain.mime.charset import clean

#: Of more HTML the rest is not read: nobody does.
MAX_HTML = 4_000_000

_BREAK = "\x1e"  # a line end, once all other control characters are gone
_CONTROLS = [chr(code) for code in (*range(0x09), *range(0x0E, 0x1C))]  # the others are blanks
_HIDDEN = re.compile(r"<!--|<(script|style|title|textarea|xmp|iframe|noframes)\b", re.IGNORECASE)
#: A tag without angle brackets in its attributes: a try ends at the next bracket at the latest.
_TAG = re.compile(
    r"<(?:/?([a-zA-Z][a-zA-Z0-9]*)|[!?])"
    r"[^<>\"']*+(?:(?:\"[^\"<>]*+\"|'[^'<>]*+')[^<>\"']*+)*>"
)
_REST = re.compile(r"<(?:/?([a-zA-Z][a-zA-Z0-9]*)|[!?])")
_ATTRIBUTES = re.compile(r"[^>\"']*+(?:(?:\"[^\"]*+\"|'[^']*+')[^>\"']*+)*>")
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "center", "dd", "details", "div"}
    | {"dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4"}
    | {"h5", "h6", "header", "hr", "legend", "li", "main", "nav", "ol", "option", "p", "pre"}
    | {"section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
_CELLS = frozenset({"td", "th"})
#: What stands in the place of a tag, by its name; None is a comment or the like.
_IN_PLACE_OF: dict[str | None, str] = {
    **dict.fromkeys(_BLOCKS, _BREAK),
    **dict.fromkeys(_CELLS, " "),
}
_HUGE_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}")


def text_of_html(html: str) -> str:
    """The text of a page, whatever was written there as HTML."""
    html = html[:MAX_HTML]
    for control in _CONTROLS:
        if control in html:
            html = html.replace(control, " ")
    html = _without_hidden(" ".join(html.split()))
    words, *rest = _TAG.split(html)
    said = [words]
    for name, words in zip(rest[::2], rest[1::2], strict=True):
        said.append(_in_place_of(name))
        said.append(words)
    text = "".join(said)
    if "<" in text:
        text = _without_odd_tags(text)
    if "&" in text:
        text = unescape(_HUGE_NUMBER.sub("\ufffd", text))
    text = text.replace("\u00a0", " ")
    while "  " in text:  # halves the longest run of them
        text = text.replace("  ", " ")
    lines = [line.strip(" ") for line in text.split(_BREAK)]
    return clean("\n".join([line for line in lines if line]).strip())


def _in_place_of(name: str | None) -> str:
    return _IN_PLACE_OF.get(name and name.lower(), "")


def _without_hidden(html: str) -> str:
    """Without comments, scripts, styles and the like; one that does not end hides the rest."""
    shown: list[str] = []
    at = 0
    lower = html.lower()
    if len(lower) != len(html):  # a few letters change their length; places must not move
        lower = html
    while found := _HIDDEN.search(html, at):
        shown.append(html[at : found.start()])
        closing = f"</{found[1].lower()}" if found[1] else "-->"
        end = lower.find(closing, found.start() + (2 if not found[1] else 0))
        if end < 0:
            return "".join(shown)
        at = end + len(closing) if not found[1] else end
    shown.append(html[at:])
    return "".join(shown)


def _without_odd_tags(text: str) -> str:
    """Without tags whose attributes hold angle brackets or whose quotes do not close."""
    out: list[str] = []
    at = 0
    budget = 4 * len(text)  # for looking at quotes; after that a tag ends at the next bracket
    while found := _REST.search(text, at):
        out.append(text[at : found.start()])
        attributes = None
        if budget > 0:
            attributes = _ATTRIBUTES.match(text, found.end())
            budget -= (attributes.end() if attributes else len(text)) - found.end()
        end = attributes.end() if attributes else text.find(">", found.end()) + 1
        if end == 0:
            at = found.start()
            break
        out.append(_in_place_of(found[1]))
        at = end
    out.append(text[at:])
    return "".join(out)
