"""One more process of sync beside the supervised one: it may be killed, and it may hang."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.stories.stack import ROOT, Stack


class Replica:
    """A process of the listen role; accounts wander between it and the supervised one."""

    def __init__(self, stack: Stack, settings: dict[str, str]) -> None:
        self._stack = stack
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self.hangs = False

    @classmethod
    @asynccontextmanager
    async def of(cls, stack: Stack, settings: dict[str, str]) -> "AsyncGenerator[Replica]":
        """Running while inside, or about to."""
        replica = cls(stack, settings)
        await replica.start()
        try:
            yield replica
        finally:
            await replica.kill()

    async def start(self) -> None:
        with (self._stack.home / "logs" / "sync-beside.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "infra.dev", "run", "services.sync"),
                cwd=ROOT,
                env=os.environ | {"POSTBUS_HOME": str(self._stack.home)} | self._settings,
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        """SIGKILL, which ends one that hangs, too."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self.hangs = False

    def hang(self) -> None:
        """It does nothing any more, in the middle of whatever it did; connections stay open."""
        self._signal(signal.SIGSTOP)
        self.hangs = True

    def go_on(self) -> None:
        """As if no time had passed."""
        self._signal(signal.SIGCONT)
        self.hangs = False

    def _signal(self, how: signal.Signals) -> None:
        assert self._process is not None
        assert self._process.returncode is None, "a replica ended by itself"
        self._process.send_signal(how)
