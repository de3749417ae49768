"""HTML mail made harmless: no scripts, no forms, no style that reaches out, no remote images.

What a sender put into a message runs in somebody's browser. nh3 (ammonia) keeps what it knows
and drops the rest; what CSS may say is judged in `css`. What is left stands in one element of its
own, with the look that the message's `body` had, on white unless the message says otherwise: few
senders have thought of dark screens.

A remote image tells the sender that, when and where the message was read, and `cid:` images are
parts of the message (RFC 2392). Neither is put in here: the images are listed, and `filled` puts
in for each what the reader may see.
"""

import html as markup
import re
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import quote

import nh3
from msgspec import Struct

from services.api.domain import css
from services.api.domain.web_address import WebAddress

_SAFE_DATA = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")
_LINKS = ("http://", "https://", "mailto:", "tel:")
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "data"}
_TAGS = (nh3.ALLOWED_TAGS | {"font", "tfoot"}) - {"area", "map"}
_ALIKE = {"lang", "title", "dir", "style", "class", "id"}
_CELL = {"width", "height", "valign", "bgcolor", "background", "nowrap"}
_PRESENTATION = {
    "*": _ALIKE,
    "table": {"border", "cellpadding", "cellspacing", "width", "height", "bgcolor", "background"},
    "td": _CELL,
    "th": _CELL,
    "tr": {"valign", "bgcolor", "background", "height"},
    "tbody": {"valign", "bgcolor"},
    "thead": {"valign", "bgcolor"},
    "tfoot": {"valign", "bgcolor"},
    "col": {"width", "valign"},
    "font": {"color", "face", "size"},
    "div": {"align"},
    "p": {"align"},
    **{f"h{level}": {"align"} for level in range(1, 7)},
    "hr": {"color", "noshade"},
    "br": {"clear"},
    "ol": {"type"},
    "ul": {"type"},
    "li": {"type", "value"},
    "img": {"border", "hspace", "vspace"},
}
_ATTRIBUTES = {
    tag: nh3.ALLOWED_ATTRIBUTES.get(tag, set()) | _PRESENTATION.get(tag, set())
    for tag in nh3.ALLOWED_ATTRIBUTES.keys() | _PRESENTATION.keys()
}

# A message is shown on white, and paints nothing outside of its own element.
_GROUND = (
    f"{css.SCOPE} {{ background-color: #fff; color: #000; color-scheme: light;"
    " contain: content; overflow: auto }"
)
_BODY = re.compile(r"<body(\s[^>]{1,5000})>", re.IGNORECASE)
_BODIES_LOOKED_AT = 10
_SETTLING = 3

_BEHIND = ' background="'
_STYLE = re.compile(r' style="([^"]*)"')
_GAP = re.compile("\0([as])(\\d+)\0")  # in an attribute, in a sheet: no text of a message has NUL
# As nh3 writes: `<` and `>` in a value or a text are escaped, so each of these is an element.
_IMG = re.compile(r'<img((?: [\w-]+="[^"]*")*)>')
_ELEMENT = re.compile(r'<\w+(?: [\w-]+="[^"]*")*>')
_NUMBERED = re.compile(r'<img data-image="(\d+)"')
_PAIR = re.compile(r' ([\w-]+)="([^"]*)"')
_STYLE_BLOCK = re.compile(r'<style(?: media="([^"]*)")?>(.*?)</style>', re.DOTALL)

_IN_URL = "/?&=%:.~_-+"  # what needs no quotes (css-syntax-3 §4.3.6)

_PIXEL = 2  # a picture that is not wider and not higher shows nothing to anybody
_IN_PIXELS = re.compile(r"\s*(\d{1,5})(?:\.\d*)?\s*(?:px)?\s*", re.IGNORECASE)
_UNSEEN = re.compile(
    r"(?:^|; )(?:display: none|visibility: hidden|opacity: 0|max-(?:width|height): 0(?:px)?)"
    r"(?: !important)?(?:;|$)",
    re.IGNORECASE,
)
_SIZE_IN_STYLE = re.compile(r"(?:^|; )(width|height): (\d{1,5}(?:\.\d+)?(?:px)?)(?=;| |$)")


class ImageKind(StrEnum):
    """Where an image is, and what for."""

    PART = "part"  # of the message
    REMOTE = "remote"
    TRACKER = "tracker"  # remote, and nothing to see: it is there to be fetched


class Image(Struct, frozen=True, kw_only=True):
    """An image that a message wants to show."""

    kind: ImageKind
    source: str  # the address; of a part its Content-ID


class SafeHtml(Struct, frozen=True, kw_only=True):
    """HTML that may be shown, with gaps for its images: see `filled`."""

    html: str
    images: tuple[Image, ...]


def sanitised(html: str) -> SafeHtml:
    """The part of this HTML that is safe to show."""
    html = html.replace("\0", "")
    images: list[Image] = []
    inside = _IMG.sub(lambda found: _numbered(found[1], images), clean(html))
    sheet = "\n".join([_GROUND, *_sheets(html)])

    numbers: dict[str, int] = {}

    def in_styles(element: re.Match[str]) -> str:
        return _STYLE.sub(lambda style: _with_gaps(style[0], "a", images, numbers), element[0])

    body = f"<div{_as_body(html)}>"
    if _BEHIND in inside:
        inside = _ELEMENT.sub(_styled, inside)
    if css.PICTURE.search(body + inside):
        body, inside = _ELEMENT.sub(in_styles, body), _ELEMENT.sub(in_styles, inside)
    return SafeHtml(
        html=f"{body}<style>\n{_with_gaps(sheet, 's', images, numbers)}\n</style>{inside}</div>",
        images=tuple(images),
    )


def filled(safe: SafeHtml, attributes: Sequence[tuple[str, str] | None]) -> str:
    """The HTML with an attribute for each of its images, or without one: then it is not shown.

    A picture behind a text is shown if it would have a `src`.
    """

    def written(found: re.Match[str]) -> str:
        attribute = attributes[int(found[1])]
        if attribute is None:
            return "<img"
        return f'<img {attribute[0]}="{markup.escape(attribute[1])}"'

    def behind(found: re.Match[str]) -> str:
        attribute = attributes[int(found[2])]
        if attribute is None or attribute[0] != "src":
            return "none"
        value = f"url({quote(attribute[1], safe=_IN_URL)})"
        return markup.escape(value) if found[1] == "a" else value

    return _GAP.sub(behind, _NUMBERED.sub(written, safe.html))


def clean(html: str) -> str:
    """What stands in the message's body. Read again, it means the same.

    HTML may be read in one way and, written down and read again, in another. It is done here
    until nothing changes, so that the browser finds what was judged.
    """
    now = html
    for _ in range(1 + _SETTLING):
        # At the beginning it is a byte order mark, and no text.
        then, now = now, _CLEANER.clean(now).lstrip("\ufeff")
        if now == then:
            break
    return now


def _attribute(tag: str, attribute: str, value: str) -> str | None:
    match attribute:
        case "style":
            return css.harmless(value)
        case "class" | "id":
            return css.named(value)
        case "src":
            return _image(value.strip()) if tag == "img" else None
        case "background":
            return _behind(value.strip())
        case "href" | "cite":
            return value if value.strip().lower().startswith(_LINKS) else None
        case _:
            return value


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    url_schemes=_SCHEMES,
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer",
)
_STYLE_FINDER = nh3.Cleaner(
    tags={"style"}, attributes={"style": {"media"}}, clean_content_tags={"script"}
)
_BODY_CLEANER = nh3.Cleaner(
    tags={"div"},
    attributes={"div": _ALIKE | {"bgcolor", "background", "text"}},
    attribute_filter=_attribute,
)


# --- Looks --------------------------------------------------------------------------------------


def _sheets(html: str) -> list[str]:
    """What the message's style blocks say, each in its scope."""
    if "<style" not in html.lower():
        return []
    sheets: list[str] = []
    left = css.LONGEST_SHEET
    for media, text in _STYLE_BLOCK.findall(_STYLE_FINDER.clean(html)):
        left -= len(text)
        if left < 0:
            break
        sheets.append(css.scoped(text, markup.unescape(media)))
    return [sheet for sheet in sheets if sheet]


def _as_body(html: str) -> str:
    """The attributes of the element that stands for the message's body."""
    had = _body_attributes(html)
    style = "; ".join(
        one
        for one in (
            css.harmless(f"background-color: {had['bgcolor']}") if "bgcolor" in had else None,
            had.get("background"),
            css.harmless(f"color: {had['text']}") if "text" in had else None,
            had.get("style"),
        )
        if one
    )
    classes = " ".join(dict.fromkeys([css.SCOPE_CLASS, *had.get("class", "").split()]))
    kept = {name: had[name] for name in ("id", "dir", "lang") if name in had}
    attributes = {"class": classes, **kept, **({"style": style} if style else {})}
    return "".join(f' {name}="{markup.escape(value)}"' for name, value in attributes.items())


def _body_attributes(html: str) -> dict[str, str]:
    for number, found in enumerate(_BODY.finditer(html)):
        if number == _BODIES_LOOKED_AT:
            break
        if html.rfind("<!--", 0, found.start()) > html.rfind("-->", 0, found.start()):
            continue  # only some programs are meant: <!--[if mso]>
        element, _, _ = _BODY_CLEANER.clean(f"<div{found[1]}></div>").partition(">")
        return {name: markup.unescape(value) for name, value in _PAIR.findall(element)}
    return {}


def _behind(source: str) -> str | None:
    """What tables and bodies said before there were styles, as the style that says it."""
    if css.PICTURE.search(source):  # it was read before
        return css.harmless(source)
    return css.harmless(f"background-image: url({quote(source, safe=_IN_URL)})")


def _styled(element: re.Match[str]) -> str:
    """The element with what is behind it in its style, where the style's own word counts more."""
    pairs: dict[str, str] = dict(_PAIR.findall(element[0]))
    behind = pairs.pop("background", None)
    if behind is None:
        return element[0]
    pairs["style"] = "; ".join(one for one in (behind, pairs.get("style")) if one)
    name, _, _ = element[0].partition(" ")
    return name + "".join(f' {name}="{value}"' for name, value in pairs.items()) + ">"


# --- Images -------------------------------------------------------------------------------------


def _image(source: str) -> str | None:
    lower = source.lower()
    if lower.startswith("//"):
        return f"https:{source}"
    if lower.startswith(("http://", "https://", "cid:")):
        return source
    if lower.startswith(_SAFE_DATA):
        return f"data:{source[5:]}"
    return None  # relative to nothing, or a scheme that shows no image


def _numbered(attributes: str, images: list[Image]) -> str:
    """The element with the number of its image in place of its source."""
    pairs: list[tuple[str, str]] = _PAIR.findall(attributes)
    had = {name: markup.unescape(value) for name, value in pairs}
    source = had.get("src", "")
    if source.startswith("data:"):
        return f"<img{attributes}>"
    rest = "".join(f' {name}="{value}"' for name, value in pairs if name != "src")
    if source.lower().startswith("cid:"):
        images.append(Image(kind=ImageKind.PART, source=source[4:]))
    elif WebAddress.read(source) is not None:
        kind = ImageKind.TRACKER if _is_unseen(had) else ImageKind.REMOTE
        images.append(Image(kind=kind, source=source))
    else:
        return f"<img{rest}>"
    return f'<img data-image="{len(images) - 1}"{rest}>'


def _with_gaps(style: str, where: str, images: list[Image], numbers: dict[str, int]) -> str:
    """The style with a gap for each of its pictures; what is shown in many places is one."""

    def gap(found: re.Match[str]) -> str:
        if (number := numbers.get(found[1])) is None:
            source = css.picture_of(found[1])
            part = source.lower().startswith("cid:")
            kind = ImageKind.PART if part else ImageKind.REMOTE
            number = numbers[found[1]] = len(images)
            images.append(Image(kind=kind, source=source[4:] if part else source))
        return f"\0{where}{number}\0"

    return css.PICTURE.sub(gap, style)


def _is_unseen(had: dict[str, str]) -> bool:
    style = had.get("style", "")
    if _UNSEEN.search(style):
        return True
    sizes = {name: had[name] for name in ("width", "height") if name in had}
    sizes.update(_SIZE_IN_STYLE.findall(style))
    said = [_IN_PIXELS.fullmatch(size) for size in sizes.values()]
    return len(said) == 2 and all(size is not None and int(size[1]) <= _PIXEL for size in said)
