"""Who an account's owner writes as."""

from uuid import UUID

import asyncpg
import msgspec

from services.api.domain.identities import Identity
from services.api.store.accounts import Account
from shared.contracts.mail import Address
from shared.db import Connection

_people = msgspec.json.Decoder(tuple[Address, ...])
_IDENTITY = """
    SELECT identity_id, account_id, name, email, reply_to, signature_text, signature_html,
           is_default
      FROM identity
"""


async def of_account(connection: Connection, tenant_id: UUID, account: Account) -> list[Identity]:
    """All of them, the account's own first; it is there even if nothing was said of it."""
    rows = await connection.fetch(
        f"{_IDENTITY} WHERE tenant_id = $1 AND account_id = $2 ORDER BY created_at, identity_id",
        tenant_id,
        account.account_id,
    )
    found = [_identity(row, account.name) for row in rows]
    own = [one for one in found if one.is_own] or [
        Identity(
            identity_id=account.account_id,
            account_id=account.account_id,
            name=account.name,
            email=account.email,
            is_default=not any(one.is_default for one in found),
        )
    ]
    return own + [one for one in found if not one.is_own]


async def put(
    connection: Connection, tenant_id: UUID, identity: Identity, name: str | None
) -> None:
    """Keep an identity as it now is; a default takes the place of the one before."""
    if identity.is_default:
        await connection.execute(
            """
            UPDATE identity SET is_default = false, updated_at = now()
             WHERE tenant_id = $1 AND account_id = $2 AND identity_id <> $3 AND is_default
            """,
            tenant_id,
            identity.account_id,
            identity.identity_id,
        )
    await connection.execute(
        """
        INSERT INTO identity (tenant_id, identity_id, account_id, name, email, reply_to,
                              signature_text, signature_html, is_default)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (tenant_id, identity_id) DO UPDATE
           SET name = excluded.name, email = excluded.email, reply_to = excluded.reply_to,
               signature_text = excluded.signature_text, signature_html = excluded.signature_html,
               is_default = excluded.is_default, updated_at = now()
        """,
        tenant_id,
        identity.identity_id,
        identity.account_id,
        name,
        identity.email,
        msgspec.json.encode(identity.reply_to).decode(),
        identity.signature_text,
        identity.signature_html,
        identity.is_default,
    )


async def remove(connection: Connection, tenant_id: UUID, identity_id: UUID) -> None:
    await connection.execute(
        "DELETE FROM identity WHERE tenant_id = $1 AND identity_id = $2", tenant_id, identity_id
    )


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Delete the identities of an account that is gone."""
    await connection.execute(
        "DELETE FROM identity WHERE tenant_id = $1 AND account_id = $2", tenant_id, account_id
    )


def _identity(row: asyncpg.Record, account_name: str) -> Identity:
    columns = dict(row)
    columns["reply_to"] = _people.decode(columns["reply_to"])
    if columns["name"] is None:
        columns["name"] = account_name
    return Identity(**columns)
