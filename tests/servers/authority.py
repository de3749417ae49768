"""A certificate authority that speaks ACME (RFC 8555) and tries whoever asks: Pebble."""

import json
import os
from pathlib import Path

from tests.servers.certificate import self_signed
from tests.servers.process import LOOPBACK, ServerProcess, free_ports, program


class Authority(ServerProcess):
    """It asks `names` where a name is, and there, at `http_port`, for the proof."""

    name = "pebble"

    def __init__(self, directory: Path, *, names: str, http_port: int) -> None:
        super().__init__(directory)
        self.log = directory / "output"
        self.certificate, self._key = self_signed(directory)
        self._names, self._http_port = names, http_port
        self.port, self._management_port = free_ports(2)

    @staticmethod
    def require() -> None:
        """Say why this machine has neither the authority nor who asks it."""
        program("pebble")
        program("certbot")

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/dir"

    def start(self) -> None:
        configuration = self.directory / "pebble.json"
        said = {
            "listenAddress": f"{LOOPBACK}:{self.port}",
            "managementListenAddress": f"{LOOPBACK}:{self._management_port}",
            "certificate": str(self.certificate),
            "privateKey": str(self._key),
            "httpPort": self._http_port,
            "tlsPort": 1,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        configuration.write_text(json.dumps({"pebble": said}))
        self._spawn(
            [program("pebble"), "-config", str(configuration), "-dnsserver", self._names],
            [],
            silent_ports=[self.port],
            # It would wait before it asks, and refuse what is right now and then, on purpose.
            environment=os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        )
