"""How much a tenant may have, and how much it has."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct, convert

from services.api.domain.refusals import QuotaReached
from shared.db import Connection


class Counted(StrEnum):
    """What there may be only so much of."""

    ACCOUNTS = "accounts"
    STORAGE = "storage_bytes"
    SENDS = "sends_per_day"


class Quotas(Struct, frozen=True, kw_only=True):
    """How much there may be; None: as much as they like."""

    accounts: int | None = None
    storage_bytes: int | None = None
    sends_per_day: int | None = None
    requests_per_minute: int | None = None


class Usage(Struct, frozen=True, kw_only=True):
    """What a tenant has of what it may have."""

    quotas: Quotas
    accounts: int
    storage_bytes: int
    storage_counted_at: datetime | None
    sends_per_day: int


async def usage(connection: Connection, tenant_id: UUID) -> Usage:
    row = await connection.fetchrow(
        """
        SELECT quota_accounts, quota_storage_bytes, quota_sends_per_day,
               quota_requests_per_minute, accounts_of_tenant() AS accounts, storage_bytes,
               storage_counted_at, sends_of_tenant() AS sends_per_day
          FROM tenant WHERE tenant_id = $1
        """,
        tenant_id,
    )
    assert row is not None, "a caller's tenant is there"
    columns = dict(row)
    quotas = {name: columns[f"quota_{name}"] for name in Quotas.__struct_fields__}
    return convert({**columns, "quotas": quotas}, Usage)


class Room(Struct, frozen=True, kw_only=True):
    """How much there is of something, and how much there may be."""

    what: Counted
    used: int = 0
    limit: int | None = None

    def refuse_beyond(self, more: int) -> None:
        """Raises QuotaReached where the last of so many more is one too many."""
        if self.limit is not None and self.used + more > self.limit:
            raise QuotaReached(
                f"This tenant has {self.used + more - 1} of {self.limit} {_SHOWN[self.what]}."
            )


async def refuse_beyond(connection: Connection, tenant_id: UUID, what: Counted) -> None:
    """Let one more be, if there may be one; raises QuotaReached."""
    (await room_for(connection, tenant_id, what)).refuse_beyond(1)


async def room_for(connection: Connection, tenant_id: UUID, what: Counted) -> Room:
    """How much more there may be.

    Who learns of a limit holds off others of the tenant until the transaction ends, so that two do
    not both become the last one. Storage is counted now and then, and may be passed by a little.
    """
    limit = await connection.fetchval(
        f"SELECT quota_{what.value} FROM tenant WHERE tenant_id = $1",  # noqa: S608 - of ours
        tenant_id,
    )
    if limit is None:
        return Room(what=what)
    match what:
        case Counted.STORAGE:
            used = await connection.fetchval(
                "SELECT storage_bytes FROM tenant WHERE tenant_id = $1", tenant_id
            )
        case Counted.ACCOUNTS | Counted.SENDS:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{what.value} {tenant_id}"
            )
            function = "accounts_of_tenant" if what is Counted.ACCOUNTS else "sends_of_tenant"
            used = await connection.fetchval(f"SELECT {function}()")
    return Room(what=what, used=used, limit=limit)


_SHOWN = {
    Counted.ACCOUNTS: "mail accounts",
    Counted.STORAGE: "octets of mail and uploads",
    Counted.SENDS: "messages to send within 24 hours",
}


async def set_quotas(connection: Connection, tenant_id: UUID, quotas: Quotas) -> bool:
    """From now on it may have so much; False when it is not there."""
    return bool(
        await connection.fetchval(
            """
            UPDATE tenant SET quota_accounts = $2, quota_storage_bytes = $3,
                   quota_sends_per_day = $4, quota_requests_per_minute = $5
             WHERE tenant_id = $1 AND deleted_at IS NULL
            RETURNING true
            """,
            tenant_id,
            quotas.accounts,
            quotas.storage_bytes,
            quotas.sends_per_day,
            quotas.requests_per_minute,
        )
    )


async def uncounted(connection: Connection, before: datetime) -> list[UUID]:
    """Tenants whose storage was last counted before then."""
    rows = await connection.fetch(
        """
        SELECT tenant_id FROM tenant
         WHERE deleted_at IS NULL AND coalesce(storage_counted_at, '-infinity') < $1
         ORDER BY tenant_id
        """,
        before,
    )
    return [row["tenant_id"] for row in rows]


async def count_storage(connection: Connection, tenant_id: UUID) -> None:
    """Count what the tenant's mail and uploads come to."""
    await connection.execute(
        """
        UPDATE tenant SET storage_counted_at = now(), storage_bytes =
               coalesce((SELECT sum(size_bytes) FROM message WHERE tenant_id = $1), 0)
               + coalesce((SELECT sum(size_bytes) FROM upload WHERE tenant_id = $1), 0)
         WHERE tenant_id = $1
        """,
        tenant_id,
    )
