"""How fast the gateway answers, beside what people would write instead.

A list of 50 messages by one gateway process, with authentication, row-level security and limits,
beside Flask with Gunicorn (four workers of two threads) and psycopg2: once bare, and once doing the
same. Then a message opened, and event streams by the thousand. All on loopback, by wrk.

Run by `./just bench api`; `--only NAME` runs one part. The last line is JSON, for programs.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.api_bench.ground import (
    Bench,
    Server,
    filled_bench,
    flask,
    gateway,
    sync_that_answers,
)
from benchmarks.api_bench.load import Load, load
from benchmarks.api_bench.sse import measure_streams
from benchmarks.machine import Processor, hardware
from benchmarks.say import say, title

MESSAGES = 10_000
STREAMS = (1_000, 10_000)
FLOOR_BARE, FLOOR_EQUAL = 1.2, 2.5


@dataclass
class Run:
    """What was asked, and what was measured so far."""

    bench: Bench
    seconds: int
    connections: int
    rounds: int
    figures: dict[str, object] = field(default_factory=dict[str, object])

    async def measure(self, about: str, server: Server, path: str, *, token: str | None) -> Load:
        """The middle of some rounds, after one that only warms up."""
        url = server.url + path
        await load(url, token=token, seconds=2, connections=self.connections)
        roots = {"server": server.pid, "PostgreSQL": self.bench.platform.postgres.pid}
        before = Processor.now(roots)
        loads = [
            await load(url, token=token, seconds=self.seconds, connections=self.connections)
            for _ in range(self.rounds)
        ]
        used = Processor.now(roots).since(before)
        total = sum(one.count for one in loads)
        middle = sorted(loads, key=lambda one: one.requests_per_second)[len(loads) // 2]
        say(
            f"{about:<36}{middle}; each took {used['server'] / total * 1000:.2f} ms of a processor,"
            f" and {used['PostgreSQL'] / total * 1000:.2f} ms in PostgreSQL"
        )
        return middle


async def lists(run: Run) -> None:
    """50 messages of a mailbox, newest first; each contender alone."""
    bench = run.bench
    path = f"/api/v1/messages?mailbox_id={bench.mailbox}&limit=50"
    async with gateway(bench) as server:
        ours = await run.measure("the gateway, one process", server, path, token=bench.token)
    async with flask(bench) as server:
        bare = await run.measure("Flask, Gunicorn 4×2, bare", server, "/bare", token=None)
        equal = await run.measure(
            "Flask, Gunicorn 4×2, doing the same", server, "/equal", token=bench.token
        )
    against_bare = ours.requests_per_second / bare.requests_per_second
    against_equal = ours.requests_per_second / equal.requests_per_second
    say(
        f"{against_bare:.2f}× the bare one's (at least {FLOOR_BARE}),"
        f" {against_equal:.2f}× the equal one's (at least {FLOOR_EQUAL})"
    )
    run.figures |= {
        "list_requests_per_second": round(ours.requests_per_second),
        "list_p99_milliseconds": round(ours.p99_milliseconds, 2),
        "flask_requests_per_second": round(bare.requests_per_second),
        "flask_p99_milliseconds": round(bare.p99_milliseconds, 2),
        "flask_equal_requests_per_second": round(equal.requests_per_second),
        "flask_equal_p99_milliseconds": round(equal.p99_milliseconds, 2),
    }


async def opening(run: Run) -> None:
    """A message with its text and sanitised HTML, asked of sync for each request."""
    bench = run.bench
    path = f"/api/v1/messages/{bench.message}"
    async with sync_that_answers(bench.platform), gateway(bench) as server:
        opened = await run.measure("a message opened", server, path, token=bench.token)
    run.figures |= {
        "open_requests_per_second": round(opened.requests_per_second),
        "open_p99_milliseconds": round(opened.p99_milliseconds, 2),
    }


async def streams(run: Run) -> None:
    """Event streams, 100 of each tenant: what they cost, and when an event is with all of them."""
    for count in STREAMS:
        async with gateway(run.bench) as server:
            crowd = await measure_streams(server, count)
            crowd.show()
    run.figures |= {
        "sse_clients": crowd.clients,
        "sse_kilobytes_per_client": round(crowd.kilobytes_each, 1),
        "sse_fanout_p50_milliseconds": round(crowd.p50_milliseconds, 1),
        "sse_fanout_p99_milliseconds": round(crowd.p99_milliseconds, 1),
    }


PARTS: dict[str, Callable[[Run], Awaitable[None]]] = {
    "list": lists,
    "open": opening,
    "sse": streams,
}


async def main(arguments: argparse.Namespace) -> None:
    machine = hardware()
    say("  ".join(f"{name}: {value}" for name, value in machine.items()))
    parts = arguments.only or list(PARTS)
    async with filled_bench(arguments.messages) as bench:
        run = Run(bench, arguments.seconds, arguments.connections, arguments.rounds)
        for name in parts:
            title(f"{name}: {PARTS[name].__doc__}")
            await PARTS[name](run)
    say()
    say(json.dumps(run.figures | {"hardware": machine}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, prog="./just bench api")
    parser.add_argument("--only", action="append", choices=PARTS, help="run only this part")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="in the mailbox")
    parser.add_argument("--seconds", type=int, default=10, help="of load in each round")
    parser.add_argument("--rounds", type=int, default=3, help="of which the middle counts")
    parser.add_argument("--connections", type=int, default=32, help="that ask at a time")
    asyncio.run(main(parser.parse_args()))
