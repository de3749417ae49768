"""How long until Postbus is ready: from nothing, and from a second start.

From nothing is a fresh clone and no cache of uv or pip: tools, wheels, database and demo mail
are fetched and made. What the registry and the network take is in it. Run by `./just bench up`.
"""

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READY = "Postbus is ready:"
PORTS = 10


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="postbus-bench-") as temporary:
        directory = Path(temporary)
        clone = directory / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        environment = surroundings(directory)
        nothing, _ = run(clone, environment)
        second, stop = run(clone, environment)
    say(f"From nothing to ready  {nothing:6.1f} s")
    say(f"From a second start    {second:6.1f} s")
    say(f"Stopping               {stop:6.1f} s")
    machine = hardware()
    say(" · ".join(f"{name} {value}" for name, value in machine.items()))
    measured = {
        "benchmark": "up",
        "from_nothing_seconds": round(nothing, 2),
        "second_start_seconds": round(second, 2),
        "stop_seconds": round(stop, 2),
    }
    say(json.dumps(measured | machine))
    return 0


def surroundings(directory: Path) -> dict[str, str]:
    """An environment without uv, just, their caches, or a platform's settings."""
    tools = ("uv", "just")
    path = [
        entry
        for entry in os.environ["PATH"].split(os.pathsep)
        if not any((Path(entry) / tool).exists() for tool in tools)
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTBUS_")}
    for name in ("UV", "PYTHONDONTWRITEBYTECODE"):  # the second costs seconds at every start
        kept.pop(name, None)
    return kept | {
        "PATH": os.pathsep.join(path),
        "POSTBUS_PYTHON": getattr(sys, "_base_executable", sys.executable),
        "POSTBUS_PORT": str(free_ports()),
        "UV_CACHE_DIR": str(directory / "uv-cache"),
        "PIP_NO_CACHE_DIR": "1",
    }


def run(clone: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds until `up` was ready, and until `down` had ended it."""
    just = str(clone / "just")
    began = time.monotonic()
    up = subprocess.Popen(
        [just, "up"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert up.stdout is not None
    said: list[str] = []
    for line in up.stdout:
        said.append(line)
        if line.startswith(READY):
            break
    ready = time.monotonic() - began
    began = time.monotonic()
    subprocess.run([just, "down"], env=environment, check=True, stdout=subprocess.DEVNULL)
    said += up.communicate()[0].splitlines(keepends=True)
    if not any(line.startswith(READY) for line in said):
        sys.exit("Postbus did not become ready:\n" + "".join(said))
    return ready, time.monotonic() - began


def free_ports() -> int:
    """The first of so many ports in a row that nobody listens on."""
    for first in range(21000, 30000, PORTS):
        try:
            for port in range(first, first + PORTS):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise SystemExit("There are no ten free ports in a row.")


def hardware() -> dict[str, str | int]:
    """What was measured on, and when."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [
            line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0].partition(": ")[2] if models else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": cpu,
        "cores": os.cpu_count() or 0,
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
