"""What orchestrators and Prometheus ask of a process: /health, /ready, /metrics.

/health says that the process answers; it never looks further, so that a database that is
away restarts nobody. /ready says whether work can be done now.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec
import structlog
from prometheus_client import make_asgi_app

from shared.telemetry.serving import serve

# Returns when the thing is ready; raises, or returns False, when it is not.
Check: TypeAlias = Callable[[], Awaitable[object]]
Outcome: TypeAlias = Literal["ok", "failed", "timed out"]

_log = structlog.stdlib.get_logger()

_abandoned: set[asyncio.Future[object]] = set()  # kept from the garbage collector until they end


@dataclass(frozen=True, slots=True)
class Readiness:
    """What each check found."""

    checks: Mapping[str, Outcome]

    @property
    def ready(self) -> bool:
        return all(outcome == "ok" for outcome in self.checks.values())

    @property
    def status_code(self) -> Literal[200, 503]:
        return 200 if self.ready else 503

    def as_json(self) -> dict[str, object]:
        return {"status": "ok" if self.ready else "unavailable", "checks": dict(self.checks)}


async def readiness(checks: Mapping[str, Check], *, limit_seconds: float = 2.0) -> Readiness:
    """Run all checks at once, each within the limit."""
    outcomes = await asyncio.gather(
        *(_outcome(name, check, limit_seconds) for name, check in checks.items())
    )
    return Readiness(dict(zip(checks, outcomes, strict=True)))


def probes_app(checks: Mapping[str, Check], *, limit_seconds: float = 2.0) -> Any:
    """An ASGI app with /health, /ready and /metrics and nothing else."""
    metrics = make_asgi_app()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, {"status": "only GET and HEAD"}, allow=b"GET, HEAD")
            return
        match scope["path"]:
            case "/health":
                await _answer(send, 200, {"status": "ok"})
            case "/ready":
                found = await readiness(checks, limit_seconds=limit_seconds)
                await _answer(send, found.status_code, found.as_json())
            case "/metrics":
                await metrics(scope, receive, send)
            case _:
                await _answer(send, 404, {"status": "not found"})

    return app


def serve_probes(
    host: str, port: int, checks: Mapping[str, Check], *, limit_seconds: float = 2.0
) -> AbstractAsyncContextManager[int]:
    """Serve the probes while inside; yields the port. Raises AddressTaken."""
    app = probes_app(checks, limit_seconds=limit_seconds)
    return serve(app, host=host, port=port, grace_seconds=1)


async def _outcome(name: str, check: Check, limit_seconds: float) -> Outcome:
    running = asyncio.ensure_future(check())
    try:
        done, _ = await asyncio.wait({running}, timeout=limit_seconds)
    finally:
        if not running.done():
            # A database that hangs does not even let go: nobody waits for the end of this.
            running.cancel()
            _abandoned.add(running)
            running.add_done_callback(_forget)
    if not done:
        _log.warning("not ready", check=name, outcome="timed out")
        return "timed out"
    try:
        passed = running.result()
    except Exception as failure:  # noqa: BLE001 - a check fails by raising whatever it likes
        _log.warning("not ready", check=name, outcome="failed", error=repr(failure))
        return "failed"
    return "failed" if passed is False else "ok"


def _forget(check: asyncio.Future[object]) -> None:
    _abandoned.discard(check)
    if not check.cancelled():
        check.exception()  # it is looked at, so that asyncio does not complain


async def _answer(
    send: Any, status: int, body: dict[str, object], *, allow: bytes | None = None
) -> None:
    content = msgspec.json.encode(body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if allow:
        headers.append((b"allow", allow))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
