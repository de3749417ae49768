"""What a platform on one machine keeps secret: made once, each file for its owner alone."""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.dev.home import Home
from services.api.domain.tokens import KEY_BYTES, TokenKeys
from shared.contracts.catalogue import SERVICES
from shared.seal.keys import new_key, publish

SEALED_FOR = ("sync", "sender")
PASSWORDS = (
    "postgres",
    "database_admin",
    "bus_admin",
    "backup",
    *(f"{service}_{use}" for service in SERVICES for use in ("database", "request", "bus")),
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The passwords by use, and where the keys lie."""

    directory: Path
    passwords: dict[str, str]

    @property
    def jwt_keys(self) -> Path:
        return self.directory / "jwt.json"

    @property
    def public_seal_keys(self) -> Path:
        return self.directory / "seal-public"

    @property
    def own_keys(self) -> Path:
        return self.directory / "own-api"

    def seal_keys(self, service: str) -> Path:
        return self.directory / f"seal-{service}"


def read(home: Home) -> Secrets:
    """The secrets that an earlier `make` left."""
    return Secrets(home.secrets, json.loads((home.secrets / "passwords.json").read_text()))


def make(home: Home) -> Secrets:
    """Make what is missing and keep what is there: a lost key makes credentials unreadable."""
    path = home.secrets / "passwords.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {name: secrets.token_urlsafe(24) for name in PASSWORDS if name not in known}
    if missing:
        _write(path, json.dumps(known | missing, indent=2))
    made = read(home)
    if not made.jwt_keys.exists():
        kid = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        _write(made.jwt_keys, TokenKeys(kid, {kid: secrets.token_bytes(KEY_BYTES)}).written())
    if not list(made.own_keys.glob("*.private")):
        new_key(made.own_keys)
    for service in SEALED_FOR:
        if not list(made.seal_keys(service).glob("*.private")):
            new_key(made.seal_keys(service))
        publish(made.seal_keys(service), made.public_seal_keys / service)
    return made


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all, never for a moment open to others."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
