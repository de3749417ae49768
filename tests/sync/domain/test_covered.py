from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.covered import EVERY_UID, LAST_UID, Covered, Span, next_window

spans = st.tuples(st.integers(1, 60), st.integers(0, 20)).map(lambda s: Span(s[0], s[0] + s[1]))
sets = st.lists(spans, max_size=8).map(Covered.of)


def uids(covered: Covered) -> set[int]:
    return {uid for span in covered for uid in range(span.first, span.last + 1)}


@given(sets, sets)
def test_coverage_behaves_like_a_set_of_uids(one: Covered, other: Covered):
    assert uids(one | other) == uids(one) | uids(other)
    assert uids(one - other) == uids(one) - uids(other)
    assert len(one) == len(uids(one))
    assert all((uid in one) == (uid in uids(one)) for uid in range(1, 90))


@given(sets, spans)
def test_coverage_is_kept_in_as_few_spans_as_can_be(covered: Covered, span: Span):
    more = covered.add(span)
    for before, after in zip(more.spans, more.spans[1:], strict=False):
        assert before.last + 1 < after.first
    assert Covered.from_bounds(more.bounds()) == more


@given(sets, spans)
def test_gaps_are_what_is_missing_newest_first(covered: Covered, within: Span):
    gaps = covered.gaps(within)
    missing = {uid for uid in range(within.first, within.last + 1) if uid not in covered}
    assert uids(Covered.of(gaps)) == missing
    assert gaps == sorted(gaps, reverse=True)


@given(spans, st.sets(st.integers(1, 90)), st.integers(1, 5))
def test_windows_cover_a_gap_and_every_message_in_it(gap: Span, listed: set[int], at_most: int):
    left, read = Covered((gap,)), set[int]()
    while left:
        (newest, *_) = left.gaps(EVERY_UID) and reversed(left.spans)
        window = next_window(newest, sorted(listed), at_most)
        assert window.last == newest.last
        inside = {uid for uid in listed if uid in window}
        assert len(inside) <= at_most
        assert not read or max(inside, default=0) < min(read)
        read |= inside
        left -= Covered((window,))
    assert read == {uid for uid in listed if uid in gap}


def test_ten_messages_numbered_around_four_billion_are_one_window():
    listed = [LAST_UID - 10 * n for n in range(10)]
    assert next_window(EVERY_UID, listed, 50) == EVERY_UID


def test_what_the_server_still_owes_is_not_covered():
    assert Covered((Span(1, 10),)).without([3, 10, 99]).bounds() == [(1, 3), (4, 10)]
