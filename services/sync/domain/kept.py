"""How what a message says is packed for keeping."""

import hashlib

import msgspec
from msgspec import Struct, structs

from services.sync.domain.mime.fields import read_header
from services.sync.domain.parse import headers_of
from shared.contracts.mail import TEXT_BYTES, Content
from shared.contracts.zstd import Zstd

_LEVEL = 1


class Body(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All the words of a message, beside what events carry."""

    text: str
    html: str | None
    header: str = ""  # as it came, a character for each byte; decoded when somebody asks for it
    header_hint: str = ""
    decoded: tuple[tuple[str, str], ...] = msgspec.field(default=(), name="headers")  # once kept so
    defects: tuple[str, ...] = ()

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Every field of the header, decoded."""
        return self.decoded or headers_of(self.header.encode("latin-1"), self.header_hint)

    @property
    def fields(self) -> list[tuple[str, bytes]]:
        """Every field of the header, as it came."""
        if self.decoded:
            return [(name, value.encode()) for name, value in self.decoded]
        raw = self.header.encode("latin-1")
        return read_header(raw, 0, len(raw)).fields


class KeptContent(Struct, frozen=True, kw_only=True):
    """Both packed: what is told, and what is only kept."""

    content: bytes
    body: bytes


_contents = msgspec.json.Decoder(Content)
_bodies = msgspec.json.Decoder(Body)
_encoder = msgspec.json.Encoder()


_zstd = Zstd(level=_LEVEL)


def pack(content: Content, body: Body) -> KeptContent:
    """Compress both (zstd); they are read apart. The text is kept once, in the body."""
    compress = _zstd.compressor.compress
    without_text = structs.replace(content, text="") if content.text else content
    return KeptContent(
        content=compress(_encoder.encode(without_text)), body=compress(_encoder.encode(body))
    )


def content_json(content: bytes, body: bytes) -> bytes:
    """What is told of a message, as the JSON it is told in, from both as they are kept."""
    told = _contents.decode(_zstd.decompressor.decompress(content))
    if not told.text:  # where it is, it was kept so by an older release
        text, _ = cut(unpack_body(body).text, TEXT_BYTES)
        told = structs.replace(told, text=text)
    return _encoder.encode(told)


def kept_json(content: bytes) -> bytes:
    """What is kept of a message's content beside its text, as JSON."""
    return _zstd.decompressor.decompress(content)


def cut(text: str, limit: int) -> tuple[str, bool]:
    """At most so many bytes of UTF-8, never half a character; and whether it was more."""
    if len(text) * 4 <= limit:
        return text, False
    encoded = text.encode()
    if len(encoded) <= limit:
        return text, False
    return encoded[:limit].decode("utf-8", "ignore"), True


def unpack_body(packed: bytes) -> Body:
    """The words of a message."""
    return _bodies.decode(_zstd.decompressor.decompress(packed))


def name_digest(name: str, generation: int) -> bytes:
    """A name as a key of fixed length; the header itself may be as long as it likes.

    In each generation another one, so that those of two stand in one table.
    """
    return hashlib.blake2b(
        name.encode("utf-8", "surrogatepass"), digest_size=16, salt=generation.to_bytes(8)
    ).digest()
