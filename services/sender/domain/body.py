"""The body of a message as MIME: text, HTML, what the HTML shows, and what is attached.

    mixed ─┬─ alternative ─┬─ text/plain
           │               └─ related ─┬─ text/html
           │                           └─ an image that the HTML shows
           └─ an attachment

Only as much of it as there is something for. It is encoded by the standard library and put together
here: what its `EmailMessage` makes of long or foreign file names differs between patch releases of
Python, it copies a message of 50 MB five times, and it takes most of the time of a short one.
"""

import re
from base64 import encodebytes
from dataclasses import dataclass
from email.quoprimime import body_encode

from services.sender.domain.flowed import flowed, needs_flowing
from services.sender.domain.headers import BadHeader, header_text, with_parameter
from services.sender.domain.plain_text import text_of_html

# As it is, or in base64 or quoted-printable: the frozen bytes must suit every server, also one
# without 8BITMIME (RFC 6152), which is not known yet.
_LINE = 78  # RFC 5322 §2.1.1
_LINE_END = re.compile(rb"\r\n|\r|\n")
_UNSPEAKABLE = re.compile("[\x00\ud800-\udfff]")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}", re.IGNORECASE)
_CONTENT_ID = re.compile(r"[^\s<>\x00-\x1f\x7f-\U0010ffff]{1,250}")
_LONGEST_LINE = 998
_MESSAGE = "message/rfc822"
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that goes with a message."""

    name: str
    content_type: str
    data: bytes
    content_id: str | None = None
    inline: bool = False


def with_crlf(mime: bytes) -> bytes:
    """Every line ended by CRLF and by nothing else (RFC 5321 §2.3.8).

    A bare CR or LF is where servers disagree about what ends a message, which is how one
    message is smuggled inside another.
    """
    mime = _LINE_END.sub(b"\r\n", mime)
    return mime if mime.endswith(b"\r\n") else mime + b"\r\n"


def body(text: str | None, html: str | None, files: tuple[File, ...], *, boundary: str) -> bytes:
    """MIME-Version, Content-… and all that follows them. Raises BadHeader."""
    shown = [one for one in files if html is not None and one.inline and one.content_id]
    attached = [one for one in files if one not in shown]
    html = None if html is None else _speakable(html)
    if text is None:
        text = text_of_html(html) if html is not None else ""
    whole = _text(_speakable(text))
    if html is not None:
        page = _words("html", html)
        if shown:
            page = _multipart(
                "related", f"{boundary}r", [page, *(_file(one, "inline") for one in shown)]
            )
        whole = _multipart("alternative", f"{boundary}a", [whole, page])
    if attached:
        files_of = [_file(one, "inline" if one.inline else "attachment") for one in attached]
        whole = _multipart("mixed", f"{boundary}m", [whole, *files_of])
    return b"MIME-Version: 1.0\r\n" + whole


def _text(text: str) -> bytes:
    if needs_flowing(text):
        return _words("plain", flowed(text), '; format="flowed"')
    return _words("plain", text)


def _words(subtype: str, text: str, parameters: str = "") -> bytes:
    """A part of words, as it is where any server takes it so, else in the shorter encoding."""
    data = text.encode("utf-8")
    if not data.endswith(b"\n"):
        data += b"\n"
    if data.isascii() and max(map(len, data.split(b"\n"))) <= _LINE:
        encoding, body = "7bit", data
    else:
        quoted = body_encode(data.decode("latin-1"), _LINE).encode("ascii")
        in_base64 = encodebytes(data)
        shorter = len(quoted) <= len(in_base64)
        encoding, body = ("quoted-printable", quoted) if shorter else ("base64", in_base64)
    header = (
        f'Content-Type: text/{subtype}; charset="utf-8"{parameters}\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return header.encode("ascii") + with_crlf(body)


def _file(file: File, disposition: str) -> bytes:
    name = header_text(file.name)
    content_type = file.content_type if _TYPE.fullmatch(file.content_type) else _UNKNOWN
    encoded = True
    if content_type.lower() == _MESSAGE:
        # A message in a message is not encoded (RFC 2046 §5.2.1); one that would have to be goes
        # as a file, which every reader opens.
        encoded = not _is_plain(file.data)
        content_type = _UNKNOWN if encoded else _MESSAGE
    elif content_type.lower().startswith(("multipart/", "message/")):
        content_type = _UNKNOWN
    lines = [
        f"Content-Type: {content_type}",
        f"Content-Transfer-Encoding: {'base64' if encoded else '7bit'}",
        "Content-Disposition: "
        + (with_parameter(disposition, "filename", name) if name else disposition),
    ]
    if file.content_id is not None:
        if not _CONTENT_ID.fullmatch(file.content_id):
            raise BadHeader("a content id has blanks, brackets or characters outside ASCII")
        lines.append(f"Content-ID: <{file.content_id}>")
    header = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
    if not encoded:
        return header + with_crlf(file.data)
    return header + encodebytes(file.data).replace(b"\n", b"\r\n")


def _is_plain(data: bytes) -> bool:
    return (
        data.isascii()
        and b"\x00" not in data
        and all(len(line) <= _LONGEST_LINE for line in re.split(rb"[\r\n]", data))
    )


def _multipart(subtype: str, boundary: str, parts: list[bytes]) -> bytes:
    """Parts under one boundary, that no base64 or quoted-printable holds (RFC 2045 §6.7)."""
    separator = f"\r\n--{boundary}\r\n".encode("ascii")
    return b"".join(
        (
            f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n'.encode("ascii"),
            *(piece for part in parts for piece in (separator, part)),
            f"\r\n--{boundary}--\r\n".encode("ascii"),
        )
    )


def _speakable(text: str) -> str:
    """Without what no message may hold: NUL (RFC 5322 §4) and halves of characters."""
    return _UNSPEAKABLE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
