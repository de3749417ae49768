"""Text in header fields: encoded words (RFC 2047), raw UTF-8 (RFC 6532), and whatever else came."""

from __future__ import annotations

import re
from functools import lru_cache

from services.sync.domain.mime.charset import clean, codec_for, decode
from services.sync.domain.mime.transfer import from_base64

#: As lenient as mail programs are: spaces inside, no end before the next word.
_WORD = re.compile(
    rb"=\?([A-Za-z0-9][^?\s\"<>()]{0,60})\?([bBqQ])\?([^?\r\n]*(?:\?(?!=)[^?\r\n]*){0,8}?)\?="
)
_USUAL_BYTES = 500
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")


def decode_words(raw: bytes, *, hint: str | None = None) -> str:
    """An unstructured field as text.

    Neighbouring words in one charset are joined before decoding: many programs split in the middle
    of a character, which RFC 2047 §5 forbids.
    """
    if b"=?" not in raw:
        if raw.isascii() and b"\x1b" not in raw and b"\0" not in raw:
            return raw.decode("ascii")  # nearly every field
        return decode(raw, None, hint=hint)
    return _usual(raw, hint) if len(raw) <= _USUAL_BYTES else _joined(raw, hint)


@lru_cache(maxsize=512)
def _usual(raw: bytes, hint: str | None) -> str:
    """The same people and subjects come again and again, twice already in one message."""
    return _joined(raw, hint)


def _joined(raw: bytes, hint: str | None) -> str:
    out: list[str] = []
    waiting = b""  # decoded bytes of words in `charset`
    charset = ""
    at = 0
    for word in _WORD.finditer(raw):
        between = raw[at : word.start()]
        name = word[1].split(b"*", 1)[0].decode("latin-1").lower()  # RFC 2231 §5: charset*language
        if (between.strip() or at == 0) and between:
            out.append(decode(waiting, charset, hint=hint) if waiting else "")
            out.append(decode(between, None, hint=hint))
            waiting = b""
        elif waiting and not _same(charset, name):
            out.append(decode(waiting, charset, hint=hint))
            waiting = b""
        charset = name
        waiting += _decoded(word)
        at = word.end()
    out.append(decode(waiting, charset, hint=hint) if waiting else "")
    out.append(decode(raw[at:], None, hint=hint))
    return clean("".join(out))


def one_line(text: str) -> str:
    """Text as it is shown in one line."""
    return " ".join(text.split())


def _same(charset: str, other: str) -> bool:
    return charset == other or (codec_for(charset) or charset) == (codec_for(other) or other)


def _decoded(word: re.Match[bytes]) -> bytes:
    if word[2] in b"bB":
        return from_base64(word[3])
    return _HEX.sub(lambda found: bytes([int(found[1], 16)]), word[3].replace(b"_", b" "))
