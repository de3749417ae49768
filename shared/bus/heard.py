"""Up to when everything that was told has been heard."""

from datetime import datetime

import msgspec
import nats.errors
import structlog
from msgspec import Struct

from shared.bus.connection import Bus
from shared.contracts.envelope import decode
from shared.db import Pool

log = structlog.get_logger()

_STREAMS = ("MAIL", "FILL")
_SECONDS = 2.0


class _State(Struct, frozen=True):
    messages: int
    first_ts: datetime


class _Info(Struct, frozen=True):
    ts: datetime  # the server's now
    state: _State


async def heard_until(bus: Bus, pool: Pool) -> datetime | None:
    """What this service told before this moment, every listener has handled; None: not known.

    A fact waits in the outbox and then in its stream, which keeps it until each listener has it
    (retention `interest`). The outbox is looked at first, so that nothing slips by between both.
    """
    moments: list[datetime] = [
        await pool.fetchval(
            """
            SELECT least((SELECT written_at FROM outbox
                           WHERE lane = 'mail' ORDER BY position LIMIT 1),
                         (SELECT written_at FROM outbox
                           WHERE lane = 'fill' ORDER BY position LIMIT 1),
                         clock_timestamp())
            """
        )
    ]
    for stream in _STREAMS:
        try:
            answer = await bus.nats.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=_SECONDS)
            info = decode(answer.data, _Info)
        except (nats.errors.Error, TimeoutError, msgspec.MsgspecError) as error:
            log.info("not known what was heard", stream=stream, error=repr(error))
            return None
        moments.append(info.state.first_ts if info.state.messages else info.ts)
    return min(moments)
