"""What a durable consumer holds, asked for a batch at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import Header, StatusCode

_NEXT = "$JS.API.CONSUMER.MSG.NEXT"
_OVER = {StatusCode.NO_MESSAGES.value, StatusCode.REQUEST_TIMEOUT.value}
_LOST_SECONDS = 1.0  # so long after its end, a request is believed lost


class CannotPull(Exception):
    """The consumer is not there, or the server does not let us; in its words."""


class Batches:
    """Asks a durable consumer for what is there, waiting only for the first of it.

    Each request has a place of its own for its answers. nats-py's `fetch` has one place for all:
    a request that it had given up could end the next one, which then waited for a whole batch,
    and a lone message with it, for up to five seconds.
    """

    def __init__(self, client: Client, stream: str, consumer: str) -> None:
        self._client = client
        self._next = f"{_NEXT}.{stream}.{consumer}"
        self._place = client.new_inbox()
        self._number = 0
        self._most = 0
        self._messages: list[Msg] = []
        self._said: str | None = None  # how the server ended the request that waits
        self._answered = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def of(cls, client: Client, *, stream: str, consumer: str) -> "AsyncGenerator[Batches]":
        """Listen for answers while inside."""
        batches = cls(client, stream, consumer)
        subscription: Subscription = await client.subscribe(f"{batches._place}.*", cb=batches._came)
        try:
            yield batches
        finally:
            # Otherwise closing the connection would wait for messages that nobody will take.
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def next(self, most: int, *, seconds: float) -> list[Msg]:
        """What is there, at most so many; none when nothing came for so many seconds.

        Raises CannotPull.
        """
        if not self._messages:  # else they came when their request had been given up
            await self._ask(most, seconds)
        batch, self._messages = self._messages[:most], self._messages[most:]
        return batch

    async def _ask(self, most: int, seconds: float) -> None:
        self._number += 1
        self._most, self._said = most, None
        self._answered.clear()
        # With an end, `no_wait` means: wait for the first, then bring what is there, and say so.
        request = {"batch": most, "expires": int(seconds * 1e9), "no_wait": True}
        await self._client.publish(self._next, msgspec.json.encode(request), self._reply)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds + _LOST_SECONDS):
                await self._answered.wait()
        if self._said is not None and not self._messages:
            raise CannotPull(self._said)

    @property
    def _reply(self) -> str:
        return f"{self._place}.{self._number}"

    async def _came(self, message: Msg) -> None:
        if message.reply:  # where it is acknowledged: it is of the stream
            self._messages.append(message)
            if len(self._messages) >= self._most:
                self._answered.set()
        elif message.subject == self._reply:
            headers = message.headers or {}
            status = headers.get(Header.STATUS.value)
            if status not in _OVER:
                self._said = f"{status} {headers.get(Header.DESCRIPTION.value, '')}".strip()
            self._answered.set()
