"""What was measured on, and whose processor time it took."""

import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import psutil

FSYNCS = 60
LOOK_SECONDS = 0.2
_WORK = "sum(hash(str(n)) for n in range(1_500_000))"


def hardware() -> dict[str, str | int | float]:
    """The machine and the day; a durable figure means nothing without its disk's fsync."""
    cpuinfo = Path("/proc/cpuinfo")
    models = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": models[0].partition(": ")[2] if models else platform.machine(),
        "cores": os.cpu_count() or 0,
        "cores_are_worth": round(cores_are_worth(), 2),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "disk": filesystem(),
        "fsync_milliseconds": round(fsync_milliseconds(), 3),
        "load_before": round(os.getloadavg()[0], 2),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def cores_are_worth() -> float:
    """How many times as much as one core all of them do: two threads of a core are not two."""
    cores = os.cpu_count() or 1
    return cores * _seconds(1) / _seconds(cores)


def _seconds(processes: int) -> float:
    """Until so many processes have each done the same."""
    began = time.perf_counter()
    running = [subprocess.Popen([sys.executable, "-c", _WORK]) for _ in range(processes)]
    for each in running:
        each.wait()
    return time.perf_counter() - began


def filesystem() -> str:
    """What the temporary directory lies on: in memory, an fsync costs nothing."""
    said = subprocess.run(
        ["stat", "-f", "-c", "%T", tempfile.gettempdir()],
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def fsync_milliseconds() -> float:
    """The median time until 8 KiB more of a file are on disk."""
    taken: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(FSYNCS):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return sorted(taken)[FSYNCS // 2] * 1000


@dataclass(frozen=True)
class Processor:
    """Seconds of processor time that trees of processes have used, by name."""

    used: Mapping[str, float]
    busy: float  # of the whole machine, also by others

    @classmethod
    def now(cls, roots: Mapping[str, int]) -> Self:
        """Of each root process and everything below it, also what ended meanwhile.

        A root below another root counts by itself, not with the other.
        """
        whole = psutil.cpu_times()
        busy = sum(whole) - whole.idle - getattr(whole, "iowait", 0.0)
        busy -= getattr(whole, "guest", 0.0) + getattr(whole, "guest_nice", 0.0)  # counted twice
        return cls(_by_root(roots), busy)

    def since(self, before: Self) -> dict[str, float]:
        """What each has used since then; `others` is what nobody of them used."""
        used = {
            name: max(0.0, seconds - before.used.get(name, 0.0))
            for name, seconds in self.used.items()
        }
        used["others"] = max(0.0, self.busy - before.busy - sum(used.values()))
        return used


def _by_root(roots: Mapping[str, int]) -> dict[str, float]:
    """Every process counts with the nearest root above it (proc(5), `/proc/PID/stat`)."""
    parent: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue  # it has ended
        parent[int(entry.name)] = int(fields[1])
        # User, system, and both again for what ended and was waited for.
        ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    names = {pid: name for name, pid in roots.items()}
    used = dict.fromkeys(roots, 0.0)
    for pid, spent in ticks.items():
        at = pid
        while at and at not in names:
            at = parent.get(at, 0)
        if at:
            used[names[at]] += spent / os.sysconf("SC_CLK_TCK")
    return used


def memory_kilobytes(pid: int) -> int:
    """What the process and everything below it keep in memory, shared pages counted once (PSS)."""
    total = 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


class Peak:
    """The most memory that a process and its children took while somebody looked."""

    def __init__(self) -> None:
        self.kilobytes = 0

    @property
    def megabytes(self) -> float:
        return self.kilobytes / 1000


@contextmanager
def memory_peak(pid: int) -> Generator[Peak]:
    """Look at the process and its children a few times a second while inside."""
    peak = Peak()
    enough = threading.Event()

    def look() -> None:
        while not enough.wait(LOOK_SECONDS):
            peak.kilobytes = max(peak.kilobytes, memory_kilobytes(pid))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peak
    finally:
        enough.set()
        looking.join()
