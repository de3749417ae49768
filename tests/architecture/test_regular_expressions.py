"""Regular expressions mean the same on every Python that is supported."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A possessive group, or an atomic one. Of single characters, as in `[^"]*+`, they are sound.
POSSESSIVE_GROUP = re.compile(r"\)[*+?]\+|\)\{\d*,?\d*\}\+|\(\?>")


def test_no_group_is_possessive() -> None:
    # Before 3.11.5 Python finds no match, or another, where something inside could give way
    # (python/cpython#106052): with Debian 12's, no answer to a search would be understood.
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("services", "shared", "infra")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text().splitlines()
        if POSSESSIVE_GROUP.search(line)
    ]
    assert found == []
