"""How full the streams are: one that is full refuses, and rows wait in outboxes."""

import asyncio

import nats.errors
import structlog

from shared.bus.connection import Bus
from shared.bus.metrics import STREAM_BYTES, STREAM_MAX_BYTES, STREAM_MESSAGES
from shared.bus.topology import STREAMS

log = structlog.get_logger()

_EVERY_SECONDS = 10.0


async def measure_streams(bus: Bus) -> None:
    """Show it for ever; while the bus is away, what was seen last stays."""
    while True:
        for stream in STREAMS:
            try:
                info = await bus.js.stream_info(stream.name)
            except (nats.errors.Error, TimeoutError, OSError) as error:
                log.debug("stream not measured", stream=stream.name, error=str(error))
                continue
            STREAM_BYTES.labels(stream.name).set(info.state.bytes)
            STREAM_MESSAGES.labels(stream.name).set(info.state.messages)
            STREAM_MAX_BYTES.labels(stream.name).set(max(0, info.config.max_bytes or 0))
        await asyncio.sleep(_EVERY_SECONDS)
