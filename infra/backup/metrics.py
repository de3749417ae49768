"""How old the last good backup is, and what making it took."""

from prometheus_client import Counter, Gauge

LAST_SUCCESS = Gauge(
    "postbus_backup_last_success_timestamp_seconds",
    "When the newest whole and verified set was begun, in seconds since 1970; 0: there is none.",
)
LAST_DURATION = Gauge(
    "postbus_backup_duration_seconds", "How long the newest set took to make and to verify."
)
LAST_SIZE = Gauge("postbus_backup_size_bytes", "What the newest set takes, sealed.")
SETS = Gauge("postbus_backup_sets", "Sets that are kept.")
FAILURES = Counter("postbus_backup_failures_total", "Attempts that ended without a set.")
WAL_SWEPT = Gauge(
    "postbus_backup_wal_timestamp_seconds",
    "When WAL was last moved to the backups, in seconds since 1970: what is later may be lost.",
)
