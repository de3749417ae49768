"""Mail of Postbus itself that is to be sent, and what its links carry."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

import msgspec
from msgspec import Struct, convert
from uuid_utils.compat import uuid7

from shared.db import Connection

_NOTHING: Mapping[str, str] = MappingProxyType({})


class DueMail(Struct, frozen=True, kw_only=True):
    """A message that is to be sent now, and to whom."""

    mail_id: UUID
    kind: str
    person_id: UUID | None
    tenant_id: UUID | None
    invitation_id: UUID | None
    email: str
    tenant_name: str
    attempts: int
    created_at: datetime
    details: dict[str, str]


async def ask(
    connection: Connection,
    kind: str,
    *,
    person_id: UUID | None = None,
    tenant_id: UUID | None = None,
    invitation_id: UUID | None = None,
    details: Mapping[str, str] = _NOTHING,
) -> None:
    """Have one sent; one that waits for the same is not repeated."""
    await connection.execute(
        """
        INSERT INTO system_mail (mail_id, kind, tenant_id, person_id, invitation_id, details)
        SELECT $1, $2, $3, $4, $5, $6
         WHERE NOT EXISTS (SELECT 1 FROM system_mail
                            WHERE kind = $2 AND person_id IS NOT DISTINCT FROM $4
                              AND invitation_id IS NOT DISTINCT FROM $5 AND details = $6)
        """,
        uuid7(),
        kind,
        tenant_id,
        person_id,
        invitation_id,
        msgspec.json.encode(dict(details)).decode(),
    )


async def take(connection: Connection, now: datetime, again: timedelta) -> DueMail | None:
    """One that is due; if it comes to nothing, it is due again so much later, and then later."""
    row = await connection.fetchrow(
        """
        WITH taken AS (
            UPDATE system_mail SET attempts = attempts + 1,
                   due_at = $1::timestamptz + $2::interval * power(2, least(attempts, 6))
             WHERE mail_id = (SELECT mail_id FROM system_mail WHERE due_at <= $1
                               ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING *)
        SELECT mail_id, kind, taken.person_id, taken.tenant_id, taken.invitation_id, attempts,
               taken.created_at, details, coalesce(person.email, invitation.email) AS email,
               coalesce(tenant.name, '') AS tenant_name
          FROM taken
          LEFT JOIN person ON person.person_id = taken.person_id
          LEFT JOIN invitation
            ON invitation.tenant_id = taken.tenant_id
           AND invitation.invitation_id = taken.invitation_id
          LEFT JOIN tenant ON tenant.tenant_id = taken.tenant_id
        """,
        now,
        again,
    )
    return row and convert(
        {**row, "details": msgspec.json.decode(row["details"])},
        DueMail,
    )


async def done(connection: Connection, mail_id: UUID) -> None:
    await connection.execute("DELETE FROM system_mail WHERE mail_id = $1", mail_id)


async def add_secret(
    connection: Connection, mail: DueMail, secret_hash: bytes, expires_at: datetime
) -> None:
    """What the link carries; of an invitation, instead of what it carried before."""
    if mail.invitation_id is not None:
        await connection.execute(
            """
            UPDATE invitation SET token_hash = $3 WHERE tenant_id = $1 AND invitation_id = $2
            """,
            mail.tenant_id,
            mail.invitation_id,
            secret_hash,
        )
        return
    await connection.execute(
        """
        INSERT INTO mailed_secret (secret_hash, kind, person_id, expires_at)
        VALUES ($1, $2, $3, $4)
        """,
        secret_hash,
        mail.kind,
        mail.person_id,
        expires_at,
    )


async def whose(
    connection: Connection, secret_hash: bytes, kind: str, now: datetime
) -> UUID | None:
    """Whom a link was sent to, if it is good; nobody else follows it until the transaction ends."""
    return await connection.fetchval(
        """
        SELECT person_id FROM mailed_secret
         WHERE secret_hash = $1 AND kind = $2 AND expires_at > $3
           FOR UPDATE
        """,
        secret_hash,
        kind,
        now,
    )


async def use_up(connection: Connection, person_id: UUID, kind: str) -> None:
    """This link and any other of its kind are good no more."""
    await connection.execute(
        "DELETE FROM mailed_secret WHERE person_id = $1 AND kind = $2", person_id, kind
    )


async def verified(connection: Connection, person_id: UUID, now: datetime) -> None:
    """They have read what was sent to their address."""
    await connection.execute(
        """
        UPDATE person SET email_verified_at = coalesce(email_verified_at, $2)
         WHERE person_id = $1
        """,
        person_id,
        now,
    )


async def forget_secrets(connection: Connection, now: datetime) -> None:
    await connection.execute("DELETE FROM mailed_secret WHERE expires_at < $1", now)


async def forget_older(connection: Connection, asked_by: datetime) -> None:
    """Send nothing that was asked for by then."""
    await connection.execute("DELETE FROM system_mail WHERE created_at <= $1", asked_by)
