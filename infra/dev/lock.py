"""Pin what is installed: `requirements.lock` and `tools.lock`, with hashes, without addresses.

`python -m infra.dev.lock` resolves anew but keeps what is pinned and still fits; `--upgrade`
takes the newest; `--check` says, without a network, whether the lock fits pyproject.toml.
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
TOOLS_LOCK = ROOT / "infra/dev/tools.lock"
TOOLS = ("uv", "rust-just")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--check"]:
            return check()
        case [] | ["--upgrade"]:
            head = f"# Made by `./just lock`, for the dependencies {_digest()}.\n"
            _resolve(LOCK, head, ["pyproject.toml", "--all-extras", *arguments])
            tools_head = "# uv and just, as ./just installs them. Made by `./just lock`.\n"
            _resolve(TOOLS_LOCK, tools_head, ["-", *arguments], "\n".join(TOOLS))
            return check()
        case _:
            print("usage: python -m infra.dev.lock [--upgrade | --check]", file=sys.stderr)
            return 2


def check() -> int:
    """0 when the lock was made from today's dependencies and names no address."""
    problems: list[str] = []
    if not LOCK.exists() or _digest() not in LOCK.read_text().partition("\n")[0]:
        problems.append("requirements.lock was made from another pyproject.toml: run `./just lock`")
    problems += [
        f"{path.name} names an address: {line}"
        for path in (LOCK, TOOLS_LOCK)
        if path.exists()
        for line in path.read_text().splitlines()
        if "://" in line or line.startswith("-")
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _digest() -> str:
    """A digest of all that resolving depends on, and of nothing else in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        key: project.get(key)
        for key in ("requires-python", "dependencies", "optional-dependencies")
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _resolve(lock: Path, head: str, what: list[str], stdin: str | None = None) -> None:
    # Written to the lock itself, whose pins uv then prefers.
    subprocess.run(
        [
            os.environ.get("UV", "uv"),
            "pip",
            "compile",
            *what,
            "--quiet",
            "--universal",
            "--generate-hashes",
            "--python-version=3.11",
            "--no-python-downloads",
            "--no-header",
            "--no-annotate",
            "--no-emit-index-url",
            "--no-emit-find-links",
            f"--output-file={lock}",
        ],
        cwd=ROOT,
        input=stdin,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    lock.write_text(head + lock.read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
