"""Content-Transfer-Encoding (RFC 2045 §6), undone as far as it can be."""

from __future__ import annotations

import binascii
import re

from services.sync.domain.mime.base64_pieces import NOT_BASE64, Base64Decoder

_STRAY_EQUALS = re.compile(rb"=(?==)")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4}(?: [^\r\n]*)?\r?\n", re.MULTILINE)


def decoded(raw: bytes, encoding: str) -> tuple[bytes, str | None]:
    """The bytes that were encoded, and what was wrong."""
    match encoding:
        case "" | "7bit" | "8bit" | "binary" | "none":
            return raw, None
        case "base64":
            return from_base64(raw), None
        case "quoted-printable":
            return from_quoted_printable(raw), None
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return from_uuencode(raw), None
        case "7-bit" | "8-bit" | "7bits" | "8bits" | "ascii" | "us-ascii":
            return raw, None
        case _:
            return raw, "unknown_transfer_encoding"


def decoded_size(raw: bytes, encoding: str) -> tuple[int, str | None]:
    """How many bytes were encoded, and what was wrong."""
    if encoding == "base64":
        return size_of_base64(raw), None
    content, defect = decoded(raw, encoding)
    return len(content), defect


def size_of_base64(raw: bytes) -> int:
    """How long `from_base64` would be, without making it."""
    end = raw.find(b"=")
    if end < 0:
        end = len(raw)
    elif raw[end:].strip(b"=\r\n \t"):
        return len(from_base64(raw))
    letters = len(raw[:end].translate(None, delete=NOT_BASE64))
    return letters * 3 // 4


def from_base64(raw: bytes) -> bytes:
    """What was encoded, also with line noise in it, without padding, or in padded pieces.

    What follows the padding and is not base64 (the footer of a mailing list) does not count.
    """
    end = raw.find(b"=")
    if end < 0 or not raw[end:].strip(b"=\r\n \t"):  # nearly always
        try:
            return binascii.a2b_base64(raw)
        except binascii.Error:
            pass
    decoder = Base64Decoder()
    return decoder.feed(raw) + decoder.end()


def from_quoted_printable(raw: bytes) -> bytes:
    """What was encoded; an `=` that begins nothing stands for itself (RFC 2045 §6.7, note 2).

    Python reads `==` as one, which would halve every line that somebody drew.
    """
    if b"==" in raw:
        raw = _STRAY_EQUALS.sub(b"=3D", raw)
    return binascii.a2b_qp(raw)


def from_uuencode(raw: bytes) -> bytes:
    """The file between `begin` and `end`; a line that cannot be read is passed over."""
    begin = _UU_BEGIN.search(raw)
    out: list[bytes] = []
    for line in raw[begin.end() if begin else 0 :].splitlines():
        if line.rstrip() == b"end":
            break
        if not line:  # binascii makes 32 octets of it
            continue
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders leave garbage behind the data: read only what the length says.
            length = ((line[0] - 32) & 63) * 4 // 3 + 5 if line else 0
            try:
                out.append(binascii.a2b_uu(line[: (length - 1) // 4 * 4 + 1]))
            except binascii.Error:
                continue
    return b"".join(out)
