"""Names of files as senders write them, made fit for anybody's disk and for a header."""

import mimetypes
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote

_LONGEST_BYTES = 200  # most file systems take 255
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9!#$&+.^_`|~ ()\[\]{},;=@'-]")
_ENDINGS = {
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "text/calendar": ".ics",
    "image/jpeg": ".jpg",
    "text/plain": ".txt",
}


def safe_name(name: str, otherwise: str) -> str:
    """The name without a path, without what turns it around or what a file system refuses."""
    last = re.split(r"[/\\]", name)[-1]
    # Cf holds the marks that write "exe.txt" for "txt.exe"; Zl and Zp end lines.
    visible = "".join(
        character
        for character in unicodedata.normalize("NFC", last)
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    )
    plain = " ".join(_FORBIDDEN.sub("_", visible).split()).strip(". ")
    if not plain:
        return otherwise
    if _DEVICES.match(plain):
        plain = f"_{plain}"
    return _shortened(plain)


def attachment_name(name: str, number: int, content_type: str) -> str:
    """What an attachment is called; one without a name is called by its number."""
    ending = _ENDINGS.get(content_type) or mimetypes.guess_extension(content_type) or ""
    return safe_name(name, f"attachment-{number}{ending}")


def disposition(kind: str, name: str) -> str:
    """Content-Disposition (RFC 6266), with any name (RFC 8187) and one for who knows ASCII only."""
    # Some programs undo %XX in the plain form, too (RFC 6266 appendix D).
    ascii_name = "".join(_NOT_PLAIN.sub("_", _in_ascii(character)) for character in name)
    value = f'{kind}; filename="{ascii_name}"'
    if ascii_name != name:
        value += f"; filename*=UTF-8''{quote(name, safe='')}"
    return value


def _in_ascii(character: str) -> str:
    """The letter without its accent; `_` where nothing is left."""
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "_"


def each_its_own(names: Iterable[str]) -> Iterator[str]:
    """The same names, of equal ones `a (2).pdf`; file systems may not tell case apart."""
    taken: set[str] = set()
    for name in names:
        stem, dot, ending = name.rpartition(".")
        if not stem:
            stem, dot, ending = name, "", ""
        free, count = name, 1
        while free.casefold() in taken:
            count += 1
            free = f"{stem} ({count}){dot}{ending}"
        taken.add(free.casefold())
        yield free


def _shortened(name: str) -> str:
    """At most so many bytes, the ending kept."""
    if len(name.encode()) <= _LONGEST_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) > 20:
        stem, dot, ending = name, "", ""
    room = _LONGEST_BYTES - len((dot + ending).encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + dot + ending
