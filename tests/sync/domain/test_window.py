"""What of a mailbox is fetched, and in what order."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.covered import LAST_UID, Covered, Span
from services.sync.domain.window import batches, owed_of

uids = st.sets(st.integers(1, 200)).map(lambda found: array("I", sorted(found)))
sets = st.lists(
    st.tuples(st.integers(1, 180), st.integers(0, 20)).map(lambda s: Span(s[0], s[0] + s[1])),
    max_size=6,
).map(Covered.of)


@given(uids, sets)
def test_owed_is_what_is_listed_and_not_accounted_for(listed: "array[int]", covered: Covered):
    assert list(owed_of(listed, covered)) == [uid for uid in listed if uid not in covered]


@given(uids, st.integers(0, 30), st.integers(1, 5), st.integers(1, 9))
def test_batches_bring_everything_newest_first_and_leave_no_hole(
    owed: "array[int]", above: int, first: int, then: int
):
    top = (owed[-1] if owed else 0) + above
    cut = list(batches(owed, top, first, then))
    assert [uid for batch in cut for uid in batch.uids] == list(reversed(owed))
    assert all(len(batch.uids) <= (then if at else first) for at, batch in enumerate(cut))
    for batch in cut:
        assert all(uid in batch.span for uid in batch.uids)
    if cut:
        assert Covered.of(batch.span for batch in cut).bounds() == [(1, top + 1)]


def test_ten_messages_numbered_around_four_billion_are_one_batch():
    owed = array("I", [LAST_UID - 10 * n for n in range(10, 0, -1)])
    (batch,) = batches(owed, LAST_UID, 50, 100)
    assert batch.span == Span(1, LAST_UID)


def test_a_server_that_announces_too_little_loses_nothing():
    (batch,) = batches(array("I", [5, 9]), 7, 50, 100)
    assert batch.span == Span(1, 9)
