"""Prometheus' blackbox exporter: it looks at a server from outside, and tells what it saw."""

from pathlib import Path

from tests.servers.process import LOOPBACK, ServerProcess, free_ports, program

CONFIGURATION = Path(__file__).parents[2] / "infra/blackbox/blackbox.yml"


class Blackbox(ServerProcess):
    """An exporter with the configuration of the stack."""

    name = "blackbox-exporter"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.log = directory / "log"
        (self.port,) = free_ports(1)

    def start(self) -> None:
        exporter = program("prometheus-blackbox-exporter")
        where = [f"--config.file={CONFIGURATION}", f"--web.listen-address={LOOPBACK}:{self.port}"]
        self._spawn([exporter, *where], [], silent_ports=[self.port])
