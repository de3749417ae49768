"""The key that opens backups: made once, shown once, and kept by whoever operates this."""

import os
from pathlib import Path

from infra.backup.sealed import Key

HEADER = (
    "# Backups are sealed for these keys. The private half is nowhere here: it was shown once.\n"
)


def make(file: Path) -> str | None:
    """The private half of a new key, whose public half is in the file; None if there is one."""
    if file.exists():
        return None
    key = Key.new()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(HEADER + key.public + "\n")
    return key.private
