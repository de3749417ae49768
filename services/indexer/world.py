"""What every function of the memory stands on."""

import asyncio
from dataclasses import dataclass, field

from shared.db import Pool


@dataclass(frozen=True, slots=True)
class World:
    """The open doors of one process."""

    pool: Pool
    request_pool: Pool
    # Set when an account was removed, whose rows are now to go.
    removed: asyncio.Event = field(default_factory=asyncio.Event)
