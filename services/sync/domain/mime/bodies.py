"""What of a message is its text, what its HTML, and what is attached (RFC 8621 §4.1.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.sync.domain.mime.structure import Part

_MEDIA = ("image/", "audio/", "video/")


@dataclass
class Bodies:
    """The leaves of a message by what they are for, each list in order."""

    text: list[Part] = field(default_factory=list[Part])
    html: list[Part] = field(default_factory=list[Part])
    #: All that is not read as text or HTML, media shown between the text included.
    attached: list[Part] = field(default_factory=list[Part])


def bodies_of(root: Part) -> Bodies:
    """Sort the leaves, as RFC 8621 describes; its `null` is None here."""
    if root.media_type in _READ and root.disposition.value != "attachment":
        return Bodies([root], [root], [])  # a message of one part
    bodies = Bodies()
    _sort([root], "mixed", False, bodies.html, bodies.text)
    read = {id(part) for part in (*bodies.text, *bodies.html) if part.media_type in _READ}
    bodies.attached = [part for part in leaves_of(root) if id(part) not in read]
    return bodies


_READ = ("text/plain", "text/html")


def leaves_of(root: Part) -> list[Part]:
    """Every part that is no multipart, in order."""
    leaves: list[Part] = []
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.media_type.startswith("multipart/"):
            waiting.extend(reversed(part.children))
        else:
            leaves.append(part)
    return leaves


def _sort(
    parts: list[Part],
    multipart: str,
    in_alternative: bool,
    html: list[Part] | None,
    text: list[Part] | None,
) -> None:
    texts_before = len(text) if text is not None else -1
    htmls_before = len(html) if html is not None else -1
    for index, part in enumerate(parts):
        media_type = part.media_type
        if media_type.startswith("multipart/"):
            kind = media_type.removeprefix("multipart/")
            _sort(part.children, kind, in_alternative or kind == "alternative", html, text)
            continue
        if not _is_inline(part, index, multipart):
            continue
        if multipart == "alternative":
            if media_type == "text/plain" and text is not None:
                text.append(part)
            elif media_type == "text/html" and html is not None:
                html.append(part)
            continue
        if in_alternative:
            if media_type == "text/plain":
                html = None
            if media_type == "text/html":
                text = None
        if text is not None:
            text.append(part)
        if html is not None:
            html.append(part)
    if multipart == "alternative" and text is not None and html is not None:
        # Only one kind was offered: it stands for the other too.
        if texts_before == len(text) and htmls_before != len(html):
            text.extend(html[htmls_before:])
        elif htmls_before == len(html) and texts_before != len(text):
            html.extend(text[texts_before:])


def _is_inline(part: Part, index: int, multipart: str) -> bool:
    """Whether a part is read in its place rather than offered beside the message."""
    media_type = part.media_type
    media = media_type not in _READ and media_type.startswith(_MEDIA)
    if part.disposition.value == "attachment" or not (media or media_type in _READ):
        return False
    return index == 0 or (multipart != "related" and (media or not part.file_name))
