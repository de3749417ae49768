"""What the bus shows of itself in every service."""

from prometheus_client import Counter, Gauge

OUTBOX_WAITING = Gauge(
    "postbus_bus_outbox_waiting_events",
    "Facts and commands written but not yet in a stream.",
    ["service"],  # api, sync, sender, indexer
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "postbus_bus_outbox_oldest_seconds",
    "Age of the oldest fact or command that is not yet in a stream.",
    ["service"],  # api, sync, sender, indexer
)
PUBLISHED = Counter(
    "postbus_bus_published_total",
    "Rows of the outbox by what the stream said to them.",
    ["service", "result"],  # result: ok, refused
)
CONSUMED = Counter(
    "postbus_bus_consumed_total",
    "Messages taken from a stream by what became of them.",
    ["consumer", "result"],  # consumer: as in the catalogue; result: ok, retried, buried
)
CONSUMER_PENDING = Gauge(
    "postbus_bus_consumer_pending_messages",
    "Messages in a stream that this consumer has not been given yet.",
    ["consumer"],  # as in the catalogue
)
STREAM_BYTES = Gauge(
    "postbus_bus_stream_bytes",
    "What a stream holds.",
    ["stream"],  # as in shared/bus/topology
)
STREAM_MAX_BYTES = Gauge(
    "postbus_bus_stream_max_bytes",
    "What a stream may hold; beyond it refuses, or lets the oldest go.",
    ["stream"],  # as in shared/bus/topology
)
STREAM_MESSAGES = Gauge(
    "postbus_bus_stream_messages",
    "Messages in a stream; in DEAD, what could not be handled.",
    ["stream"],  # as in shared/bus/topology
)
