import itertools
import json
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.parse import parse
from services.sync.domain.threading import Joined, Named, join
from tests.corpora import corpora, messages


def numbered() -> Callable[[], UUID]:
    counter = itertools.count(1)
    return lambda: UUID(int=next(counter))


class Account:
    """Threads as a store would keep them."""

    def __init__(self) -> None:
        self.names: dict[str, UUID] = {}
        self.threads: list[UUID] = []  # of each message that came
        self.new_thread = numbered()

    def receives(self, *arrived: Named) -> Joined:
        wanted = {name for message in arrived for name in message.names}
        known = {name: self.names[name] for name in wanted if name in self.names}
        joined = join(arrived, known, new_thread=self.new_thread)
        assert not set(joined.merged) & set(joined.merged.values())
        self.names = {n: joined.merged.get(t, t) for n, t in self.names.items()} | dict(
            joined.names
        )
        self.threads = [joined.merged.get(t, t) for t in self.threads] + list(joined.threads)
        return joined


def letter(name: str | None, *references: str) -> Named:
    return Named(message_id=name, references=references)


def test_an_answer_joins_the_letter_it_answers():
    account = Account()
    account.receives(letter("a"))
    account.receives(Named(message_id="b", in_reply_to=("a",)))
    assert account.threads == [UUID(int=1)] * 2


def test_answers_meet_before_the_letter_they_answer_comes():
    account = Account()
    account.receives(letter("b", "a"))
    account.receives(letter("c", "a"))
    account.receives(letter("a"))
    assert len(set(account.threads)) == 1


def test_a_late_letter_makes_two_threads_one_and_the_older_stays():
    account = Account()
    account.receives(letter("b", "a"))
    account.receives(letter("d", "c"))
    joined = account.receives(letter("e", "d", "b"))
    assert joined.merged == {UUID(int=2): UUID(int=1)}
    assert account.threads == [UUID(int=1)] * 3


def test_letters_without_names_are_threads_of_their_own():
    account = Account()
    account.receives(letter(None), letter(None))
    assert len(set(account.threads)) == 2


named = st.builds(
    Named,
    message_id=st.none() | st.sampled_from("abcdefgh"),
    references=st.lists(st.sampled_from("abcdefgh"), max_size=3).map(tuple),
    in_reply_to=st.lists(st.sampled_from("abcdefgh"), max_size=1).map(tuple),
)


@given(st.lists(named, max_size=8), st.data())
def test_the_order_of_arrival_does_not_matter(letters: list[Named], data: st.DataObject):
    def groups(order: list[int], batch: int) -> set[frozenset[int]]:
        account = Account()
        for at in range(0, len(order), batch):
            account.receives(*(letters[n] for n in order[at : at + batch]))
        found: dict[UUID, set[int]] = {}
        for n, thread in zip(order, account.threads, strict=True):
            found.setdefault(thread, set()).add(n)
        return {frozenset(group) for group in found.values()}

    order = list(range(len(letters)))
    shuffled = data.draw(st.permutations(order))
    assert groups(order, len(order) or 1) == groups(shuffled, data.draw(st.integers(1, 3)))


def test_real_mail_is_threaded_as_two_servers_agree():
    folder = corpora()
    if folder is None:
        pytest.skip("the corpora are not beside the project")
    expected = json.loads((folder / "spamassassin" / "expected-threads.json").read_bytes())
    raws = dict(messages())
    components = next(v for k, v in expected.items() if "component" in k)
    account = Account()
    files = [file for group in components for file in group]
    for file in files:
        parsed = parse(raws[f"spamassassin/{file}"])
        account.receives(Named(parsed.message_id, parsed.references, parsed.in_reply_to))
    found: dict[UUID, set[str]] = {}
    for file, thread in zip(files, account.threads, strict=True):
        found.setdefault(thread, set()).add(file)
    ours = {frozenset(group) for group in found.values()}
    theirs = {frozenset(group) for group in components}
    assert len(ours & theirs) >= 0.99 * len(theirs), sorted(map(sorted, theirs - ours))[:5]
