"""The library's protocol, with the body and the final dot apart.

aiosmtplib writes body and dot in one call; between them we commit that the message is on its
way. This builds on its inner names (5.1.3, pinned): `_response_waiter`, `_response_pending`,
`_drain_helper`; the tests of the wire say when they change.
"""

import asyncio
import re
from typing import cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

_DOT_AT_LINE_START = re.compile(rb"(?m)^\.")
_BLOCK_BYTES = 64 * 1024


class SpokeEarly(Exception):
    """The server answered before the message was whole."""

    def __init__(self, response: aiosmtplib.SMTPResponse) -> None:
        super().__init__(response)
        self.response = response


class PhasedProtocol(SMTPProtocol):
    """One connection, on which a message goes out in three steps: DATA, body, dot."""

    async def write_body(self, mime: bytes, *, block_seconds: float) -> None:
        """Write the body, dots doubled (RFC 5321 §4.5.2), until it has left this process.

        Raises SpokeEarly as soon as the server says anything: some refuse a message that
        grows too large in the middle, and stop reading.
        """
        if self.transport is not None:
            # Nothing of the body may wait behind us when the dot is due. Not 0: over TLS that
            # pauses writing with an empty buffer, and for ever (asyncio's sslproto).
            cast(asyncio.WriteTransport, self.transport).set_write_buffer_limits(high=1, low=0)
        self._response_pending = True
        body = memoryview(_DOT_AT_LINE_START.sub(b"..", mime))
        for start in range(0, len(body), _BLOCK_BYTES):
            self.must_be_silent()
            self.write(bytes(body[start : start + _BLOCK_BYTES]))
            await self._drained(block_seconds)
        self.must_be_silent()

    def must_be_silent(self) -> None:
        """Raise SpokeEarly or SMTPServerDisconnected unless the server is there and waits."""
        waiter = self._response_waiter
        if waiter is not None and waiter.done():
            raise SpokeEarly(waiter.result())  # or what broke the connection
        if waiter is None or not self.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")

    def write_dot(self) -> None:
        """Hand the message over. Whatever this raises, it raises before the dot has left."""
        self.must_be_silent()
        self.write(b".\r\n")

    async def _drained(self, limit_seconds: float) -> None:
        waiter = self._response_waiter
        if waiter is None or not self._paused:
            await asyncio.sleep(0)  # what the server says meanwhile is to be heard
            return
        draining = asyncio.ensure_future(self._drain_helper())
        try:
            done, _ = await asyncio.wait(
                {draining, waiter}, timeout=limit_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            draining.cancel()
            # A lost connection speaks through the waiter; its second voice is not needed.
            draining.add_done_callback(lambda task: task.cancelled() or task.exception())
        if not done:
            raise aiosmtplib.SMTPTimeoutError("The server does not take the message")
