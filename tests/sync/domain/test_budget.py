from datetime import UTC, datetime, timedelta, timezone

from services.sync.domain.budget import Budget, Used, budget_of, may_fill, renews_at

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
GB = 1_000_000_000


def test_a_first_copy_from_gmail_stops_before_the_account_would_be_shut_out() -> None:
    budget = budget_of("imap.gmail.com", connections=4)
    assert may_fill(Used(bytes=GB), budget, NOON) is None
    assert may_fill(Used(bytes=2_000_000_000), budget, NOON) == MIDNIGHT
    assert budget.bytes_per_day == 2_500_000_000


def test_where_nobody_counts_a_first_copy_goes_on() -> None:
    budget = budget_of("imap.example.org", connections=4)
    assert may_fill(Used(bytes=10**15, commands=10**12), budget, NOON) is None


def test_the_operators_word_on_bytes_replaces_the_providers() -> None:
    assert budget_of("imap.gmail.com", connections=4, bytes_per_day=0).bytes_per_day is None
    assert budget_of("imap.gmail.com", connections=4, bytes_per_day=GB).bytes_per_day == GB
    assert budget_of("imap.example.org", connections=4, bytes_per_day=GB).bytes_per_day == GB


def test_of_connections_the_fewest_that_anybody_allows_count_and_one_always_may() -> None:
    assert budget_of("imap.example.org", connections=4).connections == 4
    assert budget_of("imap.gmail.com", connections=40).connections == 15
    assert budget_of("imap.mail.yahoo.com", connections=4).connections == 3
    assert budget_of("imap.gmail.com", connections=4, learnt=2).connections == 2
    assert budget_of("imap.gmail.com", connections=4, learnt=9).connections == 4
    assert budget_of("imap.gmail.com", connections=4, learnt=0).connections == 1


def test_a_host_is_a_providers_only_by_whole_labels() -> None:
    assert budget_of("IMAP.Gmail.com.", connections=4).bytes_per_day is not None
    assert budget_of("notgmail.com", connections=4).bytes_per_day is None
    assert budget_of("gmail.com.example.org", connections=4).bytes_per_day is None


def test_commands_are_counted_as_bytes_are() -> None:
    budget = Budget(connections=1, commands_per_day=1000)
    assert may_fill(Used(commands=799), budget, NOON) is None
    assert may_fill(Used(commands=800), budget, NOON) == MIDNIGHT


def test_a_budget_renews_at_midnight_utc_wherever_we_are() -> None:
    assert renews_at(NOON) == MIDNIGHT
    assert renews_at(MIDNIGHT - timedelta(microseconds=1)) == MIDNIGHT
    assert renews_at(MIDNIGHT) == MIDNIGHT + timedelta(days=1)
    assert renews_at(NOON.astimezone(timezone(timedelta(hours=14)))) == MIDNIGHT
