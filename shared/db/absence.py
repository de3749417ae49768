"""A database that is away, or too busy: no fault of what was asked of it, and never for ever."""

import socket
from collections.abc import Generator
from contextlib import contextmanager

import asyncpg
import structlog

log = structlog.get_logger()


def is_away(error: BaseException) -> bool:
    """Whether this error says that the database is not there, which is no statement's fault."""
    if is_busy(error) or isinstance(error, asyncpg.DataError):
        return False
    # Connecting to a name with several addresses, or over a line that is cut, raises a plain
    # OSError; the kinds of it that speak of files are bugs.
    return type(error) is OSError or isinstance(
        error,
        (
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,  # shutdown, crash, starting up
            asyncpg.InsufficientResourcesError,  # disk full, too many connections
            asyncpg.InterfaceError,  # the connection went under us
            asyncpg.InternalClientError,  # the same, noticed in the middle of a transaction
            asyncpg.ReadOnlySQLTransactionError,
            ConnectionError,
            TimeoutError,
            socket.gaierror,  # a server that is not started has no name in some networks
        ),
    )


def is_busy(error: BaseException) -> bool:
    """Whether this statement waited too long, took too long, or met others: it may be tried again.

    Of a fact that is heard this counts as a failure all the same: what always takes too long
    would otherwise hold up all that comes after it.
    """
    return isinstance(
        error,
        (
            asyncpg.QueryCanceledError,  # statement_timeout
            asyncpg.LockNotAvailableError,  # lock_timeout
            asyncpg.DeadlockDetectedError,
            asyncpg.SerializationError,
        ),
    )


@contextmanager
def putting_off(what: str) -> Generator[None]:
    """Leave off where the database is away or too busy: whoever does this does it again later."""
    try:
        yield
    except Exception as error:
        if not is_away(error) and not is_busy(error):
            raise
        log.warning("put off", what=what, error=str(error) or repr(error))
