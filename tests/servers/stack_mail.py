"""The mail servers of infra/, run by Debian's own on ports of their own."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.certificate import self_signed
from tests.servers.process import (
    LOOPBACK,
    ServerFailed,
    ServerProcess,
    ServerUnavailable,
    free_ports,
    program,
)

INFRA = Path(__file__).parents[2] / "infra"
HOSTNAME = "mx.example.org"


def require() -> None:
    """Say why this machine cannot run them, when it cannot."""
    if os.geteuid() != 0:
        raise ServerUnavailable("mail servers start as root only")
    for name in ("postfix", "dovecot", "doveadm", "opendkim", "opendkim-genkey", "envsubst"):
        program(name)
    if not Path("/usr/lib/dovecot/managesieve").exists():
        raise ServerUnavailable("dovecot-managesieved is not installed")


class Place:
    """What the three share: the tables, the sockets, the certificate."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state, self.sockets = directory / "state", directory / "sockets"
        self.state.mkdir()
        self.sockets.mkdir()
        self.sockets.chmod(0o1777)
        self.certificate, self.key = self_signed(directory)
        self.admin("init")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "MAIL_HOSTNAME": HOSTNAME,
            "MAIL_STATE": str(self.state),
            "MAIL_SOCKETS": str(self.sockets),
            "CERTIFICATE": str(self.certificate),
            "CERTIFICATE_KEY": str(self.key),
            "ON_CHANGE_SECONDS": "0.1",
        }

    def admin(self, *words: str, password: str = "") -> str:
        """What infra/mail/admin answers; raises ServerFailed where it refuses."""
        done = subprocess.run(
            [INFRA / "mail/admin", *words],
            env=self.environment,
            input=password,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(done.stderr)
        return done.stdout


class StackServer(ServerProcess):
    """One of the three, by its own `start`."""

    def __init__(self, place: Place, **settings: str) -> None:
        directory = place.directory / self.name
        directory.mkdir()
        super().__init__(directory)
        self.log = directory / "log"
        self.place = place
        self.settings = settings
        self._start = str(INFRA / self.name / "start")

    @property
    def environment(self) -> dict[str, str]:
        return {**self.place.environment, **self.settings}

    def check(self) -> subprocess.CompletedProcess[str]:
        """What the server's own check says of the configuration."""
        return subprocess.run(
            [self._start, "--check"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


class StackPostfix(StackServer):
    name = "postfix"

    def __init__(self, place: Place, **settings: str) -> None:
        super().__init__(place)
        self.smtp_port, self.submission_port, self.submissions_port = free_ports(3)
        self.settings = {
            "POSTFIX_ETC": str(self.directory / "etc"),
            "POSTFIX_QUEUE": str(self.directory / "queue"),
            "POSTFIX_DATA": str(self.directory / "data"),
            "POSTFIX_LOG": str(self.log),
            "POSTFIX_SMTP_LISTEN": f"{LOOPBACK}:{self.smtp_port}",
            "POSTFIX_SUBMISSION_LISTEN": f"{LOOPBACK}:{self.submission_port}",
            "POSTFIX_SUBMISSIONS_LISTEN": f"{LOOPBACK}:{self.submissions_port}",
            **settings,
        }

    def start(self) -> None:
        self._spawn(
            [self._start], [self.smtp_port, self.submission_port], environment=self.environment
        )

    def queue(self) -> str:
        return subprocess.run(
            [program("postqueue"), "-c", self.settings["POSTFIX_ETC"], "-p"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout


class StackDovecot(StackServer):
    name = "dovecot"

    def __init__(self, place: Place, **settings: str) -> None:
        super().__init__(place)
        self.imaps_port, self.pop3s_port, self.sieve_port = free_ports(3)
        self.boxes = self.directory / "boxes"
        self.configuration = self.directory / "etc/dovecot.conf"
        self.settings = {
            "DOVECOT_LISTEN": LOOPBACK,
            "DOVECOT_ETC": str(self.directory / "etc"),
            "DOVECOT_RUN": str(self.directory / "run"),
            "DOVECOT_STATE": str(self.directory / "var"),
            "DOVECOT_LOG": str(self.log),
            "DOVECOT_BOXES": str(self.boxes),
            "DOVECOT_USER": "mail",  # which every Debian has
            "DOVECOT_IMAPS_PORT": str(self.imaps_port),
            "DOVECOT_POP3S_PORT": str(self.pop3s_port),
            "DOVECOT_SIEVE_PORT": str(self.sieve_port),
            **settings,
        }

    def start(self) -> None:
        self._spawn(
            [self._start],
            [self.sieve_port],
            silent_ports=[self.imaps_port, self.pop3s_port],
            environment=self.environment,
        )


class StackOpendkim(StackServer):
    name = "opendkim"

    def __init__(self, place: Place) -> None:
        super().__init__(place, OPENDKIM_RUN=str(place.directory / "opendkim/run"))

    def start(self) -> None:
        run = Path(self.settings["OPENDKIM_RUN"])
        run.mkdir(exist_ok=True)
        shutil.chown(run, "opendkim")
        self._spawn(
            [self._start],
            [],
            sockets=[self.place.sockets / "opendkim"],
            environment=self.environment,
        )
