"""Whatever thread a message was in, its ids alone decide where it belongs."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.rethreading import Threaded, join_anew
from services.sync.domain.threading import Named
from tests.sync.domain.test_threading import Account, letter, named, numbered

LATER = 1_000_000  # ids made while threads are made anew are larger than all that were there


def made_anew(letters: Sequence[Named], were: Sequence[UUID], page: int) -> list[UUID]:
    """The threads of messages that were in these, gathered and put page by page."""
    known: dict[str, UUID] = {}
    fresh = numbered()
    threads = dict(enumerate(were))
    # As they are kept: a message without any id has one for us alone.
    own = [one if one.names else one.within(f"message {n}") for n, one in enumerate(letters)]
    for settled in (False, True):
        for at in range(0, len(letters), page):
            some = range(at, min(at + page, len(letters)))
            messages = [Threaded(UUID(int=n), threads[n], own[n]) for n in some]
            wanted = {name for one in messages for name in one.named.names}
            joined = join_anew(
                messages,
                {name: known[name] for name in wanted & known.keys()},
                set(known.values()) & {one.thread_id for one in messages},
                settled=settled,
                new_thread=lambda: UUID(int=LATER + fresh().int),
            )
            known = {name: joined.merged.get(of, of) for name, of in known.items()}
            known |= joined.names
            if settled:
                assert not joined.merged
                threads |= dict(zip(some, joined.threads, strict=True))
    return [threads[n] for n in range(len(letters))]


def groups(threads: Sequence[UUID]) -> set[frozenset[int]]:
    found: dict[UUID, set[int]] = {}
    for n, thread in enumerate(threads):
        found.setdefault(thread, set()).add(n)
    return {frozenset(group) for group in found.values()}


def arrived(letters: Sequence[Named]) -> list[UUID]:
    account = Account()
    for one in letters:
        account.receives(one)
    return account.threads


@given(st.lists(named, max_size=10), st.integers(1, 4))
def test_threads_that_are_right_stay_as_they_are(letters: list[Named], page: int) -> None:
    right = arrived(letters)
    assert made_anew(letters, right, page) == right


@given(st.lists(named, max_size=10), st.integers(1, 4), st.data())
def test_however_threads_were_mixed_up_they_come_right(
    letters: list[Named], page: int, data: st.DataObject
) -> None:
    wrong = [UUID(int=data.draw(st.integers(1, 5))) for _ in letters]
    assert groups(made_anew(letters, wrong, page)) == groups(arrived(letters))


def test_of_two_threads_that_were_one_the_first_keeps_its_id() -> None:
    letters = [letter("a"), letter("b"), letter("a2", "a"), letter("b2", "b")]
    one = UUID(int=7)
    first, second, *others = made_anew(letters, [one] * 4, page=3)
    assert (first, others) == (one, [one, second])
    assert second.int > LATER


def test_of_one_thread_that_was_two_the_smaller_id_stays() -> None:
    letters = [letter("a"), letter("b", "a"), letter("c", "b")]
    assert made_anew(letters, [UUID(int=9), UUID(int=5), UUID(int=9)], page=1) == [UUID(int=5)] * 3


def test_a_letter_without_any_id_is_alone_again() -> None:
    letters = [letter("a"), letter(None), letter(None), letter("a2", "a")]
    threads = made_anew(letters, [UUID(int=1)] * 4, page=2)
    assert groups(threads) == {frozenset({0, 3}), frozenset({1}), frozenset({2})}


def test_a_conversation_that_the_server_knows_stays_together() -> None:
    letters = [letter("a").within("1700"), letter("b").within("1700"), letter("c").within("1701")]
    threads = made_anew(letters, [UUID(int=n) for n in (1, 2, 3)], page=1)
    assert groups(threads) == {frozenset({0, 1}), frozenset({2})}
