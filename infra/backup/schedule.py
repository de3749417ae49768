"""The process that makes a set every day and receives WAL in between."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from infra.backup import metrics, sets
from infra.backup.base import BaseFailed
from infra.backup.sealed import NotOpened
from infra.backup.sets import BadSet, Manifest
from infra.backup.settings import Settings
from infra.backup.take import Busy, NoRecoveryKey, prune, take
from infra.backup.wal import Receiver
from shared.telemetry import Check, configure, serve_probes, until_one_ends

log = structlog.get_logger()

_FAILURES = (BaseFailed, BadSet, NotOpened, NoRecoveryKey, Busy, OSError)


async def main(stop: asyncio.Event) -> None:
    """Make backups until told to stop."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    configure("backup", settings.log_level, settings.log_format)
    checks: dict[str, Check] = {"directory": lambda: _is_there(settings)}
    async with serve_probes(settings.probe_host, settings.probe_port, checks):
        await until_one_ends(stop.wait(), _make_sets(settings), _receive(settings))


async def system_identifier(settings: Settings) -> int:
    """Which cluster it is; WAL of another one is kept apart."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=10)
    try:
        return await connection.fetchval("SELECT system_identifier FROM pg_control_system()")
    finally:
        await connection.close()


async def _is_there(settings: Settings) -> bool:
    return settings.dir.is_dir()


async def _make_sets(settings: Settings) -> None:
    while True:
        known = list(sets.whole(settings.dir).values())
        _show(known)
        due = known[-1].made_at + timedelta(seconds=settings.every_seconds) if known else None
        now = datetime.now(UTC)
        if due is not None and due > now:
            await asyncio.sleep((due - now).total_seconds())
        await _until_there_is_a_key(settings)
        try:
            await asyncio.to_thread(take, settings)
            await asyncio.to_thread(prune, settings, datetime.now(UTC))
        except _FAILURES as error:
            metrics.FAILURES.inc()
            log.error("no backup was made", error=str(error))
            await asyncio.sleep(settings.again_seconds)


async def _receive(settings: Settings) -> None:
    keys = await _until_there_is_a_key(settings)
    identifier = await _until_known(settings)
    receiver = Receiver(
        settings.database_url.get_secret_value(),
        (settings.spool_dir or settings.dir / "spool") / str(identifier),
        sets.wal_of(settings.dir, identifier),
        keys,
    )
    await until_one_ends(receiver.run(), _sweep(receiver, settings))


async def _sweep(receiver: Receiver, settings: Settings) -> None:
    while True:
        await asyncio.sleep(settings.wal_seconds)
        try:
            await asyncio.to_thread(receiver.sweep)
        except OSError as error:  # a full disk, a share that is away: what came waits
            log.error("WAL is not moved to the backups", error=str(error))


async def _until_there_is_a_key(settings: Settings) -> list[str]:
    """The recovery keys; where an operator has made none yet, there is nobody to seal for."""
    while True:
        try:
            if keys := settings.public_keys():
                return keys
        except OSError:
            log.warning("waiting for a recovery key", file=str(settings.recovery_key_file))
        await asyncio.sleep(settings.wal_seconds)


async def _until_known(settings: Settings) -> int:
    while True:
        try:
            return await system_identifier(settings)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            log.warning("waiting for the database", error=str(error))
            await asyncio.sleep(settings.wal_seconds)


def _show(known: list[Manifest]) -> None:
    metrics.SETS.set(len(known))
    if known:
        metrics.LAST_SUCCESS.set(known[-1].made_at.timestamp())
        metrics.LAST_DURATION.set(known[-1].seconds)
        metrics.LAST_SIZE.set(known[-1].size_bytes)
