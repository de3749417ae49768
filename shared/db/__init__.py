"""PostgreSQL: pools, transactions on behalf of a caller, and migrations. No table is known here."""

from shared.db.absence import is_away, is_busy, putting_off
from shared.db.grouping import CallersGrouping, Grouping
from shared.db.pool import Connection, DatabaseSettings, Pool, open_pool
from shared.db.restoration import settle_restoration
from shared.db.tenants import forget_some_of_tenant, rows_of_tenant
from shared.db.transactions import (
    TenantReader,
    actor_of,
    in_transaction,
    tenant_reading,
    tenant_transaction,
    tenant_work,
)

__all__ = [
    "CallersGrouping",
    "Connection",
    "DatabaseSettings",
    "Grouping",
    "Pool",
    "TenantReader",
    "actor_of",
    "forget_some_of_tenant",
    "in_transaction",
    "is_away",
    "is_busy",
    "open_pool",
    "putting_off",
    "rows_of_tenant",
    "settle_restoration",
    "tenant_reading",
    "tenant_transaction",
    "tenant_work",
]
