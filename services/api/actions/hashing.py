"""Passwords are hashed beside everything else, and after it.

A hash takes 64 MiB and a tenth of a second of whatever processors there are, on purpose. Done in
the pool of threads that everything shares, many people who sign in at once held up those who were
in already: their threads took the processors from the event loop, answers that are compressed
there waited behind them, and a machine of many cores hashed more at once than its memory bears.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from services.api.domain import passwords

# Where processors are scarce, a hash gets a third of what the event loop gets.
_STEPS_BACK = 5


class Hashing:
    """Threads that hash, so many at a time; who comes later waits for them."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def hashed(self, password: str) -> str:
        """What is kept of a password."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, passwords.hashed, password)

    async def matches(self, hash_kept: str, password: str) -> bool:
        """Whether this is the password."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, passwords.matches, hash_kept, password)


@asynccontextmanager
async def open_hashing(*, at_once: int) -> AsyncGenerator[Hashing]:
    """Hash so many passwords at a time while inside; whoever still waits is let go at the end."""
    threads = ThreadPoolExecutor(at_once, "hashing", initializer=_step_back)
    try:
        yield Hashing(threads)
    finally:
        threads.shutdown(cancel_futures=True)


def _step_back() -> None:
    """Let this thread, and those that it begins, come after the others of the process."""
    if sys.platform == "linux":  # elsewhere it would be the whole process (setpriority(2))
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + _STEPS_BACK)
