"""What one account uses of its server, counted as it happens and written down now and then."""

import time
from datetime import UTC, date, datetime

from services.sync.domain.budget import Budget, Used, may_fill
from services.sync.store import standing
from services.sync.store.accounts import Account
from shared.db import Pool

_WRITE_SECONDS = 3.0


class Meter:
    """Counts bytes fetched and commands sent; idle accounts write nothing."""

    def __init__(self, account: Account, budget: Budget, pool: Pool) -> None:
        self._account = account
        self._budget = budget
        self._pool = pool
        self._known: Used | None = None  # of all replicas, when last written
        self._day: date | None = None
        self._bytes = 0
        self._commands = 0
        self._written_at = 0.0

    def count(self, *, bytes: int = 0, commands: int = 0) -> None:
        """So much more was used."""
        self._bytes += bytes
        self._commands += commands

    async def write(self, *, now: bool = False) -> None:
        """Write down what was counted, every few seconds or now."""
        if not now and time.monotonic() - self._written_at < _WRITE_SECONDS:
            return
        if not self._bytes and not self._commands and self._known is not None:
            return
        counted, commands = self._bytes, self._commands
        async with self._pool.acquire() as connection:
            self._known = await standing.note_use(
                connection,
                self._account.account_id,
                self._account.tenant_id,
                bytes=counted,
                commands=commands,
            )
        self._bytes -= counted
        self._commands -= commands
        self._written_at = time.monotonic()
        self._day = datetime.now(UTC).date()

    async def filling_rests_until(self) -> datetime | None:
        """Until when the first copy rests, for the day's budget is spent; None: go on."""
        now = datetime.now(UTC)
        if self._known is None or self._day != now.date():
            await self.write(now=True)
        used = self._known or Used()
        used = Used(bytes=used.bytes + self._bytes, commands=used.commands + self._commands)
        return may_fill(used, self._budget, now)
