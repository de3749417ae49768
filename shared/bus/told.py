"""How far telling has come: whether more of it flows."""

import msgspec
import nats.errors
import structlog
from msgspec import Struct

from shared.bus.connection import Bus
from shared.bus.topology import stream_of
from shared.contracts.envelope import Told, decode

log = structlog.get_logger()

_SECONDS = 2.0


class _State(Struct, frozen=True):
    last_seq: int


class _Info(Struct, frozen=True):
    state: _State


async def last_told(bus: Bus, contract: type[Told]) -> int | None:
    """The number of what was told last in the stream that keeps this; None: not known."""
    stream = stream_of(contract)
    try:
        answer = await bus.nats.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=_SECONDS)
        return decode(answer.data, _Info).state.last_seq
    except (nats.errors.Error, TimeoutError, msgspec.MsgspecError) as error:
        log.info("not known what was told last", stream=stream, error=repr(error))
        return None
