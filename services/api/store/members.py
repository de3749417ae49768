"""Who belongs to a tenant, who is asked to, and with whom accounts are shared."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from shared.db import Connection


class Member(Struct, frozen=True, kw_only=True):
    """Somebody who belongs to a tenant."""

    person_id: UUID
    email: str
    name: str
    role: str
    joined_at: datetime


class Invitation(Struct, frozen=True, kw_only=True):
    """Somebody who was asked to join, and has not yet."""

    invitation_id: UUID
    email: str
    role: str
    invited_by: UUID
    created_at: datetime
    expires_at: datetime


class Asked(Struct, frozen=True, kw_only=True):
    """What an invitation's link stands for."""

    tenant_id: UUID
    tenant_name: str
    invitation_id: UUID
    email: str
    role: str


class Sharing(Struct, frozen=True, kw_only=True):
    """Whose an account is, and who else sees it."""

    owner_id: UUID | None
    everyone: bool
    members: list[UUID]


_MEMBER = """
    SELECT person_id, email, person.name, role, joined_at
      FROM membership
      JOIN person USING (person_id)
     WHERE tenant_id = $1
"""


async def all_of(connection: Connection, tenant_id: UUID) -> list[Member]:
    rows = await connection.fetch(f"{_MEMBER} ORDER BY joined_at, person_id", tenant_id)
    return [convert(dict(row), Member) for row in rows]


async def by_id(connection: Connection, tenant_id: UUID, person_id: UUID) -> Member | None:
    row = await connection.fetchrow(f"{_MEMBER} AND person_id = $2", tenant_id, person_id)
    return row and convert(dict(row), Member)


async def hold_tenant(connection: Connection, tenant_id: UUID) -> bool:
    """Nobody else changes who belongs to it until the transaction ends; False when it is gone."""
    return bool(
        await connection.fetchval(
            "SELECT true FROM tenant WHERE tenant_id = $1 AND deleted_at IS NULL FOR UPDATE",
            tenant_id,
        )
    )


async def owners(connection: Connection, tenant_id: UUID) -> int:
    return await connection.fetchval(
        "SELECT count(*) FROM membership WHERE tenant_id = $1 AND role = 'owner'", tenant_id
    )


async def add(
    connection: Connection, tenant_id: UUID, person_id: UUID, role: str, now: datetime
) -> bool:
    """Let somebody belong to a tenant; False when they do already."""
    return bool(
        await connection.fetchval(
            """
            INSERT INTO membership (tenant_id, person_id, role, joined_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT DO NOTHING
            RETURNING true
            """,
            tenant_id,
            person_id,
            role,
            now,
        )
    )


async def change_role(connection: Connection, tenant_id: UUID, person_id: UUID, role: str) -> None:
    await connection.execute(
        "UPDATE membership SET role = $3 WHERE tenant_id = $1 AND person_id = $2",
        tenant_id,
        person_id,
        role,
    )


async def remove(connection: Connection, tenant_id: UUID, person_id: UUID) -> None:
    """They belong to it no more; their sessions and API tokens there go with it."""
    await connection.execute(
        "DELETE FROM membership WHERE tenant_id = $1 AND person_id = $2", tenant_id, person_id
    )


async def hand_accounts_on(
    connection: Connection, tenant_id: UUID, person_id: UUID, to: UUID
) -> None:
    await connection.execute(
        "UPDATE account SET owner_id = $3 WHERE tenant_id = $1 AND owner_id = $2",
        tenant_id,
        person_id,
        to,
    )


async def accounts_of(connection: Connection, tenant_id: UUID, person_id: UUID) -> list[UUID]:
    """The accounts that are somebody's, to be disconnected."""
    rows = await connection.fetch(
        """
        SELECT account_id FROM account
         WHERE tenant_id = $1 AND owner_id = $2 AND deleted_at IS NULL
         ORDER BY account_id
           FOR UPDATE
        """,
        tenant_id,
        person_id,
    )
    return [row["account_id"] for row in rows]


# --- Invitations ----------------------------------------------------------------------------------


async def invite(
    connection: Connection, tenant_id: UUID, invitation: Invitation, token_hash: bytes
) -> UUID:
    """Ask somebody to join; whoever was asked before is asked anew, and the old link is dead."""
    return await connection.fetchval(
        """
        INSERT INTO invitation (tenant_id, invitation_id, email, email_key, role, token_hash,
               invited_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT ON CONSTRAINT invitation_of_an_address_is_one DO UPDATE
           SET email = excluded.email, role = excluded.role, token_hash = excluded.token_hash,
               invited_by = excluded.invited_by, created_at = excluded.created_at,
               expires_at = excluded.expires_at
        RETURNING invitation_id
        """,
        tenant_id,
        invitation.invitation_id,
        invitation.email,
        invitation.email.casefold(),
        invitation.role,
        token_hash,
        invitation.invited_by,
        invitation.created_at,
        invitation.expires_at,
    )


async def invitations(
    connection: Connection, tenant_id: UUID, now: datetime
) -> Sequence[Invitation]:
    """Those that are open, the newest first."""
    rows = await connection.fetch(
        """
        SELECT invitation_id, email, role, invited_by, created_at, expires_at
          FROM invitation
         WHERE tenant_id = $1 AND expires_at > $2
         ORDER BY created_at DESC, invitation_id
        """,
        tenant_id,
        now,
    )
    return [convert(dict(row), Invitation) for row in rows]


async def withdraw(connection: Connection, tenant_id: UUID, invitation_id: UUID) -> str | None:
    """Its link is good no more; the address, or None when it is not there."""
    return await connection.fetchval(
        "DELETE FROM invitation WHERE tenant_id = $1 AND invitation_id = $2 RETURNING email",
        tenant_id,
        invitation_id,
    )


async def asked_by(connection: Connection, token_hash: bytes, now: datetime) -> Asked | None:
    """What a link stands for, if it is good; nobody else uses it until the transaction ends."""
    row = await connection.fetchrow(
        """
        SELECT tenant_id, tenant.name AS tenant_name, invitation_id, email, role
          FROM invitation
          JOIN tenant USING (tenant_id)
         WHERE token_hash = $1 AND expires_at > $2 AND deleted_at IS NULL
           FOR UPDATE OF invitation
        """,
        token_hash,
        now,
    )
    return row and convert(dict(row), Asked)


async def forget_invitations(connection: Connection, before: datetime) -> None:
    await connection.execute("DELETE FROM invitation WHERE expires_at < $1", before)


# --- Sharing --------------------------------------------------------------------------------------


async def sharing_of(connection: Connection, tenant_id: UUID, account_id: UUID) -> Sharing | None:
    """Who sees an account, if it is there."""
    row = await connection.fetchrow(
        """
        SELECT owner_id, shared_with_all AS everyone,
               ARRAY(SELECT person_id FROM account_share AS share
                      WHERE share.tenant_id = $1 AND share.account_id = $2
                      ORDER BY person_id) AS members
          FROM account
         WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL
        """,
        tenant_id,
        account_id,
    )
    return row and convert(dict(row), Sharing)


async def share(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    *,
    everyone: bool,
    members: Sequence[UUID],
) -> bool:
    """From now on it is shared so; False when the account is not there."""
    there = await connection.fetchval(
        """
        UPDATE account SET shared_with_all = $3, updated_at = now()
         WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL
        RETURNING true
        """,
        tenant_id,
        account_id,
        everyone,
    )
    if not there:
        return False
    await connection.execute(
        "DELETE FROM account_share WHERE tenant_id = $1 AND account_id = $2",
        tenant_id,
        account_id,
    )
    await connection.execute(
        """
        INSERT INTO account_share (tenant_id, account_id, person_id)
        SELECT $1, $2, person_id FROM unnest($3::uuid[]) AS person_id
        """,
        tenant_id,
        account_id,
        members,
    )
    return True
