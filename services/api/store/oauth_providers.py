"""Tenants' own clients at OAuth2 providers. Their secrets are sync's."""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from shared.contracts.oauth import MailServer, Provider
from shared.db import Connection


class OwnProvider(Struct, frozen=True, kw_only=True):
    """A provider as a tenant has configured it."""

    provider: Provider
    has_secret: bool
    updated_at: datetime


class _Servers(Struct, frozen=True):
    imap: MailServer
    smtp: MailServer


_COLUMNS = """name, label, client_id, authorization_endpoint, token_endpoint, scopes, servers::text,
              parameters::text, client_authentication, has_secret, updated_at,
              revocation_endpoint"""


async def all_of(connection: Connection, tenant_id: UUID) -> dict[str, OwnProvider]:
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM oauth_provider WHERE tenant_id = $1 ORDER BY name",  # noqa: S608
        tenant_id,
    )
    return {row["name"]: _own(row) for row in rows}


async def put(connection: Connection, tenant_id: UUID, own: OwnProvider) -> None:
    provider = own.provider
    await connection.execute(
        """
        INSERT INTO oauth_provider (tenant_id, name, label, client_id, authorization_endpoint,
               token_endpoint, scopes, servers, parameters, client_authentication, has_secret,
               updated_at, revocation_endpoint)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9::text::json, $10, $11, $12, $13)
        ON CONFLICT (tenant_id, name) DO UPDATE
           SET label = excluded.label, client_id = excluded.client_id,
               authorization_endpoint = excluded.authorization_endpoint,
               token_endpoint = excluded.token_endpoint, scopes = excluded.scopes,
               servers = excluded.servers, parameters = excluded.parameters,
               client_authentication = excluded.client_authentication,
               has_secret = excluded.has_secret, updated_at = excluded.updated_at,
               revocation_endpoint = excluded.revocation_endpoint
        """,
        tenant_id,
        provider.name,
        provider.label,
        provider.client_id,
        provider.authorization_endpoint,
        provider.token_endpoint,
        list(provider.scopes),
        msgspec.json.encode(_Servers(provider.imap, provider.smtp)).decode(),
        msgspec.json.encode(provider.parameters).decode(),
        provider.client_authentication,
        own.has_secret,
        own.updated_at,
        provider.revocation_endpoint,
    )


async def remove(connection: Connection, tenant_id: UUID, name: str) -> bool:
    removed = await connection.fetchval(
        "DELETE FROM oauth_provider WHERE tenant_id = $1 AND name = $2 RETURNING true",
        tenant_id,
        name,
    )
    return bool(removed)


def _own(row: asyncpg.Record) -> OwnProvider:
    servers = msgspec.json.decode(row["servers"], type=_Servers)
    return OwnProvider(
        provider=Provider(
            name=row["name"],
            label=row["label"],
            client_id=row["client_id"],
            authorization_endpoint=row["authorization_endpoint"],
            token_endpoint=row["token_endpoint"],
            scopes=tuple(row["scopes"]),
            imap=servers.imap,
            smtp=servers.smtp,
            parameters=msgspec.json.decode(row["parameters"], type=dict[str, str]),
            client_authentication=row["client_authentication"],
            revocation_endpoint=row["revocation_endpoint"],
        ),
        has_secret=row["has_secret"],
        updated_at=row["updated_at"],
    )
