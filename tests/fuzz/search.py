"""The search for an input that breaks a promise at one door, for some seconds.

Guided by coverage with atheris, which is there for Linux and some versions of Python; elsewhere
inputs are damaged blindly. Either ends at the first find, which is kept in a file and named.
"""

import random
import resource
import signal
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, ModuleType

from tests.fuzz.damage import MAX_BYTES, damaged

DOORS = ("mail", "page", "query", "wire")
INPUT_SECONDS = 10  # far more than any input may take
MEMORY_MEGABYTES = 2_048  # far more than any input may cost


def search(door: str, seconds: int, seed: int, finds: Path) -> None:
    """Does not return: exit status 0 when nothing was found."""
    finds.mkdir(parents=True, exist_ok=True)
    if find_spec("atheris") is None:
        limit = MEMORY_MEGABYTES * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        blindly(_door(door), door, seconds, seed, finds)
        sys.exit(0)
    _guided(door, seconds, seed, finds)


def replay(path: Path) -> None:
    """Try what was found once more; files are named after their door."""
    _door(path.name.partition("-")[0]).check(path.read_bytes())


def _door(name: str) -> ModuleType:
    if name not in DOORS:
        raise SystemExit(f"there is no door {name}; there are {', '.join(DOORS)}")
    return import_module(f"tests.fuzz.{name}")


def _guided(name: str, seconds: int, seed: int, finds: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["services"]):
        door = _door(name)
    corpus = finds / f"{name}.corpus"  # what reached new code; the next search begins with it
    corpus.mkdir(exist_ok=True)
    for number, raw in enumerate(door.seeds()):
        (corpus / f"seed-{number}").write_bytes(raw)
    dictionary = finds / f"{name}.dict"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in door.WORDS), "ascii")
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-timeout={INPUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MEGABYTES}",
            f"-max_len={MAX_BYTES}",
            f"-seed={seed}",
            f"-dict={dictionary}",
            f"-artifact_prefix={finds}/{name}-",
            "-print_final_stats=1",
            "-verbosity=0",
            str(corpus),
        ],
        door.check,
    )
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in word)


def blindly(door: ModuleType, name: str, seconds: float, seed: int, finds: Path) -> None:
    """Damage inputs until the time is over; raises what an input broke, and keeps the input."""
    signal.signal(signal.SIGALRM, _too_long)
    chance = random.Random(seed)
    seeds = list(door.seeds())
    end = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < end:
        raw = damaged(chance, seeds, door.WORDS)
        signal.alarm(INPUT_SECONDS)
        try:
            door.check(raw)
        except BaseException:
            find = finds / f"{name}-{seed}-{tried}"
            find.write_bytes(raw)
            print(f"{name}: a promise is broken; the input is in {find}", flush=True)
            raise
        finally:
            signal.alarm(0)
        tried += 1
    print(f"{name}: {tried} inputs, and every promise is kept")


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"an input took more than {INPUT_SECONDS} s")
