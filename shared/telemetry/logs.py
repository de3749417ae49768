"""Logs: one JSON object a line on stdout, whoever wrote it.

Our own loggers (structlog) and those of libraries (logging) end in the same renderer. What
`log_context` binds stands in every line written inside it, also by libraries and by tasks
started there. Passwords, tokens and the like are blanked by name here as the last resort:
nothing may be logged in the hope of it.
"""

import io
import logging
import re
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from datetime import date
from functools import lru_cache
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.telemetry.settings import LogFormat, LogLevel

_HIDDEN = "[hidden]"
# A key is hidden when one of its words is among these ...
_SECRET_WORDS = frozenset(
    [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "authorization",
        "credential",
        "credentials",
        "cookie",
        "sealed",
    ]
)
# ... or when it ends in one of these (`access_token`, but not `token_count`).
_SECRET_ENDS = frozenset(["token", "tokens", "jwt"])
# ... or is one of these.
_SECRET_LAST_TWO = frozenset(("api_key", "private_key"))
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_PASSWORD_IN_URL = re.compile(r"(\w://[^\s:/@]*:)[^\s/@]+(?=@)")

# These add a handler of their own, wherever they are imported or a broker is made, unless
# they find one that writes to stdout.
_LOGGERS_WITH_HANDLERS = ("faststream", "faststream.access.nats")
_LIBRARY_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "litestar", "nats")


def configure(service: str, level: LogLevel = "INFO", format: LogFormat = "json") -> None:
    """Let everything this process logs go to stdout in one form; call it first of all."""

    def name_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    every_line: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    renderer: Processor
    if format == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=every_line,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            hide_secrets,
            renderer,
        ],
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What cannot be encoded (half a character from a broken header) must not cost the line.
        sys.stdout.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)

    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _LOGGERS_WITH_HANDLERS:
        library = logging.getLogger(name)
        library.handlers = [handler]
        library.propagate = False
        library.setLevel(level)
    for name in _LIBRARY_LOGGERS:
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
    # That a server started and ended is ours to say.
    logging.getLogger("uvicorn").setLevel("DEBUG" if level == "DEBUG" else "WARNING")
    logging.captureWarnings(True)

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *every_line,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def log_context(
    *,
    request_id: str | None = None,
    tenant_id: UUID | str | None = None,
    user_id: UUID | str | None = None,
    event_id: UUID | str | None = None,
) -> AbstractContextManager[None]:
    """Let every line logged inside say for whom and because of what it was written."""
    given = {
        "request_id": request_id,
        "tenant_id": tenant_id,
        "user_id": user_id,
        "event_id": event_id,
    }
    return structlog.contextvars.bound_contextvars(
        **{name: str(value) for name, value in given.items() if value is not None}
    )


def hide_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blank what is secret by its name, and passwords in URLs wherever they stand."""
    return {key: _HIDDEN if _is_secret(key) else _shown(value) for key, value in event.items()}


@lru_cache(maxsize=1024)  # the names in our own log lines are few
def _is_secret(key: str) -> bool:
    words = [word.lower() for word in _WORD.findall(key)]
    return (
        not _SECRET_WORDS.isdisjoint(words)
        or (bool(words) and words[-1] in _SECRET_ENDS)
        or "_".join(words[-2:]) in _SECRET_LAST_TWO
    )


def _shown(value: object) -> object:
    """The value in plain types only, so that no renderer looks inside an object by itself."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _PASSWORD_IN_URL.sub(rf"\1{_HIDDEN}", value) if "://" in value else value
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case UUID() | date():
            return str(value)
        case Mapping():
            return {
                str(key): _HIDDEN if _is_secret(str(key)) else _shown(item)
                for key, item in value.items()
            }
        case list() | tuple() | AbstractSet():
            return [_shown(item) for item in value]
        case _:
            return _PASSWORD_IN_URL.sub(rf"\1{_HIDDEN}", repr(value))
