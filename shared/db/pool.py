"""Pools of connections, as one role of one service, with limits on how long anything may hold."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from shared.db.metrics import POOLS
from shared.telemetry.secret_files import completed

log = structlog.get_logger()

Pool: TypeAlias = asyncpg.Pool
Connection: TypeAlias = PoolConnectionProxy

# What a service teaches each of its connections before the first use.
Lesson: TypeAlias = Callable[[Any], Awaitable[None]]

_CONNECT_RETRY_SECONDS = 0.5


class DatabaseSettings(BaseSettings):
    """Where a service's tables are, as which roles it comes, and how long it may wait."""

    database_url: SecretStr = Field(
        description="PostgreSQL address for the service's own work, role <service>."
    )
    request_database_url: SecretStr = Field(
        description="PostgreSQL address for what acts for a caller, role <service>_request."
    )
    database_password: SecretStr | None = Field(
        default=None, description="Its password, where the address holds none."
    )
    request_database_password: SecretStr | None = Field(
        default=None, description="The same of the address for what acts for a caller."
    )
    database_pool_size: int = Field(default=10, ge=2, description="Connections for own work.")
    request_database_pool_size: int = Field(
        default=10, ge=1, description="Connections for what acts for a caller."
    )
    database_statement_seconds: float = Field(
        default=30.0, gt=0, description="A statement that takes longer is ended."
    )
    database_idle_transaction_seconds: float = Field(
        default=30.0, gt=0, description="A transaction that does nothing for longer is ended."
    )

    @model_validator(mode="before")
    @classmethod
    def _come_with_passwords(cls, given: Any) -> Any:
        return completed(
            given,
            database_url="database_password",
            request_database_url="request_database_password",
        )


@asynccontextmanager
async def open_pool(
    url: SecretStr,
    settings: DatabaseSettings,
    *,
    name: str,
    size: int,
    lesson: Lesson | None = None,
    by_key: bool = False,
    planned_once: bool = False,
) -> AsyncGenerator[Pool]:
    """A pool that waits for the database to be there, and leaves nothing open behind.

    The role's search_path is set where the role is made, so statements name tables alone.
    `by_key` is for work that only ever looks rows up: a plan made while a table was small, which
    reads all of it, is kept until PostgreSQL has counted again, and the table grows meanwhile.
    `planned_once` is for statements that are best served by one plan, whatever they are asked.
    """
    plans = {
        "enable_seqscan": "off" if by_key else "on",
        "plan_cache_mode": "force_generic_plan" if planned_once else "auto",
    }
    pool = await _when_there(url, settings, name, size, lesson, plans)
    POOLS.show(pool, urlsplit(url.get_secret_value()).username or "")
    try:
        yield pool
    finally:
        POOLS.hide(pool)
        try:
            async with asyncio.timeout(10):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _when_there(
    url: SecretStr,
    settings: DatabaseSettings,
    name: str,
    size: int,
    lesson: Lesson | None,
    plans: dict[str, str],
) -> Pool:
    said: str | None = None
    while True:
        try:
            return await asyncpg.create_pool(
                url.get_secret_value(),
                min_size=1,
                max_size=size,
                timeout=10,
                command_timeout=settings.database_statement_seconds + 5,
                server_settings=_server_settings(settings, name) | plans,
                # A restarted server must not meet plans of its former life.
                max_inactive_connection_lifetime=300,
                init=lesson,
                reset=_nothing_to_reset,
            )
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresConnectionError,
            asyncpg.CannotConnectNowError,
            asyncpg.TooManyConnectionsError,
        ) as error:
            if str(error) != said:
                said = str(error)
                log.warning("waiting for the database", pool=name, error=said)
            await asyncio.sleep(_CONNECT_RETRY_SECONDS)


async def _nothing_to_reset(_: Connection) -> None:
    """Whatever is set is set for a transaction, and asyncpg ends one that was left open by itself.

    Its own reset asks the server once more each time a connection is given back.
    """


def _server_settings(settings: DatabaseSettings, name: str) -> dict[str, Any]:
    def milliseconds(seconds: float) -> str:
        return str(int(seconds * 1000))

    return {
        "application_name": name,
        "statement_timeout": milliseconds(settings.database_statement_seconds),
        "idle_in_transaction_session_timeout": milliseconds(
            settings.database_idle_transaction_seconds
        ),
        "lock_timeout": milliseconds(settings.database_statement_seconds),
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "jit": "off",  # short statements; compiling costs more than it gives
    }
