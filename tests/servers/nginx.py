"""Debian's nginx with the very files of infra/nginx, before a gateway of the test's own."""

import os
import shutil
import ssl
import subprocess
from pathlib import Path

from tests.servers.certificate import self_signed
from tests.servers.process import LOOPBACK, ServerFailed, ServerProcess, free_ports, program

START = Path(__file__).parents[2] / "infra/nginx/start"


class Nginx(ServerProcess):
    """A private nginx, as nobody; `settings` are those of infra/nginx/start."""

    name = "nginx"

    def __init__(self, directory: Path, gateway: str, **settings: str) -> None:
        super().__init__(directory)
        self.log = directory / "access.log"
        self.webmail, self.acme = directory / "webmail", directory / "acme"
        for made in (self.webmail, self.acme, self.webmail / "assets"):
            made.mkdir()
        self.certificate, self.key = self_signed(directory)
        self.http_port, self.https_port = free_ports(2)
        self.settings = {
            "NGINX_RUN": str(directory / "run"),
            "NGINX_ACCESS_LOG": str(self.log),
            "NGINX_WEBMAIL": str(self.webmail),
            "NGINX_ACME": str(self.acme),
            "NGINX_CERTIFICATE": str(self.certificate),
            "NGINX_CERTIFICATE_KEY": str(self.key),
            "NGINX_HTTP_LISTEN": f"{LOOPBACK}:{self.http_port}",
            "NGINX_HTTPS_LISTEN": f"{LOOPBACK}:{self.https_port}",
            "NGINX_HTTPS_PORT": str(self.https_port),
            "NGINX_API": gateway,
            "ON_CHANGE_SECONDS": "0.1",
            **settings,
        }

    @staticmethod
    def require() -> None:
        """Say why this machine cannot run nginx, when it cannot."""
        program("nginx")
        program("envsubst")

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https_port}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def check(self) -> subprocess.CompletedProcess[str]:
        """What `nginx -t` says of the configuration."""
        self._give_away()
        return subprocess.run(
            [START, "--check"],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            user=_nobody(),
        )

    def start(self) -> None:
        checked = self.check()
        if checked.returncode:
            raise ServerFailed(f"nginx -t: {checked.stderr}")
        self._spawn(
            [str(START)],
            [],
            silent_ports=[self.http_port, self.https_port],
            environment=self._environment(),
            user=_nobody(),
        )

    def _give_away(self) -> None:
        if os.geteuid() == 0:
            for path in (self.directory, *self.directory.rglob("*")):
                shutil.chown(path, "nobody")

    def _environment(self) -> dict[str, str]:
        return {"PATH": f"{os.environ['PATH']}:/usr/sbin", **self.settings}


def _nobody() -> str | None:
    return "nobody" if os.geteuid() == 0 else None
