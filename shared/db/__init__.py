"""PostgreSQL: pools, transactions on behalf of a caller, and migrations. No table is known here."""

from shared.db.pool import Connection, DatabaseSettings, Pool, open_pool
from shared.db.transactions import in_transaction, is_away, tenant_transaction

__all__ = [
    "Connection",
    "DatabaseSettings",
    "Pool",
    "in_transaction",
    "is_away",
    "open_pool",
    "tenant_transaction",
]
