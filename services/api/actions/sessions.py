"""What a session is made of: the tokens that one sign-in or renewal hands out."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from services.api.domain.tokens import (
    KEY_BYTES,
    Claims,
    KeysUnusable,
    TokenKeys,
    access_token,
    secret_hash,
)
from services.api.domain.tokens import refresh_token as refresh_token_of
from services.api.store import people
from services.api.store.audit_log import AuditEntry
from services.api.store.people import Client, Person
from shared.db import Connection

log = structlog.get_logger()


class KeyFile:
    """The file of token keys, taken up anew as soon as somebody has put other keys into it.

    So all gateways that share it sign with a new key from one moment on, and none of them has to
    be started anew for it.
    """

    def __init__(self, file: Path) -> None:
        """Read it for the first time; raises KeysUnusable."""
        self._file = file
        self._seen = self._looks()
        self._keys = self._read()

    @property
    def keys(self) -> TokenKeys:
        """What is in it; while it cannot be used, what was in it before."""
        looks = self._looks()
        if looks != self._seen:
            self._seen = looks
            try:
                self._keys = self._read()
            except KeysUnusable as error:
                log.error("token keys are unusable, those from before count", error=str(error))
            else:
                log.info("token keys taken up", key=self._keys.current)
        return self._keys

    def _looks(self) -> tuple[int, int, int] | None:
        """What is another whenever its content is, since it is replaced; None: it is away."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> TokenKeys:
        try:
            return TokenKeys.read(self._file.read_text("utf-8"))
        except OSError as error:
            raise KeysUnusable(f"{self._file}: {error.strerror}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """The keys that sign access tokens, and how long tokens are good."""

    key_file: KeyFile
    access_lives: timedelta
    refresh_lives: timedelta

    @property
    def keys(self) -> TokenKeys:
        return self.key_file.keys


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person and the tokens that prove it."""

    person: Person
    access_token: str
    refresh_token: str
    expires_in_seconds: int

    def __repr__(self) -> str:
        return f"SignedIn(person {self.person.person_id}, tokens hidden)"


def signed_in(person: Person, client: Client, now: datetime, action: str) -> AuditEntry:
    """What the audit says of somebody who came in, or was kept out."""
    return AuditEntry(
        tenant_id=person.tenant_id,
        occurred_at=now,
        action=action,
        person_id=person.person_id,
        address=client.address,
        details={"client": client.name},
    )


async def issue(
    connection: Connection, issuer: Issuer, person: Person, claims: Claims, now: datetime
) -> SignedIn:
    """A pair of tokens for a session that is open."""
    refresh_token = refresh_token_of(secrets.token_bytes(KEY_BYTES))
    await people.add_refresh_token(
        connection,
        token_hash=secret_hash(refresh_token),
        session_id=claims.session_id,
        tenant_id=claims.tenant_id,
        expires_at=now + issuer.refresh_lives,
    )
    return SignedIn(
        person=person,
        access_token=access_token(claims, issuer.keys, now=now, lives=issuer.access_lives),
        refresh_token=refresh_token,
        expires_in_seconds=int(issuer.access_lives.total_seconds()),
    )
