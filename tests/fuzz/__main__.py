"""Look for inputs that break a promise: `./just fuzz [SECONDS] [--only DOOR] [--seed N]`.

What is found is kept in .postbus/fuzz; `./just fuzz --replay FILE` tries it again.
"""

import argparse
import random
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.search import DOORS, replay, search

ROOT = Path(__file__).resolve().parents[2]
FINDS = ROOT / ".postbus" / "fuzz"
_TRIED = re.compile(r"number_of_executed_units: (\d+)|: (\d+) inputs")
_LINES_SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=int, nargs="?", default=60, help="for each door (60)")
    parser.add_argument("--only", choices=DOORS, help="one door, and all of what is said")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2**31))
    parser.add_argument("--replay", type=Path, help="a file that was found")
    arguments = parser.parse_args()
    if arguments.replay:
        replay(arguments.replay)
        print("every promise is kept")
        return 0
    if arguments.only:
        search(arguments.only, arguments.seconds, arguments.seed, FINDS)
    broken = [door for door in DOORS if not _holds(door, arguments.seconds, arguments.seed)]
    print(f"broken: {', '.join(broken)}" if broken else "every promise is kept at every door")
    return bool(broken)


def _holds(door: str, seconds: int, seed: int) -> bool:
    """Each door in a process of its own, which an input may end."""
    print(f"{door}: {seconds} s from seed {seed} … ", end="", flush=True)
    FINDS.mkdir(parents=True, exist_ok=True)
    log = FINDS / f"{door}.log"
    with log.open("wb") as said:
        ran = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", str(seconds), "--only", door, "--seed", str(seed)],
            cwd=ROOT,
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = log.read_text("utf-8", "replace")
    tried = _TRIED.search(text)
    if ran.returncode == 0 and tried:
        print(f"{tried[1] or tried[2]} inputs, every promise kept")
        return True
    print(f"BROKEN, and said in {log}:")
    print("\n".join(text.splitlines()[-_LINES_SHOWN:]))
    return False


if __name__ == "__main__":
    sys.exit(main())
