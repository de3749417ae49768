"""The import rules of pyproject.toml hold."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_services_meet_only_on_the_bus_and_rooms_are_entered_from_the_top() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_the_shared_rooms_are_six() -> None:
    rooms = {path.name for path in (ROOT / "shared").iterdir() if (path / "__init__.py").exists()}
    assert rooms == {"contracts", "bus", "db", "telemetry", "dial", "seal"}
