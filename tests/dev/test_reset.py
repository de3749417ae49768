"""`./just reset`: everything is forgotten but what brings it back."""

from pathlib import Path

import pytest

from infra.dev.home import Home, Refused
from infra.dev.reset import reset


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", 8500, demo=True)
    home.make()
    for path in (home.secrets / "passwords.json", home.streams / "x", home.logs / "api.log"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (home.backup_directory / "sets").mkdir(parents=True)
    home.recovery_key.write_text("age1…")
    return home


def test_backups_and_the_key_to_them_outlast_a_reset(home: Home) -> None:
    assert reset(home, ["--yes"]) == 0
    left = {path.name for path in home.path.iterdir()}
    assert left == {".gitignore", "backups", "recovery-key.pub", "run"}


def test_nobody_resets_by_mistake_or_what_runs(home: Home) -> None:
    with pytest.raises(Refused, match="--yes"):
        reset(home, [])
    with home.held(), pytest.raises(Refused, match="already runs"):
        reset(home, ["--yes"])
    assert (home.secrets / "passwords.json").exists()
