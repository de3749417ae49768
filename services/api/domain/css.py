"""What CSS of a sender may say: how a text looks and how it is laid out, and nothing else.

A declaration stays when its property is known here and its value is made of words, numbers,
colours, quoted names and a few functions that only reckon. What is kept is written anew from
what was understood: without comments, escapes, `url()` or `var()` there is nothing in it that can
fetch, or run, or mean something else to a browser. Rules of a style block count inside the
message's own element only (SCOPE), and classes and ids have names of their own there (`named`),
so that a message and the page around it cannot reach each other.

A picture behind a text is left as a word that says which (PICTURE), and means nothing to a browser;
whoever knows what the reader may see puts something in its place. There is none where its being
fetched would tell what the reader does or reads on: in rules for some screens, or for `:hover`.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import tinycss2
from tinycss2.ast import IdentToken

from services.api.domain.web_address import WebAddress

# The parser has no types: a node is told apart by its `type` (css-syntax-3 §4, §5).
_Node: TypeAlias = Any

NAME_PREFIX = "m-"
SCOPE_CLASS = f"{NAME_PREFIX}postbus"
SCOPE = f".{SCOPE_CLASS}"

_LONGEST_STYLE = 10_000
LONGEST_SHEET = 500_000
_DEEPEST = 4
_SIDES = ("", "-top", "-right", "-bottom", "-left")
_CORNERS = ("", "-top-left", "-top-right", "-bottom-right", "-bottom-left")
_PROPERTIES = frozenset(
    [
        *(f"margin{side}" for side in _SIDES),
        *(f"padding{side}" for side in _SIDES),
        *(f"border{side}" for side in _SIDES),
        *(f"border{side}-{what}" for side in _SIDES for what in ("color", "style", "width")),
        *(f"border{corner}-radius" for corner in _CORNERS),
        *("border-collapse", "border-spacing", "box-shadow", "box-sizing", "caption-side"),
        *("background", "background-color", "background-image", "background-position"),
        *("background-repeat", "background-size", "color", "color-scheme", "opacity"),
        *("display", "visibility", "float", "clear", "overflow", "table-layout", "vertical-align"),
        *("width", "min-width", "max-width", "height", "min-height", "max-height", "aspect-ratio"),
        *("align-items", "align-self", "flex", "flex-direction", "flex-wrap", "gap"),
        *("justify-content", "object-fit", "order", "outline", "empty-cells"),
        *("font", "font-family", "font-size", "font-style", "font-variant", "font-weight"),
        *("line-height", "letter-spacing", "word-spacing", "text-align", "text-decoration"),
        *("text-indent", "text-shadow", "text-transform", "text-overflow", "direction"),
        *("unicode-bidi", "white-space", "word-break", "word-wrap", "overflow-wrap", "hyphens"),
        *("list-style", "list-style-type", "list-style-position"),
    ]
)
_FUNCTIONS = frozenset(
    [
        *("rgb", "rgba", "hsl", "hsla", "calc", "min", "max", "clamp"),
        *("linear-gradient", "radial-gradient"),
    ]
)
_PSEUDO_CLASSES = frozenset(
    ["active", "first-child", "focus", "hover", "last-child", "link", "only-child", "visited"]
)
# What a rule is for that counts only while somebody does something.
_STATE = re.compile(r":(?:active|focus|hover|link|visited)\b")
_ROOTS = frozenset(["html", "body"])
_WORD = re.compile(r"-?[^\W\d][\w-]*")  # and so no custom property: `--name`
_NAME = re.compile(r"[\w-]+")
_QUOTED = re.compile(r"[\w .,'-]*")
_UNIT = re.compile(r"[a-z]+", re.IGNORECASE)
_LEADING_NAME = re.compile(r"^\w+")
_ITSELF = re.compile(rf"{re.escape(SCOPE)}(?:$|[.#:])")
_SIGNS = frozenset(",/+-*")
_PICTURED = frozenset(["background", "background-image"])
_PICTURE = "picture-from-"
PICTURE = re.compile(rf"(?<![\w-]){_PICTURE}((?:[0-9a-f]{{2}})+)(?![\w-])")
_LONGEST_PICTURE = 1_500
# Python refuses to read such a number, and so would the parser.
_ENDLESS_NUMBER = re.compile(r"\d{400}")


def named(names: str) -> str | None:
    """The classes or the id of an element, under names that no page around it has.

    `constructor`, `cookie` or the id of a page's own element is nobody's any more (DOM clobbering).
    """
    kept = [_own(name) for name in names.split() if _NAME.fullmatch(name)]
    return " ".join(dict.fromkeys(kept)) or None


@lru_cache(maxsize=4096)  # in mail the same style stands at every cell
def harmless(style: str) -> str | None:
    """Those declarations of a style attribute that only say how something looks."""
    if len(style) > _LONGEST_STYLE or _ENDLESS_NUMBER.search(style):
        return None
    return "; ".join(_declarations(style, pictures=True)) or None


def picture_of(word: str) -> str:
    """The address that a PICTURE's word stands for."""
    return bytes.fromhex(word).decode()


def scoped(sheet: str, media: str | None = None) -> str:
    """Those rules of a style block that only say how this message looks."""
    if len(sheet) > LONGEST_SHEET or _ENDLESS_NUMBER.search(sheet):
        return ""
    rules = tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)
    kept = "\n".join(_rules(rules, 0))
    if not kept or not media:
        return kept
    query = _media(tinycss2.parse_component_value_list(media[:_LONGEST_STYLE]))
    return f"@media {query} {{\n{kept}\n}}" if query else ""


def _own(name: str) -> str:
    return name if name.startswith(NAME_PREFIX) else NAME_PREFIX + name


# --- Declarations -------------------------------------------------------------------------------


def _declarations(content: str | Sequence[_Node], *, pictures: bool) -> Iterator[str]:
    for node in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True):
        if node.type != "declaration" or node.lower_name not in _PROPERTIES:
            continue
        tokens: list[_Node] = node.value
        words: dict[int, str] = {}  # of pictures, by the place of their token
        if node.lower_name in _PICTURED and pictures:
            words = {n: word for n, one in enumerate(tokens) if (word := _picture(one))}
        if node.lower_name == "background":
            # What is no picture that can be had goes; the colour beside it stays.
            words = {n: words.get(n, "") for n, one in enumerate(tokens) if _is_url(one)} | words
        if not _only_looks([one for n, one in enumerate(tokens) if n not in words]):
            continue
        written = [
            IdentToken(one.source_line, one.source_column, words[n]) if n in words else one
            for n, one in enumerate(tokens)
            if words.get(n) != ""
        ]
        value = tinycss2.serialize(written).strip()
        if value and "/*" not in value:
            yield f"{node.lower_name}: {value}{' !important' if node.important else ''}"


def _is_url(token: _Node) -> bool:
    return token.type == "url" or (token.type == "function" and token.lower_name == "url")


def _picture(token: _Node) -> str | None:
    """The word for a picture, if this is one that could be had, or is the word already."""
    if token.type == "ident":
        found = PICTURE.fullmatch(token.value)
        try:
            source = picture_of(found[1]) if found else ""
        except UnicodeDecodeError:
            return None
    elif token.type == "url":
        source = token.value
    elif _is_url(token):
        given = [one for one in token.arguments if one.type != "whitespace"]
        source = given[0].value if [one.type for one in given] == ["string"] else ""
    else:
        return None
    source = source.strip()
    if source.startswith("//"):
        source = f"https:{source}"
    if len(source) > _LONGEST_PICTURE:
        return None
    if not source.lower().startswith("cid:") and WebAddress.read(source) is None:
        return None
    return _PICTURE + source.encode("utf-8", "replace").hex()


def _only_looks(tokens: Sequence[_Node], depth: int = 0) -> bool:
    return depth <= _DEEPEST and all(_is_plain(token, depth) for token in tokens)


def _is_plain(token: _Node, depth: int) -> bool:
    match token.type:
        case "whitespace" | "number" | "percentage":
            return True
        case "dimension":
            return _UNIT.fullmatch(token.unit) is not None
        case "ident":
            return _WORD.fullmatch(token.value) is not None and _PICTURE not in token.value
        case "hash":
            return _NAME.fullmatch(token.value) is not None
        case "string":
            return _QUOTED.fullmatch(token.value) is not None and _PICTURE not in token.value
        case "literal":
            return token.value in _SIGNS
        case "function":
            return token.lower_name in _FUNCTIONS and _only_looks(token.arguments, depth + 1)
        case "() block":
            return depth > 0 and _only_looks(token.content, depth + 1)
        case _:
            return False


# --- Rules --------------------------------------------------------------------------------------


def _rules(nodes: Sequence[_Node], depth: int) -> Iterator[str]:
    for node in nodes:
        if node.type == "qualified-rule":
            selectors = ", ".join(_selectors(node.prelude))
            always = depth == 0 and _STATE.search(selectors) is None
            declarations = "; ".join(_declarations(node.content, pictures=always))
            if selectors and declarations:
                yield f"{selectors} {{ {declarations} }}"
        elif node.type == "at-rule" and node.lower_at_keyword == "media" and depth < _DEEPEST:
            query = _media(node.prelude) if node.content is not None else None
            inside = tinycss2.parse_rule_list(
                node.content or (), skip_comments=True, skip_whitespace=True
            )
            if query and (kept := "\n".join(_rules(inside, depth + 1))):
                yield f"@media {query} {{\n{kept}\n}}"


def _media(tokens: Sequence[_Node]) -> str | None:
    """A media query of words, numbers and features: `screen and (max-width: 600px)`."""

    def is_plain(token: _Node, depth: int) -> bool:
        match token.type:
            case "() block":
                return depth < _DEEPEST and all(is_plain(one, depth + 1) for one in token.content)
            case "literal":
                return token.value == "," or (depth > 0 and token.value in ":<>=/")
            case _:
                return _is_plain(token, 0)

    if not all(is_plain(token, 0) for token in tokens):
        return None
    query = tinycss2.serialize(tokens).strip()
    return query if "/*" not in query and "--" not in query else None


def _selectors(tokens: Sequence[_Node]) -> Iterator[str]:
    """Each selector of a rule that is understood whole, within the message."""
    one: list[_Node] = []
    for token in [*tokens, None]:
        if token is not None and not (token.type == "literal" and token.value == ","):
            one.append(token)
            continue
        selector = _selector(one)
        if selector is not None:
            yield selector
        one = []


def _selector(tokens: Sequence[_Node]) -> str | None:
    """A complex selector (selectors-4 §3.1), beginning at the message's own element."""
    compounds: list[str] = []
    combinators: list[str] = []  # between them
    between: str | None = ""
    rest = iter(tokens)
    for token in rest:
        if token.type == "whitespace":
            between = " " if between is None else between
            continue
        if token.type == "literal" and token.value in (">", "+", "~"):
            if between not in (None, " ") or not compounds:
                return None
            between = f" {token.value} "
            continue
        part = _part(token, rest)
        if part is None:
            return None
        if between is None:
            if part[0] not in ".#:":  # an element's name comes first
                return None
            compounds[-1] += part
            continue
        if compounds:
            combinators.append(between)
        compounds.append(part)
        between = None
    if not compounds or between not in (None, " "):
        return None
    return _within(compounds, combinators)


def _part(token: _Node, rest: Iterator[_Node]) -> str | None:
    """A simple selector: an element, a class, an id, or a pseudo-class that is known here."""
    if token.type == "ident":
        return token.lower_value if re.fullmatch(r"[a-z][a-z0-9]*", token.lower_value) else None
    if token.type == "hash":
        return f"#{_own(token.value)}" if _NAME.fullmatch(token.value) else None
    if token.type != "literal" or token.value not in ("*", ".", ":"):
        return None
    if token.value == "*":
        return "*"
    name = next(rest, None)
    if name is None or name.type != "ident":
        return None
    if token.value == ".":
        return f".{_own(name.value)}" if _NAME.fullmatch(name.value) else None
    if name.lower_value == "root":
        return "html"
    return f":{name.lower_value}" if name.lower_value in _PSEUDO_CLASSES else None


def _is_root(compound: str) -> bool:
    name = _LEADING_NAME.match(compound)
    return name is not None and name[0] in _ROOTS


def _within(compounds: list[str], combinators: list[str]) -> str | None:
    """The message's element stands for `html` and `body`; all else is inside it."""
    roots = [_LEADING_NAME.sub("", one) if _is_root(one) else None for one in compounds]
    compounds = [
        one if root is None else SCOPE + root for one, root in zip(compounds, roots, strict=True)
    ]
    while len(compounds) > 1 and roots[0] is not None and roots[1] is not None:  # html > body
        del compounds[0], combinators[0], roots[0]
    itself = _ITSELF.match(compounds[0]) is not None
    beside = itself and combinators[:1] not in ([], [" "], [" > "])
    if beside or any(root is not None for root in roots[1:]):
        return None
    pairs = zip(compounds, [*combinators, ""], strict=True)
    written = "".join(part for pair in pairs for part in pair)
    return written if itself else f"{SCOPE} {written}"
