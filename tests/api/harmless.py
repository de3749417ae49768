"""What no HTML that we show may hold, judged by another parser than the one that made it."""

import re
from html.parser import HTMLParser

_TAGS = frozenset(
    re.findall(
        r"\w+",
        """a abbr acronym area article aside b bdi bdo blockquote br caption center cite code col
        colgroup data dd del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5
        h6 header hgroup hr i img ins kbd li map mark nav ol p pre q rp rt rtc ruby s samp small
        span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr""",
    )
)
_ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        """align alt bgcolor border cellpadding cellspacing char charoff cite color colspan
        data-remote-src datetime dir face headers height href hreflang hspace lang nowrap rel
        rowspan scope size span src start style summary target title valign vspace width""",
    )
)
_LINK = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)
_OWN_IMAGE = re.compile(r"(cid:|data:image/(png|jpeg|gif|webp);)", re.IGNORECASE)
_REMOTE = re.compile(r"https?:", re.IGNORECASE)
# A style is words, numbers and colours: no function but a colour, no escape, no comment.
_STYLE = re.compile(r"[\w\s.,%#:;+!'\"/()-]*", re.ASCII)
_FUNCTION = re.compile(r"([\w-]*)\(")
_COLOURS = {"rgb", "rgba", "hsl", "hsla"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.dangers: list[str] = []
        self.words: list[str] = []
        self.tags: set[tuple[object, ...]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add((tag, *sorted((name, value or "") for name, value in attrs)))
        if tag not in _TAGS:
            self.dangers.append(f"<{tag}>")
        for name, value in attrs:
            if name not in _ATTRIBUTES or not _is_harmless(tag, name, value or ""):
                self.dangers.append(f"<{tag} {name}={value!r}>")

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def handle_comment(self, data: str) -> None:
        self.dangers.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.dangers.append(f"<!{decl}>")

    def unknown_decl(self, data: str) -> None:
        self.dangers.append(f"<![{data}]>")

    def handle_pi(self, data: str) -> None:
        self.dangers.append(f"<?{data}>")


def _is_harmless(tag: str, name: str, value: str) -> bool:
    match name:
        case "href" | "cite":
            return bool(_LINK.match(value.strip()))
        case "src":
            return tag == "img" and bool(_OWN_IMAGE.match(value))
        case "data-remote-src":
            return bool(_REMOTE.match(value))
        case "style":
            return (
                bool(_STYLE.fullmatch(value))
                and set(_FUNCTION.findall(value.lower())) <= _COLOURS
                and "/*" not in value
            )
        case _:
            return True


def dangers_in(html: str) -> list[str]:
    """Everything in this HTML that could run, fetch, or send."""
    return _read(html).dangers


def tags_of(html: str) -> set[tuple[object, ...]]:
    """The elements in this HTML, with their attributes."""
    return _read(html).tags


def words_of(html: str) -> list[str]:
    """What is to be read in this HTML."""
    return _read(html).words


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader
