import time
from collections.abc import Iterator

import pytest

SECONDS = 5.0  # far more than it takes, far less than what is not linear takes


@pytest.fixture
def quickly() -> Iterator[None]:
    """The test must not take long, on however slow a machine."""
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS
