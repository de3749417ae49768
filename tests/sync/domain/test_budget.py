from datetime import UTC, datetime, timedelta, timezone

from services.sync.domain.budget import Budget, Decider, Used, budget_of, may_fill, renews_at
from services.sync.domain.profile import choose
from shared.contracts.standing import OwnProfile

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
GB = 1_000_000_000


def test_a_first_copy_from_gmail_stops_before_the_account_would_be_shut_out() -> None:
    budget = budget_of(choose("imap.gmail.com"), connections=4)
    assert may_fill(Used(bytes=GB), budget, NOON) is None
    assert may_fill(Used(bytes=2_000_000_000), budget, NOON) == MIDNIGHT
    assert budget.bytes_per_day == 2_500_000_000


def test_where_nobody_counts_a_first_copy_goes_on() -> None:
    budget = budget_of(choose("imap.example.org"), connections=4)
    assert may_fill(Used(bytes=10**15, commands=10**12), budget, NOON) is None


def test_the_operators_word_on_bytes_replaces_the_providers() -> None:
    assert budget_of(choose("imap.gmail.com"), connections=4, bytes_per_day=0).bytes_per_day is None
    assert budget_of(choose("imap.gmail.com"), connections=4, bytes_per_day=GB).bytes_per_day == GB
    assert (
        budget_of(choose("imap.example.org"), connections=4, bytes_per_day=GB).bytes_per_day == GB
    )


def test_of_connections_the_fewest_that_anybody_allows_count_and_one_always_may() -> None:
    assert budget_of(choose("imap.example.org"), connections=4).connections == 4
    assert budget_of(choose("imap.gmail.com"), connections=40).connections == 15
    assert budget_of(choose("imap.mail.yahoo.com"), connections=4).connections == 3
    assert budget_of(choose("imap.gmail.com"), connections=4, learnt=2).connections == 2
    assert budget_of(choose("imap.gmail.com"), connections=4, learnt=9).connections == 4
    assert budget_of(choose("imap.gmail.com"), connections=4, learnt=0).connections == 1


def test_a_host_is_a_providers_only_by_whole_labels() -> None:
    assert budget_of(choose("IMAP.Gmail.com."), connections=4).bytes_per_day is not None
    assert budget_of(choose("notgmail.com"), connections=4).bytes_per_day is None
    assert budget_of(choose("gmail.com.example.org"), connections=4).bytes_per_day is None


def test_commands_are_counted_as_bytes_are() -> None:
    budget = Budget(connections=1, commands_per_day=1000)
    assert may_fill(Used(commands=799), budget, NOON) is None
    assert may_fill(Used(commands=800), budget, NOON) == MIDNIGHT


def test_a_budget_renews_at_midnight_utc_wherever_we_are() -> None:
    assert renews_at(NOON) == MIDNIGHT
    assert renews_at(MIDNIGHT - timedelta(microseconds=1)) == MIDNIGHT
    assert renews_at(MIDNIGHT) == MIDNIGHT + timedelta(days=1)
    assert renews_at(NOON.astimezone(timezone(timedelta(hours=14)))) == MIDNIGHT


def test_it_is_said_whose_word_each_limit_is() -> None:
    gmail, unknown = choose("imap.gmail.com"), choose("imap.example.org")
    budget = budget_of(gmail, connections=40, commands_per_day=9)
    assert budget.connections_by is Decider.PROVIDER
    assert budget.bytes_by is Decider.PROVIDER
    assert budget.commands_by is Decider.OPERATOR
    budget = budget_of(gmail, connections=4, bytes_per_day=0, learnt=2)
    assert budget.connections_by is Decider.SERVER
    assert (budget.bytes_per_day, budget.bytes_by) == (None, Decider.OPERATOR)
    budget = budget_of(unknown, connections=4)
    assert budget.connections_by is Decider.OPERATOR
    assert (budget.bytes_by, budget.commands_by) == (None, None)


def test_what_is_said_of_an_account_replaces_what_is_known_of_its_provider() -> None:
    own = OwnProfile(connections=2, bytes_per_day=GB, commands_per_day=0)
    budget = budget_of(choose("imap.gmail.com").by(own), connections=4)
    assert (budget.connections, budget.connections_by) == (2, Decider.ACCOUNT)
    assert (budget.bytes_per_day, budget.bytes_by) == (GB, Decider.ACCOUNT)
    assert (budget.commands_per_day, budget.commands_by) == (None, Decider.ACCOUNT)
    more = choose("imap.gmail.com").by(OwnProfile(bytes_per_day=0))
    assert budget_of(more, connections=4).bytes_per_day is None


def test_nobody_says_of_their_account_what_goes_beyond_the_operators_word() -> None:
    own = OwnProfile(connections=50, bytes_per_day=2 * GB, commands_per_day=0)
    budget = budget_of(
        choose("imap.example.org").by(own), connections=4, bytes_per_day=GB, commands_per_day=9
    )
    assert (budget.connections, budget.connections_by) == (4, Decider.OPERATOR)
    assert (budget.bytes_per_day, budget.bytes_by) == (GB, Decider.OPERATOR)
    assert (budget.commands_per_day, budget.commands_by) == (9, Decider.OPERATOR)
    less = budget_of(
        choose("imap.example.org").by(OwnProfile(bytes_per_day=7)), connections=4, bytes_per_day=0
    )
    assert (less.bytes_per_day, less.bytes_by) == (7, Decider.ACCOUNT)


def test_what_a_server_refused_outweighs_what_was_said_of_it() -> None:
    own = OwnProfile(connections=3)
    budget = budget_of(choose("imap.gmail.com").by(own), connections=4, learnt=2)
    assert (budget.connections, budget.connections_by) == (2, Decider.SERVER)
