"""Every process of the platform on one machine, in one table."""

import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from infra.dev import nats, postgres, ready, web
from infra.dev.home import Home
from infra.dev.secrets import SEALED_FOR, Secrets
from shared.contracts.catalogue import SERVICES

DATABASE = "postbus"
DATABASE_ADMIN = "postbus_admin"
BACKUP_ROLE = "postbus_backup"
LOOPBACK = "127.0.0.0/8,::1/128"

# Ports, counted from the first.
API, LISTEN, ANSWER, SENDER, INDEXER, POSTGRES, NATS = range(7)
NATS_MONITOR, IMAP, SMTP, API_PROBES, BACKUP = range(7, 12)


#: Where its memory begins to be collected often, and not where it ends.
NATS_MEMORY = "256MiB"


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process: how it is run, and how it is known to serve."""

    name: str
    group: str  # groups stop one after the other, in the reverse of their order in the table
    ports: tuple[int, ...]
    command: Callable[[Home], list[str]]
    fault: Callable[[Home, Secrets], Awaitable[str | None]]
    environment: Callable[[Home, Secrets], dict[str, str]] = lambda home, secrets: {}
    stop_signal: str = "TERM"
    stop_seconds: int = 20

    @property
    def supervised_as(self) -> str:
        return f"{self.group}:{self.name}"


def table(home: Home) -> list[Program]:
    """The processes in the order they start."""
    left_out = {
        *(() if home.demo else ("demo",)),
        *(() if home.backups else ("backup",)),
    }
    return [program for program in TABLE if program.name not in left_out]


def settings(service: str, home: Home, secrets: Secrets) -> dict[str, str]:
    """What the processes of one service are told about where things are."""
    prefix = service.upper()
    told = {
        f"{prefix}_DATABASE_URL": _database(
            home, service, secrets.passwords[f"{service}_database"]
        ),
        f"{prefix}_REQUEST_DATABASE_URL": _database(
            home, f"{service}_request", secrets.passwords[f"{service}_request"]
        ),
        f"{prefix}_BUS_URL": _bus(home, service, secrets.passwords[f"{service}_bus"]),
        # The demo server, and whatever else somebody tries here, is on this machine.
        f"{prefix}_DIAL_ALLOWED_NETWORKS": os.environ.get(
            f"{prefix}_DIAL_ALLOWED_NETWORKS", LOOPBACK
        ),
    }
    if service in SEALED_FOR:
        told[f"{prefix}_SEAL_KEYS_DIR"] = str(secrets.seal_keys(service))
    if service == "sync":
        told["SYNC_SENDER_KEYS_DIR"] = str(secrets.public_seal_keys / "sender")
    if service == "api":
        told |= {
            "API_HOST": "127.0.0.1",
            "API_PORT": str(home.port + API),
            "API_JWT_KEYS_FILE": str(secrets.jwt_keys),
            "API_SEAL_KEYS_DIR": str(secrets.public_seal_keys),
            "API_OWN_KEYS_DIR": str(secrets.own_keys),
            **({"API_WEBMAIL_DIR": str(web.BUILT)} if home.webmail and web.is_current() else {}),
            # The demo server has no certificate, and its passwords are public.
            "API_ALLOW_PLAINTEXT_PASSWORDS": os.environ.get(
                "API_ALLOW_PLAINTEXT_PASSWORDS", "true" if home.demo else "false"
            ),
        }
    return told


def administration(home: Home, secrets: Secrets) -> dict[str, str]:
    """What the steps of a deploy are told: everything, and as the administrators."""
    told = {
        "DATABASE_ADMIN_URL": _database(home, DATABASE_ADMIN, secrets.passwords["database_admin"]),
        "BUS_ADMIN_URL": _bus(home, "admin", secrets.passwords["bus_admin"]),
    }
    for service in SERVICES:
        told |= settings(service, home, secrets)
        told[f"{service.upper()}_PROBE_PORT"] = "0"  # beside the process that has the port
    return told | backup(home, secrets)


def backup(home: Home, secrets: Secrets) -> dict[str, str]:
    """What backups of the platform here are told."""
    told = {
        "BACKUP_DIR": str(home.backup_directory),
        "BACKUP_DATABASE_URL": _database(home, BACKUP_ROLE, secrets.passwords["backup"]),
        "BACKUP_RECOVERY_KEY_FILE": str(home.recovery_key),
        "BACKUP_KEYS_DIR": str(home.secrets),
        "BACKUP_PROBE_HOST": "127.0.0.1",
        "BACKUP_PROBE_PORT": "0",  # beside the process that has the port
    }
    if home.demo_mail.exists():
        told["BACKUP_MAIL_DIR"] = str(home.demo_mail)
    return told


def superuser(home: Home, secrets: Secrets, database: str = "postgres") -> str:
    return postgres.url(home.port + POSTGRES, secrets.passwords["postgres"], database)


def _database(home: Home, role: str, password: str) -> str:
    return postgres.url(home.port + POSTGRES, password, DATABASE, role)


def _bus(home: Home, user: str, password: str) -> str:
    return f"nats://{user}:{quote(password, safe='')}@127.0.0.1:{home.port + NATS}"


def _service(name: str, service: str, probes: int, *others: int, **more: str) -> Program:
    def environment(home: Home, secrets: Secrets) -> dict[str, str]:
        return settings(service, home, secrets) | {
            f"{service.upper()}_PROBE_HOST": "127.0.0.1",
            f"{service.upper()}_PROBE_PORT": str(home.port + probes),
            **more,
        }

    return Program(
        name=name,
        group="services",
        ports=(*others, probes),
        command=lambda home: [sys.executable, "-m", f"services.{service}"],
        environment=environment,
        fault=lambda home, secrets: ready.http(home.port + probes),
    )


async def _demo_fault(home: Home, secrets: Secrets) -> str | None:
    return await ready.greeting(home.port + IMAP, b"* OK") or await ready.greeting(
        home.port + SMTP, b"220"
    )


TABLE = (
    Program(
        name="postgres",
        group="postgres",
        ports=(POSTGRES,),
        command=lambda home: postgres.command(home.database, home.port + POSTGRES),
        fault=lambda home, secrets: postgres.fault(superuser(home, secrets)),
        stop_signal="INT",  # fast: sessions end, everything is written
        stop_seconds=60,
    ),
    Program(
        name="nats",
        group="nats",
        ports=(NATS, NATS_MONITOR),
        command=lambda home: nats.command(home.nats_config),
        # Of what it wrote it keeps what fits, and reads the rest again.
        environment=lambda home, secrets: {"GOMEMLIMIT": os.environ.get("GOMEMLIMIT", NATS_MEMORY)},
        fault=lambda home, secrets: nats.fault(home.port + NATS),
    ),
    Program(
        name="demo",
        group="services",
        ports=(IMAP, SMTP),
        command=lambda home: [
            *(sys.executable, "-m", "infra.dev.demo"),
            *("--imap-port", str(home.port + IMAP)),
            *("--smtp-port", str(home.port + SMTP)),
            *("--data", str(home.demo_mail)),
        ],
        fault=_demo_fault,
    ),
    _service("sync-listen", "sync", LISTEN, SYNC_ROLE="listen"),
    _service("sync-answer", "sync", ANSWER, SYNC_ROLE="answer"),
    _service("sender", "sender", SENDER),
    _service("indexer", "indexer", INDEXER),
    _service("api", "api", API_PROBES, API),
    Program(
        name="backup",
        group="services",
        ports=(BACKUP,),
        command=lambda home: [sys.executable, "-m", "infra.backup"],
        environment=lambda home, secrets: (
            backup(home, secrets) | {"BACKUP_PROBE_PORT": str(home.port + BACKUP)}
        ),
        fault=lambda home, secrets: ready.http(home.port + BACKUP),
    ),
)
