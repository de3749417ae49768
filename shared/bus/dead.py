"""Dead letters: what could not be handled, why, and how it is given another chance."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
import nats.errors
import nats.js.errors
from nats.js import JetStreamContext

from shared.bus.pull import DELIVERIES_HEADER, REASON_HEADER, SUBJECT_HEADER
from shared.contracts.envelope import unpack

_NO_MESSAGE = nats.js.errors.NotFoundError


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A buried message."""

    sequence: int
    consumer: str
    subject: str  # where it was heard
    reason: str
    deliveries: int
    buried_at: datetime | None
    body: bytes


async def dead_letters(js: JetStreamContext, consumer: str = "*") -> AsyncGenerator[DeadLetter]:
    """Every dead letter of a consumer, oldest first."""
    sequence = 1
    while True:
        try:
            message = await js.get_msg("DEAD", seq=sequence, subject=f"dead.{consumer}", next=True)
        except _NO_MESSAGE:
            return
        headers = message.headers or {}
        sequence = (message.seq or sequence) + 1
        yield DeadLetter(
            sequence=message.seq or 0,
            consumer=(message.subject or "").removeprefix("dead."),
            subject=headers.get(SUBJECT_HEADER, ""),
            reason=headers.get(REASON_HEADER, ""),
            deliveries=int(headers.get(DELIVERIES_HEADER, "0")),
            buried_at=message.time,
            body=message.data or b"",
        )


class DeadLettersAway(Exception):
    """Dead letters cannot be looked at now."""


async def forget_dead_letters(js: JetStreamContext, tenant_id: UUID) -> int:
    """Let go of everything buried of a tenant, whoever buried it; how many. DeadLettersAway."""
    return await _of_tenant(js, tenant_id, delete=True)


async def count_dead_letters(js: JetStreamContext, tenant_id: UUID) -> int:
    """How much of a tenant is buried; raises DeadLettersAway."""
    return await _of_tenant(js, tenant_id, delete=False)


async def _of_tenant(js: JetStreamContext, tenant_id: UUID, *, delete: bool) -> int:
    # What could not be read is here, too: whose it is, its bytes say all the same.
    named = str(tenant_id).encode()
    count = 0
    try:
        async for letter in dead_letters(js):
            try:
                body = unpack(letter.body)
            except msgspec.DecodeError:
                body = letter.body
            if named in body:
                count += 1
                if delete:
                    await js.delete_msg("DEAD", letter.sequence)
    except (nats.errors.Error, TimeoutError) as error:
        raise DeadLettersAway(str(error) or type(error).__name__) from error
    return count


async def replay(js: JetStreamContext, consumer: str = "*") -> int:
    """Tell the dead letters again where they were first told, then let go of them; how many.

    Every listener of the channel hears them; all of them bear that. A letter that cannot be
    handled this time either comes back.
    """
    replayed = 0
    letters = [letter async for letter in dead_letters(js, consumer)]
    for letter in letters:
        await js.publish(letter.subject, letter.body)
        await js.delete_msg("DEAD", letter.sequence)
        replayed += 1
    return replayed
