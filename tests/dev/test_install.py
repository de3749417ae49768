import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.dev import lock

ROOT = Path(__file__).resolve().parents[2]


def tool(name):
    found = shutil.which(name, path=f"{ROOT / '.tools/bin'}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"there is no {name}")
    return Path(found)


@pytest.fixture
def clone(tmp_path):
    clone = tmp_path / "a clone with spaces"
    clone.mkdir()
    shutil.copy(ROOT / "just", clone)
    (clone / "justfile").write_text("where:\n    @pwd\n\nsays *WORDS:\n    @echo {{ WORDS }}\n")
    return clone


def with_tools(clone):
    (clone / ".tools/bin").mkdir(parents=True)
    for name in ("uv", "just"):
        (clone / ".tools/bin" / name).symlink_to(tool(name))


def run(command, cwd, **environment):
    return subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True
    )


def test_just_runs_a_recipe_from_anywhere_in_a_clone_with_spaces(clone, tmp_path):
    with_tools(clone)
    assert run([clone / "just", "where"], tmp_path).stdout == f"{clone}\n"
    assert run([clone / "just", "says", "a", "b"], tmp_path).stdout == "a b\n"


def test_just_needs_no_network_once_its_tools_are_there(clone):
    with_tools(clone)
    unreachable = "http://127.0.0.1:1"
    ran = run([clone / "just", "where"], clone, PIP_INDEX_URL=unreachable, UV_OFFLINE="1")
    assert ran.returncode == 0


def test_just_says_which_python_is_missing(clone, tmp_path):
    stand_in = tmp_path / "bin"
    stand_in.mkdir()
    for name in ("dirname", "sh"):
        (stand_in / name).symlink_to(shutil.which(name))
    ran = run([clone / "just", "where"], clone, PATH=str(stand_in), POSTBUS_PYTHON="")
    assert ran.returncode != 0
    assert "Python 3.11 or newer is needed" in ran.stderr


def test_the_lock_is_made_from_todays_dependencies_and_names_no_address():
    assert lock.check() == 0


def test_a_new_dependency_makes_the_lock_stale(monkeypatch, tmp_path, capsys):
    project = (ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(
        project.replace("dependencies = [", 'dependencies = [\n    "another>=1",', 1)
    )
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    assert lock.check() == 1
    assert "./just lock" in capsys.readouterr().err
