from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.covered import Covered, Span

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
