import random
from functools import cache
from importlib import import_module
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.damage import damaged
from tests.fuzz.search import DOORS

ENOUGH = settings(derandomize=True, deadline=None, max_examples=60)


@cache
def door(name: str) -> tuple[ModuleType, tuple[bytes, ...]]:
    module = import_module(f"tests.fuzz.{name}")
    return module, tuple(module.seeds())


@pytest.mark.parametrize("name", DOORS)
@given(seed=st.integers(0, 2**32))
@ENOUGH
def test_what_strangers_write_breaks_no_promise_however_it_is_damaged(name: str, seed: int):
    module, seeds = door(name)
    module.check(damaged(random.Random(seed), seeds, module.WORDS))


@pytest.mark.parametrize("name", DOORS)
@given(pieces=st.data())
@ENOUGH
def test_what_is_put_together_of_telling_pieces_breaks_no_promise(name: str, pieces: st.DataObject):
    module, _ = door(name)
    words = st.sampled_from(module.WORDS) | st.binary(max_size=9)
    module.check(b"".join(pieces.draw(st.lists(words, max_size=30))))
