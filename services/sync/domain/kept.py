"""How what a message says is packed for keeping."""

import hashlib

import msgspec
import zstandard
from msgspec import Struct

from shared.contracts.mail import Content

_LEVEL = 3


class Body(Struct, frozen=True, kw_only=True):
    """All the words of a message, beside what events carry."""

    text: str
    html: str | None
    headers: tuple[tuple[str, str], ...]
    defects: tuple[str, ...] = ()


class KeptContent(Struct, frozen=True, kw_only=True):
    """Both packed: what is told, and what is only kept."""

    content: bytes
    body: bytes


_bodies = msgspec.json.Decoder(Body)
_contents = msgspec.json.Decoder(Content)


def pack(content: Content, body: Body) -> KeptContent:
    """Compress both (zstd); they are read apart."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    return KeptContent(
        content=compressor.compress(msgspec.json.encode(content)),
        body=compressor.compress(msgspec.json.encode(body)),
    )


def unpack_content(packed: bytes) -> Content:
    """What is told of a message."""
    return _contents.decode(zstandard.ZstdDecompressor().decompress(packed))


def unpack_body(packed: bytes) -> Body:
    """The words of a message."""
    return _bodies.decode(zstandard.ZstdDecompressor().decompress(packed))


def name_digest(message_id: str) -> bytes:
    """A Message-ID as a key of fixed length; the header itself may be as long as it likes."""
    return hashlib.blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
