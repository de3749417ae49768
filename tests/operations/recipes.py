"""The recipes of the justfile in a directory of their own, with a stand-in for Docker."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def just() -> str:
    found = shutil.which("just", path=f"{ROOT / '.tools/bin'}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("there is no just")
    return found


def recipes() -> dict[str, dict[str, object]]:
    dumped = subprocess.run(
        [just(), "--justfile", ROOT / "justfile", "--dump", "--dump-format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(dumped.stdout)["recipes"]


class Clone:
    """A clone without a stack: what Docker is told is written down (`stand_in_docker`)."""

    def __init__(self, directory: Path) -> None:
        self.path, self._said = directory / "clone", directory / "said"
        self.path.mkdir()
        shutil.copy(ROOT / "justfile", self.path)
        shutil.copytree(ROOT / "infra/scripts", self.path / "infra/scripts")
        self.bin = directory / "bin"
        self.bin.mkdir()
        shutil.copy(Path(__file__).with_name("stand_in_docker"), self.bin / "docker")

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self._said.write_text("")
        return subprocess.run(
            [just(), "--justfile", self.path / "justfile", *words],
            cwd=self.path,
            env=os.environ
            | {"SAID": str(self._said), "IMAGES": "nats:2\npostbus-api:1\npostbus-sync:1"}
            | {"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin"}
            | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def did(self, *words: str, **environment: str) -> list[str]:
        """What Docker was told by a recipe that ends well."""
        done = self.run(*words, **environment)
        assert done.returncode == 0, done.stderr
        return self.said()

    def said(self) -> list[str]:
        return [" ".join(json.loads(line)) for line in self._said.read_text().splitlines()]

    def installs(self, name: str, script: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)
