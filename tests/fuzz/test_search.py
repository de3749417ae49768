from pathlib import Path
from types import ModuleType

import pytest

from tests.fuzz.search import blindly

FOREVER = 600.0


def test_an_input_that_breaks_a_promise_is_found_and_kept(tmp_path: Path):
    def check(raw: bytes) -> None:
        assert b"\0" not in raw

    door = ModuleType("door")
    vars(door).update(check=check, seeds=lambda: iter([b"quite harmless"]), WORDS=[b"a", b"\0"])
    with pytest.raises(AssertionError):
        blindly(door, "door", FOREVER, 1, tmp_path)
    (found,) = tmp_path.iterdir()
    assert found.name.startswith("door-1-")
    assert b"\0" in found.read_bytes()
