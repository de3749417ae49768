"""What the benchmark prints for a person; the last line alone is for programs."""

import sys


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def title(line: str) -> None:
    say()
    say(f"--- {line} ".ljust(90, "-"))
