"""Ports in a row that no other test of this machine takes."""

import contextlib
import random
import socket
from collections.abc import Generator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections (32768 and up, mostly).
_FIRST, _LAST = 12_000, 30_000


@contextmanager
def ports_in_a_row(count: int) -> Generator[int]:
    """The first of so many free ports, ours while inside.

    The port behind them is kept open as a guard: who looks for ports the same way sees it.
    """
    starts = list(range(_FIRST, _LAST, count + 1))
    random.shuffle(starts)
    for first in starts:
        with contextlib.ExitStack() as stack:
            try:
                guard = stack.enter_context(socket.socket())
                guard.bind((LOOPBACK, first + count))
                guard.listen()
                for port in range(first, first + count):
                    with socket.socket() as probe:
                        probe.bind((LOOPBACK, port))
            except OSError:
                continue
            yield first
            return
    raise AssertionError(f"there are no {count} free ports in a row")
