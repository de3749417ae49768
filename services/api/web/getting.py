"""One request (RFC 9110 §9.3) to an address that a stranger wrote, and nothing said about who asks.

No cookie, no referrer, no credential goes out, and none is kept. The name is resolved, checked and
connected to by `dial`; a redirect is handed back and not followed, so that whoever follows it comes
through here again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import h11
from msgspec import Struct

from services.api.domain.web_address import WebAddress
from services.api.web.lines import connected
from shared.dial import DialError, Policy

_READ_BYTES = 64 * 1024
_HEADER_BYTES = 32 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NotGot(Exception):
    """Nothing came from this address that could be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What a server said: where to go instead, or a body."""

    status: int
    location: str | None
    body: bytes


class Document(Struct, frozen=True, kw_only=True):
    """What is sent along, where something is."""

    media_type: str
    content: bytes


async def get(
    address: WebAddress,
    *,
    agent: str,
    accept: str,
    policy: Policy,
    dial_seconds: float,
    most_bytes: int,
    posting: Document | None = None,
) -> Got:
    """Ask once, by POST where a document is sent along. Raises NotGot; how long all of it may take
    is the caller's to say.
    """
    headers = [
        ("Host", address.authority),
        ("User-Agent", agent),
        ("Accept", accept),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]
    if posting is not None:
        headers += [
            ("Content-Type", posting.media_type),
            ("Content-Length", str(len(posting.content))),
        ]
    try:
        async with connected(address, policy, dial_seconds) as (reader, writer):
            peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
            request = h11.Request(
                method="GET" if posting is None else "POST",
                target=address.target,
                headers=headers,
            )
            said = peer.send(request) or b""
            if posting is not None:
                said += peer.send(h11.Data(posting.content)) or b""
            writer.write(said + (peer.send(h11.EndOfMessage()) or b""))
            return await _answer(peer, reader, most_bytes)
    except (DialError, h11.ProtocolError, OSError, EOFError) as error:  # ssl.SSLError is an OSError
        raise NotGot(repr(error)) from error


async def _answer(peer: h11.Connection, reader: asyncio.StreamReader, most_bytes: int) -> Got:
    head: h11.Response | None = None
    body = bytearray()
    while True:
        event = peer.next_event()
        if event is h11.NEED_DATA:
            peer.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Response):
            head = event
            headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            if event.status_code in _REDIRECTS:
                return Got(status=event.status_code, location=headers.get("location"), body=b"")
            _refuse_too_long(headers, most_bytes)
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > most_bytes:
                raise NotGot("too long")
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Got(status=head.status_code, location=None, body=bytes(body))
        elif not isinstance(event, h11.InformationalResponse):
            raise NotGot("the connection was closed")


def _refuse_too_long(headers: Mapping[str, str], most_bytes: int) -> None:
    said = headers.get("content-length", "0")  # h11 has made sure that it is a number
    if len(said) > 12 or int(said) > most_bytes:
        raise NotGot("too long")
