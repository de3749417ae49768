"""What a style attribute may say: how a text looks and how it is laid out, and nothing else.

A declaration stays when its property is known here and its value is made of words, numbers,
colours and quoted font names. There is no way to write `url()`, `expression()`, an escape or a
comment in such a value, so nothing in it can fetch, run, or mean something else to a browser.
"""

import re

_LONGEST = 10_000
_SIDES = ("", "-top", "-right", "-bottom", "-left")
_PROPERTIES = frozenset(
    [
        *(f"margin{side}" for side in _SIDES),
        *(f"padding{side}" for side in _SIDES),
        *(f"border{side}" for side in _SIDES),
        *(f"border{side}-{what}" for side in _SIDES for what in ("color", "style", "width")),
        *("border-collapse", "border-spacing", "border-radius", "box-shadow", "box-sizing"),
        *("background", "background-color", "color", "color-scheme", "opacity", "visibility"),
        *("display", "float", "clear", "overflow", "table-layout", "vertical-align"),
        *("width", "min-width", "max-width", "height", "min-height", "max-height"),
        *("font", "font-family", "font-size", "font-style", "font-variant", "font-weight"),
        *("line-height", "letter-spacing", "word-spacing", "text-align", "text-decoration"),
        *("text-indent", "text-shadow", "text-transform", "direction", "white-space"),
        *("word-break", "word-wrap", "overflow-wrap", "list-style", "list-style-type"),
    ]
)
_WORD = r"""(?:(?:rgb|hsl)a?\([\d\s.,%/]*\)|"[\w .,'-]*"|'[\w .,"-]*'|[#+]?[\w.%-]+)"""
_VALUE = re.compile(rf"{_WORD}(?:[\s,/]+{_WORD})*(?:\s*!\s*important)?", re.ASCII | re.IGNORECASE)


def harmless(style: str) -> str | None:
    """Those declarations of a style attribute that only say how something looks."""
    if len(style) > _LONGEST:
        return None
    kept: list[str] = []
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if name in _PROPERTIES and _VALUE.fullmatch(value):
            kept.append(f"{name}: {value}")
    return "; ".join(kept) or None
