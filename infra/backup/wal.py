"""What PostgreSQL writes after a base, received as it writes it, and sealed segment by segment.

A replication slot keeps for us what we have not received; how much of it, PostgreSQL limits
(max_slot_wal_keep_size), so that a backup that is away never fills its disk.
"""

import asyncio
import contextlib
import re
from pathlib import Path

import structlog

from infra.backup import metrics
from infra.backup.base import Address
from infra.backup.sealed import SUFFIX, seal
from infra.backup.sets import sync_directory
from infra.dev.postgres import binaries

log = structlog.get_logger()

SLOT = "postbus_backup"
_COMPLETE = re.compile(r"^([0-9A-F]{24}|[0-9A-F]{8}\.history)$")
_PARTIAL = re.compile(r"^[0-9A-F]{24}\.partial$")
_AGAIN_SECONDS = 5.0


class Receiver:
    """Keeps receiving into a directory of its own, and moves what came to the backups."""

    def __init__(self, url: str, spool: Path, kept: Path, public_keys: list[str]) -> None:
        self._address = Address(url)
        self._spool = spool
        self._kept = kept
        self._keys = public_keys
        self._sealed: dict[str, int] = {}  # of a segment that grows: when it was last written

    async def run(self) -> None:
        """Receive for ever; PostgreSQL may come and go."""
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            if await self._program("--create-slot", "--if-not-exists") == 0:
                await self._program(
                    "--directory", str(self._spool), "--no-loop", "--status-interval=1"
                )
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _program(self, *arguments: str) -> int:
        process = await asyncio.create_subprocess_exec(
            str(binaries() / "pg_receivewal"),
            *(f"--dbname={self._address.dsn}", "--no-password", f"--slot={SLOT}"),
            *arguments,
            env=self._address.environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        if process.returncode != 0:
            log.warning("WAL is not received", said=said.decode(errors="replace").strip()[-500:])
        return process.returncode or 0

    def sweep(self) -> None:
        """Seal what is complete, and the segment that grows as far as it is."""
        for path in sorted(self._spool.iterdir()):
            written = path.stat().st_mtime_ns
            if _COMPLETE.match(path.name):
                self._seal(path)
                path.unlink()
                (self._kept / f"{path.name}.partial{SUFFIX}").unlink(missing_ok=True)
                self._sealed.pop(f"{path.name}.partial", None)
            elif _PARTIAL.match(path.name) and self._sealed.get(path.name) != written:
                self._seal(path)
                self._sealed[path.name] = written
        metrics.WAL_SWEPT.set_to_current_time()

    def _seal(self, path: Path) -> None:
        whole = self._kept / f"{path.name}{SUFFIX}"
        draft = whole.with_name(f".{whole.name}")
        draft.unlink(missing_ok=True)
        with path.open("rb") as source:
            seal(source, draft, self._keys)
        draft.replace(whole)
        sync_directory(self._kept)
