"""What the memory shows of itself. Names are public; no label ever names a tenant or account."""

from prometheus_client import Counter, Gauge, Histogram

DOCUMENT_SECONDS = Histogram(
    "postbus_indexer_document_duration_seconds",
    "Time to take in a batch of pages about messages.",
    ["result"],  # ok, failed
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
)
DOCUMENTS = Counter(
    "postbus_indexer_documents_total",
    "Messages that pages spoke of, by what they said.",
    ["told"],  # synced, retold, changed, vanished
)
QUERY_SECONDS = Histogram(
    "postbus_indexer_query_duration_seconds",
    "Time to answer a search.",
    ["result"],  # found, nothing, refused, failed
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
LAG_SECONDS = Histogram(
    "postbus_indexer_lag_seconds",
    "From the moment a message was told to the moment it can be found.",
    buckets=(0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 15, 60, 300, 3600),
)
ARRIVING = Gauge(
    "postbus_indexer_arriving_documents",
    "Messages of first syncs and retellings whose words wait to be put into the index.",
)
GAVE_WAY_SECONDS = Counter(
    "postbus_indexer_gave_way_seconds_total",
    "Time that batches of first syncs waited because the copy needed the processors.",
)
REREAD = Counter(
    "postbus_indexer_reread_messages_total",
    "Messages whose words were made anew from what is kept of them.",
)
AUDITS = Counter(
    "postbus_indexer_audits_total",
    "Proofs of mailboxes that were compared with what can be found.",
    ["result"],  # agrees, differs, retold
)

for _result in ("ok", "failed"):
    DOCUMENT_SECONDS.labels(_result)
for _told in ("synced", "retold", "changed", "vanished"):
    DOCUMENTS.labels(_told)
for _result in ("found", "nothing", "refused", "failed"):
    QUERY_SECONDS.labels(_result)
for _result in ("agrees", "differs", "retold"):
    AUDITS.labels(_result)
