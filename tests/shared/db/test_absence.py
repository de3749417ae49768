"""What counts as the database being away or too busy, and what is put off then."""

import asyncio
import socket

import asyncpg
import pytest

from shared.db import is_away, is_busy, putting_off
from tests.platform import PASSWORD, Platform


async def test_what_is_away_and_what_is_a_fault(platform: Platform) -> None:
    with pytest.raises(ConnectionRefusedError) as refused:
        await asyncpg.connect("postgresql://x:y@127.0.0.1:1/postbus")
    assert is_away(refused.value)
    url = f"postgresql://sync:not-{PASSWORD}@127.0.0.1:{platform.postgres.port}/postbus"
    with pytest.raises(asyncpg.PostgresError) as wrong_password:
        await asyncpg.connect(url)
    assert not is_away(wrong_password.value)
    connection = await asyncpg.connect(platform.admin_database_url)
    with pytest.raises(asyncpg.PostgresError) as mistake:
        await connection.execute("SELECT nonsense")
    assert not is_away(mistake.value)
    with pytest.raises(asyncpg.PostgresError) as ended:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_away(ended.value)
    await connection.close()
    assert not is_away(ValueError("a bug"))


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (OSError("Multiple exceptions: [Errno 111] ::1, [Errno 111] 127.0.0.1"), True),
        (OSError(113, "No route to host"), True),
        (socket.gaierror(-2, "Name or service not known"), True),
        (TimeoutError(), True),
        (FileNotFoundError(2, "No such file"), False),
        (PermissionError(13, "Permission denied"), False),
    ],
)
def test_a_database_that_cannot_be_reached_is_away_and_a_missing_file_is_a_fault(
    error: OSError, away: bool
) -> None:
    assert is_away(error) is away


async def test_what_took_too_long_or_waited_too_long_is_busy_and_not_away(
    platform: Platform,
) -> None:
    one = await asyncpg.connect(platform.admin_database_url)
    other = await asyncpg.connect(platform.admin_database_url)
    await other.execute("SET statement_timeout = '10ms'")
    with pytest.raises(asyncpg.PostgresError) as slow:
        await other.execute("SELECT pg_sleep(60)")
    await other.execute("SET statement_timeout = 0; SET lock_timeout = '10ms'")
    async with one.transaction():
        await one.execute("LOCK TABLE api.mailbox IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(asyncpg.PostgresError) as locked:
            await other.execute("SELECT * FROM api.mailbox")
    for error in (slow.value, locked.value):
        assert is_busy(error)
        assert not is_away(error)
    await one.close()
    await other.close()


async def test_work_is_put_off_while_the_database_is_away_and_done_when_it_is_back(
    platform: Platform,
) -> None:
    pool = await asyncpg.create_pool(platform.admin_database_url, min_size=1, max_size=1)
    done: list[str] = []
    for what in ("SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1"):
        with putting_off("counting"):
            await pool.fetchval(what)
            done.append(what)
    assert done == ["SELECT 1"]
    await pool.close()


def test_a_bug_is_not_put_off_and_neither_is_the_end() -> None:
    with pytest.raises(ValueError, match="a bug"), putting_off("counting"):
        raise ValueError("a bug")
    with pytest.raises(asyncio.CancelledError), putting_off("counting"):
        raise asyncio.CancelledError
