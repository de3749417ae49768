"""What no HTML that we show may hold, judged by another parser than the one that made it."""

import re
from html.parser import HTMLParser

_TAGS = frozenset(
    re.findall(
        r"\w+",
        """a abbr acronym article aside b bdi bdo blockquote br caption center cite code col
        colgroup data dd del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5
        h6 header hgroup hr i img ins kbd li mark nav ol p pre q rp rt rtc ruby s samp small
        span strike strong style sub summary sup table tbody td tfoot th thead time tr tt u ul
        var wbr""",
    )
)
_ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        """align alt bgcolor border cellpadding cellspacing char charoff cite class clear color
        colspan data-image data-remote-src datetime dir face headers height href hreflang hspace id
        lang noshade nowrap rel rowspan scope size span src start style summary target title type
        valign value vspace width""",
    )
)
_LINK = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)
_OWN_IMAGE = re.compile(r"(cid:|data:image/(png|jpeg|gif|webp);)", re.IGNORECASE)
_REMOTE = re.compile(r"https?:", re.IGNORECASE)
_OURS = re.compile(r"m-[\w-]+(?: m-[\w-]+)*")
# A style is words, numbers and colours: no function that fetches, no escape, no comment.
_STYLE = re.compile(r"[\w\s.,%#:;+*!'\"/()-]*")
_FUNCTION = re.compile(r"([\w-]*)\(")
_RECKONING = {"", "calc", "min", "max", "clamp", "linear-gradient", "radial-gradient"}
_COLOURS = {"rgb", "rgba", "hsl", "hsla"}
_MOVING = re.compile(r"(?:^|[;{\s])(?:position|z-index|inset|transform|behavior|-moz-binding|--)\W")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.dangers: list[str] = []
        self.words: list[str] = []
        self.tags: set[tuple[object, ...]] = set()
        self.sheets: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        self.tags.add((tag, *sorted((name, value or "") for name, value in attrs)))
        if tag not in _TAGS:
            self.dangers.append(f"<{tag}>")
        for name, value in attrs:
            if name not in _ATTRIBUTES or not _is_harmless(tag, name, value or ""):
                self.dangers.append(f"<{tag} {name}={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.sheets.append(data)
            self.dangers += dangers_in_sheet(data)
        else:
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
            return _is_harmless_style(value)
        case "class" | "id":
            return bool(_OURS.fullmatch(value))
        case _:
            return True


def _is_harmless_style(value: str) -> bool:
    return (
        bool(_STYLE.fullmatch(value))
        and set(_FUNCTION.findall(value.lower())) <= _COLOURS | _RECKONING
        and not _MOVING.search(value.lower())
        and "/*" not in value
    )


def dangers_in_sheet(sheet: str) -> list[str]:
    """What in these rules could fetch, or reach anything but the message."""
    found: list[str] = []
    for line in filter(None, sheet.split("\n")):
        selectors, _, rest = line.partition(" {")
        if selectors.startswith("@media ") and rest == "" and line.endswith("{"):
            if not re.fullmatch(r"[\w\s.,%:<>=/()-]*", selectors.removeprefix("@media ")):
                found.append(line)
        elif line != "}" and not (
            line.endswith(" }")
            and _is_harmless_style(rest.removesuffix("}").removeprefix(" "))
            and all(_is_inside(one) for one in selectors.split(", "))
        ):
            found.append(line)
    return found


def _is_inside(selector: str) -> bool:
    first, *more = re.split(r"( > | \+ | ~ | )", selector)
    return bool(
        re.fullmatch(r"\.m-postbus(?:[.#]m-[\w-]+|:[a-z-]+)*", first)
        and (not more or more[0] in (" ", " > "))
        and all(
            re.fullmatch(r"(?:\*|[a-z][a-z0-9]*)?(?:[.#]m-[\w-]+|:[a-z-]+)*", part)
            for part in more[1::2]
        )
    )


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
