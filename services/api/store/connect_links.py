"""Links by which people connect their mailboxes. Of what opens one, only the hash is kept."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct, convert

from services.api.domain.cursors import After
from shared.db import Connection


class ConnectLink(Struct, frozen=True, kw_only=True):
    """A link, for whom it is, and what became of it."""

    tenant_id: UUID
    link_id: UUID
    made_by: UUID
    account_id: UUID | None
    name: str
    email: str | None
    providers: list[str] | None
    password_allowed: bool
    return_url: str | None
    created_at: datetime
    expires_at: datetime
    completed_at: datetime | None = None
    connected_id: UUID | None = None

    def allows(self, provider: str) -> bool:
        return self.providers is None or provider in self.providers


class Begun(Struct, frozen=True, kw_only=True):
    """A link whose person is at their provider."""

    link: ConnectLink
    provider: str
    username: str


_COLUMNS = """tenant_id, link_id, made_by, account_id, name, email, providers, password_allowed,
              return_url, created_at, expires_at, completed_at, connected_id"""


async def add(connection: Connection, link: ConnectLink, link_hash: bytes) -> None:
    await connection.execute(
        """
        INSERT INTO connect_link (tenant_id, link_id, made_by, link_hash, account_id, name, email,
               providers, password_allowed, return_url, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        link.tenant_id,
        link.link_id,
        link.made_by,
        link_hash,
        link.account_id,
        link.name,
        link.email,
        link.providers,
        link.password_allowed,
        link.return_url,
        link.created_at,
        link.expires_at,
    )


async def by_id(connection: Connection, tenant_id: UUID, link_id: UUID) -> ConnectLink | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM connect_link WHERE tenant_id = $1 AND link_id = $2",  # noqa: S608
        tenant_id,
        link_id,
    )
    return row and convert(dict(row), ConnectLink)


async def page(
    connection: Connection, tenant_id: UUID, after: After | None, limit: int
) -> tuple[list[ConnectLink], After | None]:
    """The links of a tenant, the newest first; the second value says where to go on."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM connect_link
         WHERE tenant_id = $1
           AND ($2::timestamptz IS NULL OR (created_at, link_id) < ($2, $3))
         ORDER BY created_at DESC, link_id DESC LIMIT $4 + 1
        """,  # noqa: S608 - names from above
        tenant_id,
        after and after.at,
        after and after.id,
        limit,
    )
    links = [convert(dict(row), ConnectLink) for row in rows[:limit]]
    more = len(rows) > limit
    return links, After(links[-1].created_at, links[-1].link_id) if more else None


async def remove(connection: Connection, tenant_id: UUID, link_id: UUID) -> bool:
    removed = await connection.fetchval(
        "DELETE FROM connect_link WHERE tenant_id = $1 AND link_id = $2 RETURNING true",
        tenant_id,
        link_id,
    )
    return bool(removed)


async def complete(
    connection: Connection, tenant_id: UUID, link_id: UUID, account_id: UUID, now: datetime
) -> bool:
    """It is used up; False where it was before, or is gone."""
    completed = await connection.fetchval(
        """
        UPDATE connect_link
           SET completed_at = $4, connected_id = $3
         WHERE tenant_id = $1 AND link_id = $2 AND completed_at IS NULL
        RETURNING true
        """,
        tenant_id,
        link_id,
        account_id,
        now,
    )
    return bool(completed)


# --- Of who has the link and nothing else ---------------------------------------------------------


async def opened(connection: Connection, link_hash: bytes, now: datetime) -> ConnectLink | None:
    """The link, as long as it is good."""
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM connect_link
         WHERE link_hash = $1 AND completed_at IS NULL AND expires_at > $2
        """,  # noqa: S608 - names from above
        link_hash,
        now,
    )
    return row and convert(dict(row), ConnectLink)


async def begin(
    connection: Connection,
    link: ConnectLink,
    *,
    state_hash: bytes,
    browser_hash: bytes,
    provider: str,
    username: str,
    now: datetime,
) -> None:
    """Somebody goes to their provider; what they began before with this link counts no more."""
    await connection.execute(
        """
        UPDATE connect_link
           SET state_hash = $3, browser_hash = $4, provider = $5, username = $6, begun_at = $7
         WHERE tenant_id = $1 AND link_id = $2 AND completed_at IS NULL
        """,
        link.tenant_id,
        link.link_id,
        state_hash,
        browser_hash,
        provider,
        username,
        now,
    )


async def returned(
    connection: Connection,
    *,
    state_hash: bytes,
    browser_hash: bytes,
    now: datetime,
    within: timedelta,
) -> Begun | None:
    """Whose answer this is: once, soon, and in the browser that began it."""
    row = await connection.fetchrow(
        f"""
        UPDATE connect_link SET state_hash = NULL
         WHERE state_hash = $1 AND browser_hash = $2 AND completed_at IS NULL
           AND begun_at > $3::timestamptz - $4::interval AND expires_at > $3
        RETURNING {_COLUMNS}, provider, username
        """,  # noqa: S608 - names from above
        state_hash,
        browser_hash,
        now,
        within,
    )
    if row is None:
        return None
    found = dict(row)
    provider, username = found.pop("provider"), found.pop("username")
    return Begun(link=convert(found, ConnectLink), provider=provider, username=username or "")


async def forget_old(connection: Connection, before: datetime) -> None:
    await connection.execute("DELETE FROM connect_link WHERE expires_at < $1", before)
