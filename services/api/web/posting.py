"""POSTs (RFC 9110 §9.3.3) to an endpoint that a tenant named, one after the other on one line.

The name is resolved, checked and connected to by `dial`. A redirect is an answer like any other
and is not followed. An answer counts when all of it came: who says 200 and is gone may not have
heard us.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence

import h11
from msgspec import Struct

from services.api.domain.web_address import WebAddress
from services.api.domain.webhooks import Result
from services.api.web.lines import Line, connect
from shared.dial import DialError, Policy

_AGENT = "Postbus (webhooks)"
_READ_BYTES = 16 * 1024
_HEADER_BYTES = 16 * 1024
_BODY_BYTES = 64 * 1024  # more of an answer is not waited for
_KEPT_HEAD = 1000  # characters
_KEPT_BODY = 1000


class Answer(Struct, frozen=True, kw_only=True):
    """What an endpoint said, or why it said nothing."""

    result: Result
    milliseconds: int
    detail: str | None = None
    status: int | None = None
    head: str | None = None
    body: str | None = None
    retry_after: str | None = None


class _Broken(Exception):
    """The line ended before the answer did."""

    def __init__(self, *, began: bool) -> None:
        super().__init__("The connection ended before the answer did.")
        self.began = began


class Poster:
    """Says one thing after the other, on the same line while it stays open."""

    def __init__(self, *, policy: Policy, seconds: float) -> None:
        self._policy = policy
        self._seconds = seconds
        self._line: Line | None = None
        self._led_to: WebAddress | None = None
        self._peer = h11.Connection(h11.CLIENT)

    async def post(
        self, address: WebAddress, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Answer:
        """Send this once. Whatever goes wrong is an answer, too."""
        if address != self._led_to:
            self.close()
        self._led_to = address
        began = time.perf_counter()
        result, detail = Result.OK, None
        try:
            async with asyncio.timeout(self._seconds):
                said, content = await self._exchange(address, headers, body)
        except TimeoutError as late:
            # A DialError that is one had its own limit, which is the same.
            result = Result.TIMED_OUT
            detail = (
                str(late)
                if isinstance(late, DialError)
                else f"There was no answer within {self._seconds:g} s."
            )
        except DialError as failure:
            result, detail = Result.UNREACHABLE, str(failure)
        except ssl.SSLCertVerificationError as failure:
            result = Result.UNREACHABLE
            detail = f"The certificate was refused: {failure.verify_message}."
        except ssl.SSLError as failure:
            result, detail = Result.UNREACHABLE, f"TLS failed: {failure.reason or 'unknown'}."
        except (_Broken, h11.RemoteProtocolError, OSError, EOFError) as failure:
            result = Result.BROKEN
            detail = (
                str(failure)
                if isinstance(failure, _Broken)
                else f"This was no answer: {failure or type(failure).__name__}."
            )
        else:
            milliseconds = round((time.perf_counter() - began) * 1000)
            return _answer(said, content, milliseconds)
        self.close()
        milliseconds = round((time.perf_counter() - began) * 1000)
        return Answer(result=result, detail=detail[:500], milliseconds=milliseconds)

    def close(self) -> None:
        if self._line is not None:
            self._line[1].transport.abort()
            self._line = None

    async def _exchange(
        self, address: WebAddress, headers: Sequence[tuple[str, str]], body: bytes
    ) -> tuple[h11.Response, bytes]:
        if self._line is not None:
            try:
                return await self._say(self._line, address, headers, body)
            except (_Broken, h11.ProtocolError, OSError) as error:
                # Servers end idle lines at any moment. One on which we heard nothing yet of this
                # answer is tried anew; the receiver knows an event that comes twice by its id.
                self.close()
                if isinstance(error, TimeoutError) or (isinstance(error, _Broken) and error.began):
                    raise
        self._line = await connect(address, self._policy, self._seconds)
        self._peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
        return await self._say(self._line, address, headers, body)

    async def _say(
        self,
        line: Line,
        address: WebAddress,
        headers: Sequence[tuple[str, str]],
        body: bytes,
    ) -> tuple[h11.Response, bytes]:
        reader, writer = line
        request = h11.Request(
            method="POST",
            target=address.target,
            headers=[
                ("Host", address.authority),
                ("User-Agent", _AGENT),
                ("Accept", "*/*"),
                ("Content-Length", str(len(body))),
                *headers,
            ],
        )
        peer = self._peer
        writer.write(
            (peer.send(request) or b"")
            + (peer.send(h11.Data(body)) or b"")
            + (peer.send(h11.EndOfMessage()) or b"")
        )
        said, content, whole = await _heard(peer, reader)
        if whole and peer.our_state is h11.DONE and peer.their_state is h11.DONE:
            peer.start_next_cycle()
        else:
            self.close()
        return said, content


async def _heard(
    peer: h11.Connection, reader: asyncio.StreamReader
) -> tuple[h11.Response, bytes, bool]:
    """The answer, the beginning of its body, and whether that is all of it."""
    said: h11.Response | None = None
    content = bytearray()
    while True:
        event = peer.next_event()
        if event is h11.NEED_DATA:
            received = await reader.read(_READ_BYTES)
            if not received and said is None:
                raise _Broken(began=bool(peer.trailing_data[0]))
            try:
                peer.receive_data(received)
            except h11.RemoteProtocolError:
                raise _Broken(began=True) from None
        elif isinstance(event, h11.Response):
            said = event
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > _BODY_BYTES and said is not None:
                return said, bytes(content), False
        elif isinstance(event, h11.EndOfMessage) and said is not None:
            return said, bytes(content), True
        elif not isinstance(event, h11.InformationalResponse):
            raise _Broken(began=said is not None)


def _answer(said: h11.Response, content: bytes, milliseconds: int) -> Answer:
    headers: Mapping[str, str] = {
        name.decode("ascii"): value.decode("latin-1") for name, value in said.headers
    }
    reason = said.reason.decode("latin-1")
    lines = [f"HTTP/{said.http_version.decode()} {said.status_code} {reason}".rstrip()]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    taken = 200 <= said.status_code < 300
    return Answer(
        result=Result.OK if taken else Result.REFUSED,
        milliseconds=milliseconds,
        detail=None if taken else f"The endpoint answered {said.status_code}.",
        status=said.status_code,
        head=_kept("\n".join(lines), _KEPT_HEAD),
        body=_kept(content.decode("utf-8", "replace"), _KEPT_BODY),
        retry_after=headers.get("retry-after"),
    )


def _kept(text: str, most: int) -> str:
    """The beginning of it, without what PostgreSQL cannot keep."""
    return text[:most].replace("\0", "\N{REPLACEMENT CHARACTER}")
