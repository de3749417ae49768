"""What sync shows of itself. Names are public; no label ever names a tenant, account or host."""

from prometheus_client import Counter, Gauge, Histogram

PULL_SECONDS = Histogram(
    "postbus_sync_pull_duration_seconds",
    "Time to bring our copy of one mailbox up to date.",
    ["result"],  # ok, refused, unreachable
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300),
)
MESSAGES = Counter("postbus_sync_messages_total", "Messages that came into our copy.")
MESSAGE_BYTES = Histogram(
    "postbus_sync_message_size_bytes",
    "Size of messages that came into our copy.",
    buckets=(1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6, 64e6),
)
LAG_SECONDS = Histogram(
    "postbus_sync_lag_seconds",
    "From a new message's INTERNALDATE, which counts whole seconds, to the moment it is told.",
    buckets=(0.5, 1, 2, 5, 15, 60, 300, 3600),
)
CONNECTIONS = Gauge(
    "postbus_sync_open_connections",
    "Connections to mail servers.",
    ["state"],  # idle, pulling
)
ACCOUNTS = Gauge("postbus_sync_accounts", "Accounts this process works on.")
ACCOUNT_STATES = Gauge(
    "postbus_sync_account_states",
    "Accounts by how they do, whoever works on them; every process counts the same.",
    ["state"],  # connecting, syncing, live, … as in docs/account-states.md
)
QUARANTINED = Counter(
    "postbus_sync_quarantined_messages_total",
    "Messages on a server that could not be kept.",
)
UNPROVEN = Gauge(
    "postbus_sync_unproven_messages",
    "Messages on servers that the last proof of their mailbox does not account for.",
)
OLDEST_PROOF_SECONDS = Gauge(
    "postbus_sync_oldest_proof_seconds",
    "Age of the oldest proof that a mailbox was whole.",
)
ANSWER_SECONDS = Histogram(
    "postbus_sync_answer_duration_seconds",
    "Time to answer what a message says.",
    ["result"],  # ok, not_found
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 2),
)
PARTS = Counter(
    "postbus_sync_parts_total",
    "Attachments and whole messages that were asked for and not in the bucket.",
    ["result"],  # ok, refused
)

INTENTS = Counter(
    "postbus_sync_intents_total",
    "Changes that people asked for and that have come to their end.",
    ["result"],  # done, refused
)

TOKEN_REFRESHES = Counter(
    "postbus_sync_token_refreshes_total",
    "Access tokens that providers were asked for (OAuth2).",
    ["result"],  # ok, ended, refused, unavailable
)

for _result in ("ok", "ended", "refused", "unavailable"):
    TOKEN_REFRESHES.labels(_result)
for _result in ("ok", "refused"):
    PARTS.labels(_result)
for _result in ("done", "refused"):
    INTENTS.labels(_result)
for _state in ("idle", "pulling"):
    CONNECTIONS.labels(_state)
for _result in ("ok", "refused", "unreachable"):
    PULL_SECONDS.labels(_result)
for _result in ("ok", "not_found"):
    ANSWER_SECONDS.labels(_result)
