"""The life of a process: one event loop, one main, and an end that loses nothing."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import structlog
from prometheus_client import Histogram

from shared.telemetry.ending import end

if sys.platform != "win32":
    from uvloop import new_event_loop
else:
    new_event_loop = asyncio.new_event_loop

_log = structlog.stdlib.get_logger()

EVENT_LOOP_LAG_SECONDS = Histogram(
    "postbus_process_event_loop_lag_seconds",
    "How much later than asked a task was woken: what every request in this process waits.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_LAG_SAMPLED_EVERY_SECONDS = 0.5

# Pages of messages are many objects that live for a moment, and none of them refers to itself: to
# look through them all after every 700 took a tenth of a first sync's time.
_COLLECTED_AFTER = 20_000

Main = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def run(main: Main, *, grace_seconds: float = 30.0) -> NoReturn:
    """Run `main` until it returns or is told to stop, then exit.

    SIGTERM or SIGINT sets the event that `main` is given: it stops taking work, finishes what
    it has, and returns. After `grace_seconds`, or at a second signal, it is cancelled. Exit
    status: 0 after an orderly end, 1 after an error or a cancelled one.
    """
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, 20, 20)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        sys.exit(runner.run(_supervised(main, grace_seconds)))


async def _supervised(main: Main, grace_seconds: float) -> int:
    stop = asyncio.Event()
    body = asyncio.create_task(main(stop), name="main")

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            _log.warning("stopping at once", signal=number.name)
            body.cancel()
        else:
            _log.info("stopping", signal=number.name)
            stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    told_to_stop = asyncio.create_task(stop.wait())
    lag = asyncio.create_task(_watch_lag(), name="event loop lag")
    try:
        await asyncio.wait({body, told_to_stop}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({body}, timeout=grace_seconds)
        if not body.done():
            _log.error("work did not end in time and is cancelled", grace_seconds=grace_seconds)
            await end([body])
        await body
    except asyncio.CancelledError:
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it was, it is logged and ends the process
        _log.critical("ended by an error", error=str(error), exc_info=True)
        return 1
    finally:
        told_to_stop.cancel()
        lag.cancel()
    _log.info("stopped")
    return 0


async def _watch_lag() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_SAMPLED_EVERY_SECONDS
        await asyncio.sleep(_LAG_SAMPLED_EVERY_SECONDS)
        EVENT_LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - due))
