"""What every function of the memory stands on."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.indexer.actions.giving_way import Copies, Turn, at_once
from services.indexer.actions.reading import Read, read_in_thread
from shared.db import Pool


class Arrivals:
    """The flow of messages that are put into the index later, in bulk."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self._last = float("-inf")

    def note(self) -> None:
        """Some have come."""
        self._last = time.monotonic()
        self.came.set()

    def paused_for(self) -> float:
        """Seconds since the last came."""
        return time.monotonic() - self._last


@dataclass(frozen=True, slots=True)
class World:
    """The open doors of one process."""

    pool: Pool
    request_pool: Pool
    # Set when an account was removed, whose rows are now to go.
    removed: asyncio.Event = field(default_factory=asyncio.Event)
    arrivals: Arrivals = field(default_factory=Arrivals)
    # How the messages of a first sync are read; news always in a thread.
    read_fill: Read = read_in_thread
    # When: on a busy machine the copy comes before them.
    turn: Turn = at_once
    # Whether it does now; what can wait does so, too.
    gives_way: Callable[[], bool] = lambda: False
    copies: Copies = field(default_factory=Copies)
