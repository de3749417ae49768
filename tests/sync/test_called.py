from uuid import uuid4

from services.sync.called import Calls


def test_carrying_out_forgets_no_wish_for_a_look_nor_the_other_way_round() -> None:
    calls = Calls()
    account = uuid4()
    assert not calls.carry(account)
    call = calls.of(account)
    call.set()
    assert calls.carry(account)
    call.take_carry()
    assert call.is_set()
    assert (call.wants_look, call.wants_carry) == (True, False)
    calls.carry(account)
    call.clear()
    assert call.is_set()
    assert (call.wants_look, call.wants_carry) == (False, True)
    call.take_carry()
    assert not call.is_set()


def test_who_comes_after_is_called_and_who_went_is_not() -> None:
    calls = Calls()
    account = uuid4()
    first, second = calls.of(account), calls.of(account)
    calls.forget(account, first)
    assert calls.carry(account)
    assert (first.wants_carry, second.wants_carry) == (False, True)
    calls.forget(account, second)
    assert not calls.carry(account)
