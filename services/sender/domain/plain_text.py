"""The words of an HTML body, for those who read plain text."""

import re
from html.parser import HTMLParser

_BLOCKS = {
    *("address", "article", "aside", "blockquote", "div", "dl", "dd", "dt", "fieldset", "footer"),
    *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre"),
    *("section", "table", "tbody", "tfoot", "thead", "tr", "ul"),
}
_UNSEEN = {"head", "script", "style", "template", "title"}


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._unseen = 0
        self._preformatted = 0
        self._link: str | None = None
        self._link_text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "body":
            self._unseen = 0  # many a head is never closed; a body ends it (HTML §13.2.6.4.4)
        elif tag == "br":
            self.out.append("\n")
        elif tag == "li":
            self.out.append("\n- ")
        elif tag in _BLOCKS:
            self.out.append("\n\n" if tag == "p" else "\n")
        elif tag in ("td", "th"):
            self.out.append(" ")
        elif tag == "img":
            self.handle_data(dict(attrs).get("alt") or "")
        elif tag == "a":
            self._link, self._link_text = dict(attrs).get("href"), ""
        self._preformatted += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.out.append("\n\n" if tag == "p" else "\n")
        elif tag == "a":
            link, self._link = self._link, None
            if link and re.match(r"https?:", link) and link.strip() != self._link_text.strip():
                self.out.append(f" <{link.strip()}>")
        if tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        words = data if self._preformatted else re.sub(r"\s+", " ", data)
        self._link_text += words
        self.out.append(words)


def text_of_html(html: str) -> str:
    """What a reader of plain text sees: the words, line by line, and where the links go."""
    words = _Words()
    words.feed(html)
    words.close()
    lines = (re.sub(r"[ \t]+$", "", line) for line in "".join(words.out).split("\n"))
    lines = (line[1:] if line.startswith(" ") and line[1:2] != " " else line for line in lines)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"
