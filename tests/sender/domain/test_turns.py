from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.sender.domain.turns import Sender, Turns

BULK = UUID(int=1)
SMALL = UUID(int=2)


def sender(tenant: UUID, account: int) -> Sender:
    return Sender(tenant, UUID(int=1000 * tenant.int + account))


def any_room(_: UUID) -> int:
    return 1000


def test_a_tenant_with_many_accounts_has_no_more_turns_than_one_with_a_single():
    turns = Turns()
    turns.add(sender(BULK, number) for number in range(50))
    turns.add([sender(SMALL, 1)])
    wanted = turns.take(10, any_room)
    of_tenant = Counter[UUID]()
    for one, count in wanted.items():
        of_tenant[one.tenant_id] += count
    assert of_tenant == {BULK: 5, SMALL: 5}


def test_who_came_last_is_served_within_a_round():
    turns = Turns()
    turns.add(sender(UUID(int=number), 1) for number in range(1, 9))
    turns.take(4, any_room)
    turns.add([sender(UUID(int=99), 1)])
    assert sender(UUID(int=99), 1) in turns.take(9, any_room)


def test_an_account_without_room_leaves_its_turn_to_others():
    turns = Turns()
    full, free = sender(BULK, 1), sender(BULK, 2)
    turns.add([full, free])
    assert turns.take(4, lambda account: 0 if account == full.account_id else 3) == {free: 3}


def test_nothing_is_taken_of_who_has_nothing_more():
    turns = Turns()
    turns.add([sender(BULK, 1), sender(SMALL, 1)])
    turns.remove(sender(BULK, 1))
    turns.remove(sender(BULK, 1))
    assert turns.take(3, any_room) == {sender(SMALL, 1): 3}
    assert len(turns) == 1


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1),
    st.integers(1, 40),
    st.integers(0, 3),
)
def test_as_much_is_taken_as_there_is_room_for_and_tenants_differ_by_one(
    pairs: list[tuple[int, int]], limit: int, room: int
):
    turns = Turns()
    senders = {sender(UUID(int=tenant), account) for tenant, account in pairs}
    turns.add(sorted(senders, key=lambda one: one.account_id))
    wanted = turns.take(limit, lambda _: room)
    assert sum(wanted.values()) == min(limit, room * len(senders))
    assert all(count <= room for count in wanted.values())
    counts = Counter[UUID]()
    for one, count in wanted.items():
        counts[one.tenant_id] += count
    for tenant_id in {one.tenant_id for one in senders}:
        capacity = room * sum(one.tenant_id == tenant_id for one in senders)
        # Whoever has room left had as many turns as anybody, but for the round that is not over.
        if counts[tenant_id] < capacity:
            assert counts[tenant_id] >= max(counts.values()) - 1
