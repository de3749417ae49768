"""What is shown, dashboard by dashboard: a question, how it is asked, and its unit.

What every replica counts alike is the maximum, what each counts for itself the sum. A test asks
every query of a Prometheus that watches a running platform.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Panel:
    """One question and its queries: (expression, legend)."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    says: str = ""  # where the title does not say it all


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: rows of panels under a headline."""

    uid: str
    title: str
    rows: dict[str, tuple[Panel, ...]] = field(default_factory=dict[str, tuple[Panel, ...]])

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows.values() for panel in row)


def _quantiles(metric: str, by: str = "") -> tuple[tuple[str, str], ...]:
    labels = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return tuple(
        (
            f"histogram_quantile({quantile}, sum by ({labels}) (rate({metric}_bucket[5m])))",
            f"{legend}p{int(quantile * 100)}",
        )
        for quantile in (0.5, 0.95, 0.99)
    )


def _rate(metric: str, by: str) -> tuple[str, str]:
    return (f"sum by ({by}) (rate({metric}[5m]))", f"{{{{{by}}}}}")


OVERVIEW = Board(
    "postbus-overview",
    "Postbus: overview",
    {
        "Does it work?": (
            Panel("Processes that answer", (("sum by (job) (up)", "{{job}}"),)),
            Panel(
                "Alerts", (('count by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),)
            ),
            Panel(
                "Requests that fail",
                (("postbus:api_errors:ratio5m", "of all"),),
                "percentunit",
                "5xx of all answers in 5 minutes.",
            ),
            Panel(
                "Accounts by state",
                (("max by (state) (postbus_sync_account_states)", "{{state}}"),),
            ),
        ),
        "How fast?": (
            Panel("Requests", _quantiles("postbus_api_request_duration_seconds"), "s"),
            Panel(
                "From a server to the reader",
                _quantiles("postbus_sync_lag_seconds"),
                "s",
                "From INTERNALDATE, which counts whole seconds, to the moment new mail is told.",
            ),
            Panel("From told to findable", _quantiles("postbus_indexer_lag_seconds"), "s"),
            Panel(
                "Handing a message over", _quantiles("postbus_sender_attempt_duration_seconds"), "s"
            ),
        ),
        "What waits?": (
            Panel(
                "In outboxes",
                (("max by (service) (postbus_bus_outbox_waiting_events)", "{{service}}"),),
            ),
            Panel(
                "For consumers",
                (("topk(10, postbus:bus_consumer_pending_messages:max)", "{{consumer}}"),),
            ),
            Panel("To be sent", (("max(postbus_sender_submissions_waiting)", "submissions"),)),
            Panel(
                "In Postfix",
                (("sum by (queue) (postbus_postfix_queue_messages)", "{{queue}}"),),
                says="With mail servers of one's own.",
            ),
            Panel(
                "Age of the last good backup",
                (
                    ("time() - max(postbus_backup_last_success_timestamp_seconds > 0)", "set"),
                    ("time() - max(postbus_backup_wal_timestamp_seconds > 0)", "WAL"),
                ),
                "s",
            ),
        ),
        "What it takes": (
            Panel(
                "Processors",
                (("sum by (job) (rate(process_cpu_seconds_total[5m]))", "{{job}}"),),
                "short",
                "Processors that each service keeps busy.",
            ),
            Panel(
                "Memory", (("sum by (job) (process_resident_memory_bytes)", "{{job}}"),), "bytes"
            ),
            Panel(
                "Event loops",
                _quantiles("postbus_process_event_loop_lag_seconds", "job")[2:],
                "s",
                "How late what is due begins.",
            ),
            Panel(
                "Disks",
                (
                    (
                        'node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"}',
                        "{{mountpoint}}",
                    ),
                ),
                "bytes",
                "What is left.",
            ),
        ),
    },
)

SYNC = Board(
    "postbus-sync",
    "Postbus: sync",
    {
        "Accounts": (
            Panel("By state", (("max by (state) (postbus_sync_account_states)", "{{state}}"),)),
            Panel("By process", (("sum by (instance) (postbus_sync_accounts)", "{{instance}}"),)),
            Panel(
                "Connections to mail servers",
                (("sum by (state) (postbus_sync_open_connections)", "{{state}}"),),
            ),
        ),
        "The copy": (
            Panel(
                "Messages that came",
                (("sum(rate(postbus_sync_messages_total[5m]))", "messages"),),
                "cps",
            ),
            Panel("Lag of new mail", _quantiles("postbus_sync_lag_seconds"), "s"),
            Panel(
                "One mailbox brought up to date",
                _quantiles("postbus_sync_pull_duration_seconds"),
                "s",
            ),
            Panel(
                "Pulls by what came of them",
                (_rate("postbus_sync_pull_duration_seconds_count", "result"),),
                "cps",
            ),
            Panel("Size of messages", _quantiles("postbus_sync_message_size_bytes"), "bytes"),
        ),
        "Proof": (
            Panel("Unproven messages", (("max(postbus_sync_unproven_messages)", "messages"),)),
            Panel(
                "Age of the oldest proof",
                (("max(postbus_sync_oldest_proof_seconds)", "proof"),),
                "s",
            ),
            Panel(
                "Could not be kept",
                (("sum(rate(postbus_sync_quarantined_messages_total[5m]))", "messages"),),
                "cps",
            ),
        ),
        "Asked of it": (
            Panel("Opening a message", _quantiles("postbus_sync_answer_duration_seconds"), "s"),
            Panel("Attachments fetched", (_rate("postbus_sync_parts_total", "result"),), "cps"),
            Panel("Changes carried out", (_rate("postbus_sync_intents_total", "result"),), "cps"),
        ),
    },
)

SENDER = Board(
    "postbus-sender",
    "Postbus: sender",
    {
        "On their way": (
            Panel("Waiting", (("max(postbus_sender_submissions_waiting)", "submissions"),)),
            Panel(
                "Age of the oldest",
                (("max(postbus_sender_oldest_submission_seconds)", "submission"),),
                "s",
            ),
            Panel(
                "Uncertain",
                (("max(postbus_sender_submissions_uncertain)", "submissions"),),
                "short",
                "Nobody knows whether they were taken; a trace or a human settles it.",
            ),
        ),
        "Attempts": (
            Panel(
                "By fate", (_rate("postbus_sender_attempt_duration_seconds_count", "fate"),), "cps"
            ),
            Panel("How long", _quantiles("postbus_sender_attempt_duration_seconds"), "s"),
            Panel("Under way", (("sum(postbus_sender_attempts_running)", "attempts"),)),
            Panel(
                "Interrupted",
                (("sum(rate(postbus_sender_submissions_interrupted_total[5m]))", "submissions"),),
                "cps",
            ),
            Panel(
                "Idle sessions with servers", (("sum(postbus_sender_sessions_idle)", "sessions"),)
            ),
        ),
    },
)

INDEXER = Board(
    "postbus-indexer",
    "Postbus: indexer",
    {
        "Searching": (
            Panel("How long", _quantiles("postbus_indexer_query_duration_seconds"), "s"),
            Panel(
                "By result",
                (_rate("postbus_indexer_query_duration_seconds_count", "result"),),
                "cps",
            ),
        ),
        "Making words": (
            Panel("Lag", _quantiles("postbus_indexer_lag_seconds"), "s", "From told to findable."),
            Panel(
                "Messages",
                (("sum(rate(postbus_indexer_documents_total[5m]))", "documents"),),
                "cps",
            ),
            Panel("One message", _quantiles("postbus_indexer_document_duration_seconds"), "s"),
            Panel(
                "Beside the index, for now",
                (("max(postbus_indexer_arriving_documents)", "documents"),),
            ),
            Panel(
                "Made anew",
                (("sum(rate(postbus_indexer_reread_messages_total[5m]))", "messages"),),
                "cps",
            ),
            Panel("Proofs compared", (_rate("postbus_indexer_audits_total", "result"),), "cps"),
        ),
    },
)

API = Board(
    "postbus-api",
    "Postbus: api",
    {
        "Requests": (
            Panel(
                "By status",
                (_rate("postbus_api_request_duration_seconds_count", "status"),),
                "reqps",
            ),
            Panel("How long", _quantiles("postbus_api_request_duration_seconds"), "s"),
            Panel(
                "Slowest routes",
                (
                    (
                        (
                            "topk(10, histogram_quantile(0.95, sum by (le, route)"
                            " (rate(postbus_api_request_duration_seconds_bucket[5m]))))"
                        ),
                        "{{route}}",
                    ),
                ),
                "s",
            ),
            Panel(
                "Busiest routes",
                (("topk(10, sum by (route) (postbus:api_requests:rate5m))", "{{route}}"),),
                "reqps",
            ),
            Panel("Errors of a month", (("postbus:api_errors:ratio30d", "5xx"),), "percentunit"),
        ),
        "Let through, and not": (
            Panel(
                "Refused by limits",
                (_rate("postbus_api_limited_requests_total", "limit"),),
                "reqps",
            ),
            Panel("Replicas that count alone", (("sum(postbus_api_limits_alone)", "replicas"),)),
            Panel("Signing in", (_rate("postbus_api_sign_ins_total", "result"),), "cps"),
        ),
        "Told": (
            Panel("Event streams", (("sum(postbus_api_event_streams)", "open"),)),
            Panel("Webhooks", (_rate("postbus_api_webhook_deliveries_total", "result"),), "cps"),
            Panel("Lag of webhooks", _quantiles("postbus_api_webhook_lag_seconds"), "s"),
            Panel("Proofs compared", (_rate("postbus_api_audits_total", "result"),), "cps"),
        ),
    },
)

BUS = Board(
    "postbus-bus",
    "Postbus: bus",
    {
        "Streams": (
            Panel("How full", (("postbus:bus_stream_fill:ratio", "{{stream}}"),), "percentunit"),
            Panel("Messages", (("max by (stream) (postbus_bus_stream_messages)", "{{stream}}"),)),
            Panel("Dead letters", (('max(postbus_bus_stream_messages{stream="DEAD"})', "DEAD"),)),
        ),
        "Told": (
            Panel("By service", (_rate("postbus_bus_published_total", "service"),), "cps"),
            Panel(
                "By what the stream said", (_rate("postbus_bus_published_total", "result"),), "cps"
            ),
            Panel(
                "Waiting in outboxes",
                (("max by (service) (postbus_bus_outbox_waiting_events)", "{{service}}"),),
            ),
            Panel(
                "The oldest of them",
                (("postbus:bus_outbox_oldest_seconds:max", "{{service}}"),),
                "s",
            ),
        ),
        "Heard": (
            Panel("By consumer", (_rate("postbus_bus_consumed_total", "consumer"),), "cps"),
            Panel("By what became of it", (_rate("postbus_bus_consumed_total", "result"),), "cps"),
            Panel("Waiting", (("postbus:bus_consumer_pending_messages:max", "{{consumer}}"),)),
        ),
    },
)

DATABASE = Board(
    "postbus-database",
    "Postbus: database",
    {
        "Connections": (
            Panel(
                "In use, by role",
                (('sum by (role) (postbus_database_pool_connections{state="used"})', "{{role}}"),),
            ),
            Panel(
                "Of what each pool may have",
                (("postbus:database_pool_used:ratio", "{{role}} {{instance}}"),),
                "percentunit",
            ),
            Panel("All, by state", (("sum by (state) (pg_stat_activity_count)", "{{state}}"),)),
        ),
        "PostgreSQL": (
            Panel("Size", (("pg_database_size_bytes", "{{datname}}"),), "bytes"),
            Panel(
                "Transactions", (("rate(pg_stat_database_xact_commit[5m])", "{{datname}}"),), "cps"
            ),
            Panel(
                "Rolled back", (("rate(pg_stat_database_xact_rollback[5m])", "{{datname}}"),), "cps"
            ),
            Panel(
                "Found in memory",
                (
                    (
                        (
                            "1 / (1 + rate(pg_stat_database_blks_read[5m])"
                            " / rate(pg_stat_database_blks_hit[5m]))"
                        ),
                        "{{datname}}",
                    ),
                ),
                "percentunit",
            ),
            Panel(
                "Dead rows",
                (("topk(10, pg_stat_user_tables_n_dead_tup)", "{{schemaname}}.{{relname}}"),),
                "short",
                "What autovacuum has not yet cleared: bloat, where it does not fall.",
            ),
            Panel(
                "Largest tables",
                (
                    (
                        # As exporters have it up to 0.17, and as those do from 0.18 on.
                        (
                            "topk(10, pg_stat_user_tables_size_bytes or"
                            " pg_stat_user_tables_table_size_bytes"
                            " + pg_stat_user_tables_index_size_bytes)"
                        ),
                        "{{schemaname}}.{{relname}}",
                    ),
                ),
                "bytes",
                "With their indexes and what is kept beside them.",
            ),
            Panel(
                "Statements that take most",
                (("topk(10, rate(pg_stat_statements_seconds_total[5m]))", "{{user}} {{queryid}}"),),
                "s",
                "Seconds in a second; pg_stat_statements has the text of each number.",
            ),
            Panel("Deadlocks", (("rate(pg_stat_database_deadlocks[5m])", "{{datname}}"),), "cps"),
            Panel(
                "WAL kept for backups",
                (("pg_replication_slots_pg_wal_lsn_diff", "{{slot_name}}"),),
                "bytes",
            ),
        ),
        "Backups": (
            Panel("Size of the newest set", (("max(postbus_backup_size_bytes)", "set"),), "bytes"),
            Panel("How long it took", (("max(postbus_backup_duration_seconds)", "set"),), "s"),
            Panel("Sets", (("max(postbus_backup_sets)", "kept"),)),
            Panel(
                "Attempts that failed",
                (("sum(increase(postbus_backup_failures_total[1d]))", "in a day"),),
            ),
        ),
    },
)

BOARDS = (OVERVIEW, SYNC, SENDER, INDEXER, API, BUS, DATABASE)
