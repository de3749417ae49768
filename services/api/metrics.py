"""What the api shows of itself."""

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS = Histogram(
    "postbus_api_request_duration_seconds",
    "Time from a request to the end of its answer; of an event stream, to its beginning.",
    [
        "method",  # GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, other
        "route",  # the template, e.g. /api/v1/messages/{message_id}; none where there is no route
        "status",  # the HTTP status code
    ],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SIGN_INS = Counter(
    "postbus_api_sign_ins_total",
    "Attempts to sign in.",
    ["result"],  # ok, refused, throttled
)
LIMITED = Counter(
    "postbus_api_limited_requests_total",
    "Requests that were refused because there were too many.",
    ["limit"],  # client, read, write, search, send, test, image, login, login-client, register
)
LIMITS_SETTLED = Counter(
    "postbus_api_limits_settlements_total",
    "Comparisons with the other replicas of what was let through.",
    ["result"],  # ok, away: this replica counted alone
)
LIMITS_ALONE = Gauge(
    "postbus_api_limits_alone",
    "1 while this replica counts alone because NATS is away, else 0.",
)
EVENT_STREAMS = Gauge(
    "postbus_api_event_streams",
    "Event streams that are open now.",
)
AUDITS = Counter(
    "postbus_api_audits_total",
    "Proofs of mailboxes that were compared with what is listed.",
    ["result"],  # agrees, differs, retold
)
IMAGES = Counter(
    "postbus_api_images_total",
    "Remote images that readers asked for.",
    ["result"],  # fetched, unavailable
)
WEBHOOK_DELIVERIES = Counter(
    "postbus_api_webhook_deliveries_total",
    "Attempts to deliver an event to a webhook.",
    ["result"],  # ok, refused, unreachable, timed_out, broken
)
WEBHOOK_LAG_SECONDS = Histogram(
    "postbus_api_webhook_lag_seconds",
    "Time from an event's being logged to its being delivered.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 600, 3600, 86400),
)
WEBHOOKS_PAUSED = Counter(
    "postbus_api_webhooks_paused_total",
    "Webhooks that were paused because their endpoints do not take events.",
    ["reason"],  # failing, gone, nobody
)
WEBHOOK_EVENTS_LOST = Counter(
    "postbus_api_webhook_events_lost_total",
    "Events that left the log before a webhook could be told.",
)

for _result in ("ok", "refused", "unreachable", "timed_out", "broken"):
    WEBHOOK_DELIVERIES.labels(_result)
for _reason in ("failing", "gone", "nobody"):
    WEBHOOKS_PAUSED.labels(_reason)
for _result in ("fetched", "unavailable"):
    IMAGES.labels(_result)
for _limit in (
    *("client", "read", "write", "search", "send", "test", "image"),
    *("login", "login-client", "register"),
):
    LIMITED.labels(_limit)
for _result in ("ok", "away"):
    LIMITS_SETTLED.labels(_result)
for _result in ("agrees", "differs", "retold"):
    AUDITS.labels(_result)
for _result in ("ok", "refused", "throttled"):
    SIGN_INS.labels(_result)
