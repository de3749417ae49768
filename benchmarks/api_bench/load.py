"""wrk on loopback, and what it says."""

import asyncio
import re
import shutil
from dataclasses import dataclass

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class NoLoad(Exception):
    """The load could not be made, or answers were not what they should be."""


@dataclass(frozen=True)
class Load:
    """What was measured at one address."""

    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    count: int  # requests that were answered

    def __str__(self) -> str:
        return (
            f"{self.requests_per_second:,.0f} requests/s, half within"
            f" {self.p50_milliseconds:.1f} ms, 99 % within {self.p99_milliseconds:.1f} ms"
        )


async def load(
    url: str, *, token: str | None = None, seconds: int, connections: int, compressed: bool = False
) -> Load:
    """So many connections, each asking again as soon as it is answered."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoLoad("wrk is not installed (apt-get install wrk)")
    headers = [] if token is None else ["-H", f"Authorization: Bearer {token}"]
    if compressed:
        headers += ["-H", "Accept-Encoding: zstd, gzip"]
    process = await asyncio.create_subprocess_exec(
        *(
            wrk,
            "--latency",
            "--timeout",
            "30s",
            "-t",
            "1",
            "-c",
            str(connections),
            "-d",
            f"{seconds}s",
        ),
        *headers,
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    if process.returncode or "Non-2xx" in said or "Socket errors" in said:
        raise NoLoad(said)
    return Load(
        requests_per_second=float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        p50_milliseconds=_milliseconds(r"50%\s+(\S+)", said),
        p99_milliseconds=_milliseconds(r"99%\s+(\S+)", said),
        count=int(_found(r"(\d+) requests in", said)),
    )


def _found(pattern: str, said: str) -> str:
    found = re.search(pattern, said)
    if found is None:
        raise NoLoad(said)
    return found[1]


def _milliseconds(pattern: str, said: str) -> float:
    value = _found(pattern, said)
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", value)
    if found is None:
        raise NoLoad(said)
    return float(found[1]) * _UNITS[found[2]]
