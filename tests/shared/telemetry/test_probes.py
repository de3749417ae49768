import asyncio
import socket

import httpx
import pytest

from shared.telemetry import AddressTaken, serve, serve_probes


async def well() -> None: ...


async def failing() -> None:
    raise ConnectionError("postgresql://sync:hunter2@db is away")


async def hanging() -> None:
    await asyncio.Event().wait()


async def says_no() -> bool:
    return False


async def ask(port: int, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.request(method, f"http://127.0.0.1:{port}{path}")


async def test_a_process_that_can_work_is_ready():
    async with serve_probes("127.0.0.1", 0, {"database": well, "bus": well}) as port:
        ready = await ask(port, "/ready")

    assert ready.status_code == 200
    assert ready.json() == {"status": "ok", "checks": {"database": "ok", "bus": "ok"}}


async def test_what_is_missing_is_named_and_nothing_else_is_told():
    checks = {"database": failing, "bus": well, "lease": hanging, "keys": says_no}
    async with serve_probes("127.0.0.1", 0, checks, limit_seconds=0.1) as port:
        ready = await ask(port, "/ready")

    assert ready.status_code == 503
    assert ready.json() == {
        "status": "unavailable",
        "checks": {"database": "failed", "bus": "ok", "lease": "timed out", "keys": "failed"},
    }


async def test_what_hangs_and_does_not_even_let_go_is_not_waited_for():
    let_go = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await let_go.wait()

    async with serve_probes("127.0.0.1", 0, {"database": stubborn}, limit_seconds=0.1) as port:
        async with asyncio.timeout(2):
            ready = await ask(port, "/ready")
    let_go.set()

    assert ready.status_code == 503
    assert ready.json()["checks"] == {"database": "timed out"}


async def test_a_process_without_its_database_is_alive():
    async with serve_probes("127.0.0.1", 0, {"database": hanging}) as port:
        health = await ask(port, "/health")

    assert (health.status_code, health.json()) == (200, {"status": "ok"})


async def test_metrics_tell_of_the_process_and_its_event_loop():
    async with serve_probes("127.0.0.1", 0, {}) as port:
        metrics = await ask(port, "/metrics")

    assert metrics.status_code == 200
    assert "text/plain" in metrics.headers["content-type"]
    assert "process_resident_memory_bytes" in metrics.text
    assert "postbus_process_event_loop_lag_seconds" in metrics.text


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", 404),
        ("POST", "/health", 405),
        ("GET", "/metrics/x", 404),
        ("HEAD", "/health", 200),
    ],
)
async def test_nothing_else_is_served(method: str, path: str, expected: int):
    async with serve_probes("127.0.0.1", 0, {}) as port:
        assert (await ask(port, path, method)).status_code == expected


async def test_a_port_in_use_is_said_in_words():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressTaken, match=f"127.0.0.1 port {port}"):
            async with serve_probes("127.0.0.1", port, {}):
                pass


async def test_the_port_is_free_again_at_once():
    async with serve_probes("127.0.0.1", 0, {}) as port:
        await ask(port, "/health")
    async with serve_probes("127.0.0.1", port, {}) as again:
        assert again == port


async def test_an_error_in_the_process_is_the_one_that_is_seen():
    with pytest.raises(LookupError):
        async with serve_probes("127.0.0.1", 0, {}):
            raise LookupError


async def test_a_request_under_way_is_answered_before_the_end():
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: object, receive: object, send: object) -> None:
        entered.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"done"})  # type: ignore[operator]

    async with serve(slow, host="127.0.0.1", port=0) as port:
        asked = asyncio.create_task(ask(port, "/"))
        await entered.wait()
        asyncio.get_running_loop().call_later(0.2, go_on.set)
    assert (await asked).text == "done"
