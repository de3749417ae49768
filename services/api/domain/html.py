"""HTML mail made harmless: no scripts, no forms, no style that reaches out, no remote images.

What a sender put into a message runs in somebody's browser. nh3 (ammonia) keeps what it knows
and drops the rest. A remote image tells the sender that, when and where the message was read;
its address is moved to `data-remote-src`, and shown only when the reader asks. `cid:` images
are parts of the message itself (RFC 2392) and stay.
"""

import nh3

from services.api.domain import css

# Nobody can write this in mail: where HTML holds NUL, its parser leaves it out or makes it U+FFFD.
_BLOCKED = "postbus-blocked:\0"
_SAFE_DATA = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")
_LINKS = ("http://", "https://", "mailto:", "tel:")
_URL_ATTRIBUTES = {"href", "cite"}
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "data"}
_TAGS = nh3.ALLOWED_TAGS | {"font", "tfoot"}
_PRESENTATION = {
    "*": {"lang", "title", "dir", "style"},
    "table": {"border", "cellpadding", "cellspacing", "width", "bgcolor"},
    "td": {"width", "height", "valign", "bgcolor", "nowrap"},
    "th": {"width", "height", "valign", "bgcolor"},
    "tr": {"valign", "bgcolor"},
    "font": {"color", "face", "size"},
    "div": {"align"},
    "p": {"align"},
    "img": {"border", "hspace", "vspace"},
}
_ATTRIBUTES = {
    tag: nh3.ALLOWED_ATTRIBUTES.get(tag, set()) | _PRESENTATION.get(tag, set())
    for tag in nh3.ALLOWED_ATTRIBUTES.keys() | _PRESENTATION.keys()
}


def sanitised(html: str) -> str:
    """The part of this HTML that is safe to show, with remote images held back."""
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes=_SCHEMES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    # A browser loads nothing from a scheme it does not know, so an image is already blocked by
    # its prefix; renaming the attribute only makes it handy.
    return clean.replace(f' src="{_BLOCKED}', ' data-remote-src="')


def _attribute(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "style":
        return css.harmless(value)
    if attribute == "src":
        return _image(value.strip()) if tag == "img" else None
    if attribute in _URL_ATTRIBUTES:
        return value if value.strip().lower().startswith(_LINKS) else None
    return value


def _image(source: str) -> str | None:
    lower = source.lower()
    if lower.startswith("//"):
        return f"{_BLOCKED}https:{source}"
    if lower.startswith(("http://", "https://")):
        return _BLOCKED + source
    if lower.startswith("cid:") or lower.startswith(_SAFE_DATA):
        return source
    return None  # relative to nothing, or a scheme that shows no image
