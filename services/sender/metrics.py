"""What sender shows of itself."""

from prometheus_client import Counter, Gauge, Histogram

ATTEMPT_SECONDS = Histogram(
    "postbus_sender_attempt_duration_seconds",
    "Time to hand one message to a submission server, or to fail to.",
    ["fate"],  # accepted, deferred, refused, uncertain
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
SUBMISSIONS_WAITING = Gauge(
    "postbus_sender_submissions_waiting",
    "Submissions that are due or will be tried again.",
)
OLDEST_SUBMISSION_SECONDS = Gauge(
    "postbus_sender_oldest_submission_seconds",
    "Age of the oldest submission that is due or will be tried again.",
)
SUBMISSIONS_UNCERTAIN = Gauge(
    "postbus_sender_submissions_uncertain",
    "Submissions that were handed over without anybody saying whether they were taken.",
)
ATTEMPTS_RUNNING = Gauge(
    "postbus_sender_attempts_running",
    "Messages that this process is handing over.",
)
SESSIONS_IDLE = Gauge(
    "postbus_sender_sessions_idle",
    "Sessions with submission servers that are kept for a next message.",
)
SUBMISSIONS_INTERRUPTED = Counter(
    "postbus_sender_submissions_interrupted_total",
    "Submissions whose sender died with them in hand.",
)

for _fate in ("accepted", "deferred", "refused", "uncertain"):
    ATTEMPT_SECONDS.labels(_fate)
