"""Where the processor time of a running process goes, by function, as py-spy sees it."""

import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

PER_SECOND = 100
SHOWN = 45


def available() -> bool:
    return shutil.which("py-spy") is not None


@contextmanager
def profiled(pids: Mapping[str, int], directory: Path) -> Generator[None]:
    """Sample the processes while inside; afterwards `profile_<name>.txt` says where they were."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as kept:
        spies = {name: _spy(pid, Path(kept, name)) for name, pid in pids.items()}
        try:
            yield
        finally:
            for spy in spies.values():
                spy.send_signal(signal.SIGINT)
            for name, spy in spies.items():
                _, said = spy.communicate(timeout=120)
                samples = Path(kept, name)
                text = _summary(samples.read_text()) if samples.exists() else said
                (directory / f"profile_{name}.txt").write_text(text)


def _spy(pid: int, output: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *("py-spy", "record", "--pid", str(pid), "--subprocesses", "--nonblocking"),
            *("--rate", str(PER_SECOND), "--duration", "3600", "--full-filenames"),
            *("--format", "raw", "--output", str(output)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _summary(raw: str) -> str:
    """The functions with the most time of their own, and with the most below them."""
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    total = 0
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        seen = int(count)
        total += seen
        own[frames[-1]] += seen
        for frame in set(frames):
            below[frame] += seen
    seconds = total / PER_SECOND
    lines = [f"{seconds:.1f} s sampled while running, all threads and child processes"]
    for title, counted in (("of their own", own), ("with what they call", below)):
        lines += ["", f"{'%':>6} {'s':>7}  {title}"]
        lines += [
            f"{count / max(total, 1):6.1%} {count / PER_SECOND:7.2f}  {frame}"
            for frame, count in counted.most_common(SHOWN)
        ]
    return "\n".join(lines) + "\n"


def _short(frame: str) -> str:
    """`function (…/site-packages/x.py:12)` → `function (x.py)`; lines of one function are one."""
    name, _, place = frame.partition(" (")
    path = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    for root in ("site-packages/", "/lib/python3"):
        path = path.rpartition(root)[2]
    parts = path.split("/")
    return f"{name} ({'/'.join(parts[-3:])})" if path else name
