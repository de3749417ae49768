"""The running stack, as an operator and as a stranger come to it."""

import json
import os
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx


class Stack:
    """Docker Compose in a copy of the clone, and the ports of this machine that it answers at."""

    def __init__(self, tree: Path, ports: dict[str, int]) -> None:
        self.tree, self.ports = tree, ports

    @property
    def url(self) -> str:
        return f"https://localhost:{self.ports['HTTPS']}"

    def run(self, *command: str, told: str = "") -> str:
        done = subprocess.run(
            command,
            cwd=self.tree,
            input=told,
            capture_output=True,
            text=True,
            check=True,
            timeout=1800,
        )
        return done.stdout

    def compose(self, *words: str, told: str = "") -> str:
        return self.run("docker", "compose", *words, told=told)

    def said(self) -> str:
        """The end of what each container said."""
        asked = subprocess.run(
            ["docker", "compose", "--profile", "mail", "logs", "--tail", "15"],
            cwd=self.tree,
            capture_output=True,
            text=True,
            check=False,
        )
        return asked.stdout

    def containers(self) -> dict[str, dict[str, Any]]:
        """What Docker knows of each container that runs, by service."""
        ids = self.compose("--profile", "mail", "ps", "--quiet").split()
        told = json.loads(self.run("docker", "inspect", *ids))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in told}

    def is_well(self, service: str) -> bool:
        state = self.containers()[service]["State"]
        return state["Running"] and state.get("Health", {}).get("Status") == "healthy"

    def trust(self) -> ssl.SSLContext:
        """As a browser that was told of the installation's authority."""
        authority = self.compose("exec", "--no-TTY", "api", "cat", "/certs/ca.crt")
        return ssl.create_default_context(cadata=authority)

    def client(self, token: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=f"{self.url}/api/v1", verify=self.trust(), headers=headers, timeout=120
        )


def until(true: Callable[[], bool], seconds: float = 180) -> None:
    """Wait for a state; a stack that does not come to it fails the test."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if true():
                return
        except (httpx.TransportError, KeyError):
            pass  # a door that is being opened anew
        if time.monotonic() > deadline:
            raise AssertionError("this did not become true in time")
        time.sleep(0.5)


def kill_main_process(container: dict[str, Any]) -> None:
    """From outside the container: `docker kill` counts as a wish of the operator."""
    os.kill(container["State"]["Pid"], 9)
