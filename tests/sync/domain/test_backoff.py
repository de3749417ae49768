from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from services.sync.domain.backoff import next_pause, start_delay
from services.sync.domain.provider_limits import Limit, LimitKind

LUCK = st.floats(min_value=0, max_value=1, exclude_max=True)


def pause(failures: int, luck: float = 0.0, limit: Limit | None = None) -> float:
    return next_pause(failures, luck=luck, first=5.0, longest=600.0, limit=limit)


@given(failures=st.integers(min_value=1, max_value=10_000), luck=LUCK)
def test_a_pause_grows_to_the_longest_and_is_never_at_a_moment_all_share(
    failures: int, luck: float
) -> None:
    whole = min(5.0 * 2 ** min(failures - 1, 20), 600.0)
    assert whole / 2 <= pause(failures, luck) <= whole
    assert pause(failures + 1, luck) >= pause(failures, luck)


@given(
    failures=st.integers(min_value=1, max_value=10_000),
    luck=LUCK,
    asked=st.floats(min_value=0, max_value=86_400),
    kind=st.sampled_from(LimitKind),
)
def test_nobody_comes_back_before_the_server_said(
    failures: int, luck: float, asked: float, kind: LimitKind
) -> None:
    limit = Limit(kind=kind, retry_after_seconds=asked)
    assert asked <= pause(failures, luck, limit) <= asked + 60.0


def test_a_spent_bandwidth_is_asked_after_quarter_hours_and_then_hours() -> None:
    limit = Limit(kind=LimitKind.BANDWIDTH)
    assert pause(1, 0.999, limit) > 10 * 60
    assert 2 * 3600 <= pause(50, 0.5, limit) <= 4 * 3600


def test_a_server_that_is_only_busy_is_tried_as_soon_as_any_other() -> None:
    assert pause(1, 0.5, Limit(kind=LimitKind.BUSY)) == pause(1, 0.5)


def test_a_thousand_accounts_begin_over_twenty_seconds() -> None:
    delays = sorted(start_delay(uuid7(), 1000) for _ in range(1000))
    assert delays[0] >= 0
    assert delays[-1] <= 20.0
    by_second = [sum(second <= delay < second + 1 for delay in delays) for second in range(20)]
    assert max(by_second) < 100


@given(account_id=st.uuids(), count=st.integers(min_value=0, max_value=10**6))
def test_no_account_waits_for_more_than_a_minute_to_begin(account_id: UUID, count: int) -> None:
    assert 0 <= start_delay(account_id, count) <= 60.0
    assert start_delay(account_id, count) == start_delay(account_id, count)
    assert start_delay(account_id, count, new=True) == 0.0


def test_a_lone_account_begins_at_once() -> None:
    assert start_delay(uuid7(), 1) == 0.0
