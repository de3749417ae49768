"""HTML as text: what a person would read aloud, a line for each block."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser

from services.sync.domain.mime.charset import clean

#: Of more HTML the rest is not read: nobody does.
MAX_HTML = 2_000_000

#: Marks where a block begins or ends while the parser decides what is text and what is not. It
#: cannot come from the message, which has lost its control characters before.
_BREAK = "\x1e"
_SPACE = re.compile(r"[\s\x00-\x1f]+")
_BLOCK = re.compile(
    r"<(?=/?(?:address|article|aside|blockquote|br|center|dd|div|dl|dt|fieldset|figcaption|figure|footer"
    r"|form|h[1-6]|header|hr|li|main|nav|ol|option|p|pre|section|table|tbody|tr|ul)\b)",
    re.IGNORECASE,
)
_CELL = re.compile(r"<(?=t[dh]\b)", re.IGNORECASE)
_LINES = re.compile(f"[ \u00a0]*{_BREAK}[ \u00a0{_BREAK}]*")
_NO_TEXT = ["script", "style", "head", "template", "noscript", "title", "textarea", "select"]


def text_of_html(html: str) -> str:
    """The text of a page, whatever was written there as HTML."""
    html = _SPACE.sub(" ", html[:MAX_HTML])
    html = _CELL.sub(" <", _BLOCK.sub(_BREAK + "<", html))
    tree = LexborHTMLParser(html)
    tree.strip_tags(_NO_TEXT)
    root = tree.body or tree.root
    text = root.text(deep=True, separator="", strip=False) if root is not None else ""
    text = _SPACES.sub(" ", _LINES.sub("\n", text))
    return clean(text.strip())


_SPACES = re.compile(r"[ \u00a0]{2,}|\u00a0")
