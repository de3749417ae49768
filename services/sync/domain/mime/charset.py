"""From bytes to text, by the label they carry and by what people mean with it."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

#: Labels that mean more than they say: the larger set that mail under this label really uses
#: (as in the WHATWG Encoding Standard §4.2, and what mail programs of the time wrote).
_MEANT = {
    "iso8859-1": "cp1252",
    "latin-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "johab": "johab",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "iso2022_jp": "iso2022_jp_ext",
    "utf-8": "utf-8-sig",
}
#: Labels that Python does not know by this name.
_ALIASES = {
    "ks-c-5601": "cp949",
    "ks-c-5601-1987": "cp949",
    "ks-c-5601-1989": "cp949",
    "ksc5601": "cp949",
    "ksc-5601": "cp949",
    "windows-949": "cp949",
    "windows-31j": "cp932",
    "ms-kanji": "cp932",
    "sjis": "cp932",
    "gb-2312": "gb18030",
    "gb-2312-80": "gb18030",
    "gb2312-80": "gb18030",
    "windows-936": "gb18030",
    "big5-eten": "big5hkscs",
    "cn-big5": "big5hkscs",
    "cn-gb": "gb18030",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-6-e": "iso8859-6",
    "windows-874": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8-sig",
    "utf8mb4": "utf-8-sig",
    "mac": "mac_roman",
    "macintosh": "mac_roman",
    "mac-cyrillic": "mac_cyrillic",
    "koi8-ru": "koi8_u",
    "latin1": "cp1252",
    "ansi": "cp1252",
}
#: What may decode mail. Python knows more under this roof (punycode, unicode_escape …) which are
#: no character sets of messages, and some of which take quadratic time.
_KNOWN = re.compile(
    r"utf-(?:7|8|8-sig|16|16-be|16-le|32|32-be|32-le)|iso8859-\d+|cp\d+|koi8[-_][rut]|mac[-_]\w+"
    r"|gb18030|hz|big5hkscs|johab|euc_(?:jp|jis_2004|jisx0213)|shift_jis\w*"
    r"|iso2022_(?:jp(?:_\w+)?|kr)|kz1048|ptcp154|hp_roman8"
)
_ESCAPES = re.compile(rb"\x1b(?:\$[@B]|\(J|\$\()")


@lru_cache(maxsize=512)
def codec_for(label: str) -> str | None:
    """The codec that this label means, or None when it says nothing: ASCII, unknown, nonsense."""
    wanted = label.strip(" \t\r\n\"'").lower().replace("_", "-")
    wanted = wanted.removeprefix("x-").removeprefix("charset=")
    if wanted in {"", "us-ascii", "ascii", "ansi-x3.4-1968", "646"}:
        return None
    if wanted in _ALIASES:
        return _ALIASES[wanted]
    try:
        name = codecs.lookup(wanted).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return None
    name = _MEANT.get(name, name)
    return name if _KNOWN.fullmatch(name) else None


def decode(raw: bytes, label: str | None, *, hint: str | None = None) -> str:
    """Text that any database and screen can hold: no NUL, no lone surrogates.

    Without a usable label the bytes themselves are asked, then the hint.
    """
    codec = codec_for(label) if label else None
    if codec is None:
        return clean(_guess(raw, codec_for(hint) if hint else None))
    if codec == "utf-8-sig":  # Python's own codec of this name takes several times as long
        text = raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
        return text.replace("\0", "\ufffd") if "\0" in text else text  # never a surrogate in it
    try:
        return clean(raw.decode(codec, "replace"))
    except (UnicodeError, ValueError):  # some codecs raise in spite of "replace"
        return clean(_guess(raw, None))


def _guess(raw: bytes, hint: str | None) -> str:
    if raw.isascii():
        if b"\x1b" in raw and _ESCAPES.search(raw):  # ISO-2022-JP says so itself
            return raw.decode("iso2022_jp_ext", "replace")
        return raw.decode("ascii")
    for codec in ("utf-8-sig", hint):
        try:
            if codec:
                return raw.decode(codec)
        except (UnicodeError, ValueError):
            pass
    return raw.decode("cp1252", "replace")


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which PostgreSQL and JSON cannot carry."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
