"""`python -m tests.compose`: build the stack, start it, walk through it, hurt it, and see it heal.

With a daemon that answers, its images are used; else one is started for the test (as root) on base
images made here. What is built is what the clone holds now, from a copy of it, with secrets of its
own. `--directory` keeps what was made, for a faster next time.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.compose import stand_ins
from tests.compose.daemon import NoDaemon, a_daemon
from tests.compose.stack import Stack
from tests.compose.walk import WALK
from tests.servers.process import free_ports

ROOT = Path(__file__).parents[2]
PROFILES = tuple(f"--profile={name}" for name in ("mail", "mail-admin", "restore"))
PORTS = ("HTTP", "HTTPS", "SMTP", "SUBMISSION", "IMAPS")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./just test-compose", description=__doc__)
    parser.add_argument("--directory", type=Path, help="keep images and base images here")
    given = parser.parse_args()
    try:
        with ExitStack() as open_things:
            directory = open_things.enter_context(_directory(given.directory))
            if open_things.enter_context(a_daemon(directory)):
                stand_ins.make(directory)
            stack = open_things.enter_context(_running(directory))
            for step in WALK:
                began = time.monotonic()
                print(f"test-compose: {step.__name__.replace('_', ' ')}", flush=True)
                step(stack)
                print(f"  took {time.monotonic() - began:.0f} s", flush=True)
    except NoDaemon as reason:
        print(f"test-compose: nothing was tested: {reason}", file=sys.stderr)
        return 3
    print("test-compose: all of it holds")
    return 0


@contextmanager
def _directory(kept: Path | None) -> Generator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="postbus-compose-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _running(directory: Path) -> Generator[Stack]:
    tree = directory / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    ports: dict[str, int] = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    os.environ |= {f"TEST_{name}_PORT": str(port) for name, port in ports.items()}
    os.environ |= {
        "COMPOSE_PROJECT_NAME": "postbus-test",
        "COMPOSE_FILE": "compose.yaml:tests/compose/override.yaml",
        "COMPOSE_PARALLEL_LIMIT": "1",
        "COMPOSE_BAKE": "false",  # which asks somebody before a build may use the network
        "POSTBUS_HOSTNAME": "localhost",
        "MAIL_HOSTNAME": "mail.postbus.test",
        "BACKUP_WAL_SECONDS": "1",
        "POSTBUS_HTTPS_PORT": str(ports["HTTPS"]),
        # The mail servers are in a network of this machine.
        "API_DIAL_ALLOWED_NETWORKS": "172.16.0.0/12,192.168.0.0/16",
        "SYNC_DIAL_ALLOWED_NETWORKS": "172.16.0.0/12,192.168.0.0/16",
        "SENDER_DIAL_ALLOWED_NETWORKS": "172.16.0.0/12,192.168.0.0/16",
    }
    stack = Stack(tree, ports)
    stack.run("infra/scripts/secrets")
    try:
        print("test-compose: building", flush=True)
        stack.compose(*PROFILES, "build", "--quiet")
        print("test-compose: starting", flush=True)
        stack.compose("--profile", "mail", "up", "--detach", "--wait", "--wait-timeout", "300")
        yield stack
    except subprocess.CalledProcessError as failed:
        sys.stderr.write(f"{failed.stdout}{failed.stderr}\n")
        sys.stderr.write(stack.said())
        raise
    finally:
        stack.compose(*PROFILES, "down", "--volumes", "--timeout", "10")


if __name__ == "__main__":
    sys.exit(main())
