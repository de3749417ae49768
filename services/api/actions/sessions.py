"""What a session is made of: the tokens that one sign-in or renewal hands out."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.api.domain.tokens import KEY_BYTES, Claims, TokenKeys, access_token, secret_hash
from services.api.domain.tokens import refresh_token as refresh_token_of
from services.api.store import people
from services.api.store.audit_log import AuditEntry
from services.api.store.people import Client, Person
from shared.db import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """The keys that sign access tokens, and how long tokens are good."""

    keys: TokenKeys
    access_lives: timedelta
    refresh_lives: timedelta


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
