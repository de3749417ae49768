"""A Docker daemon for a while: the one that is there, or one of our own that leaves no trace."""

import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


class NoDaemon(Exception):
    """Docker cannot be had on this machine; the message says why."""


@contextmanager
def a_daemon(directory: Path) -> Generator[bool]:
    """Docker, by its environment variables; yields whether the daemon is our own."""
    if shutil.which("docker") is None:
        raise NoDaemon("docker is not installed")
    if _answers():
        _has_compose()
        yield False
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise NoDaemon("no Docker daemon answers, and one can be started only as root")
    os.environ["DOCKER_HOST"] = f"unix://{directory}/docker.sock"
    _has_compose()
    forwarding = FORWARDING.read_text()
    policy = _forward_policy()
    log = (directory / "dockerd.log").open("ab")
    daemon = subprocess.Popen(
        [
            "dockerd",
            *("--data-root", str(directory / "data")),
            *("--exec-root", str(directory / "exec")),
            *("--pidfile", str(directory / "dockerd.pid")),
            *("-H", os.environ["DOCKER_HOST"], "--storage-driver", "overlay2"),
        ],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not _answers():
            if daemon.poll() is not None or time.monotonic() > deadline:
                said = (directory / "dockerd.log").read_text(errors="replace")[-2000:]
                raise NoDaemon(f"dockerd does not start here:\n{said}")
            time.sleep(0.2)
        yield True
    finally:
        daemon.terminate()
        daemon.wait(timeout=120)
        log.close()
        FORWARDING.write_text(forwarding)
        subprocess.run(["iptables", "-P", "FORWARD", policy], check=False)


def _answers() -> bool:
    asked = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=60)
    return asked.returncode == 0 and b"Server Version" in asked.stdout


def _has_compose() -> None:
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if asked.returncode:
        raise NoDaemon("docker has no compose plugin of version 2 (docker compose version)")


def _forward_policy() -> str:
    said = subprocess.run(
        ["iptables", "-S", "FORWARD"], capture_output=True, text=True, check=False
    ).stdout
    return "DROP" if "-P FORWARD DROP" in said else "ACCEPT"
