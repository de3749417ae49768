import pytest

from services.sync.domain.uidvalidity import Begin, Position, Remap, Resume, next_step


def test_a_mailbox_we_do_not_know_is_begun():
    assert next_step(None, 7) == Begin(7)


def test_a_mailbox_that_kept_its_numbers_is_read_on():
    assert next_step(Position(7), 7) == Resume(Position(7))


@pytest.mark.parametrize("announced", [6, 8, 4_294_967_295])
def test_any_other_uidvalidity_means_other_numbers(announced: int):
    assert next_step(Position(7), announced) == Remap(Position(7), to=announced)
