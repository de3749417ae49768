"""Chaos for as long as one likes: `./just chaos [minutes] [seed]`."""

import asyncio
import random
import sys
import time

from tests.chaos.run import chaos
from tests.servers.dovecot import Dovecot

ROUNDS_PER_WORLD = 20  # then another world is made from the next seed
ACTS, FAULTS = 25, 5


async def go_on(minutes: float, seed: int) -> None:
    """Worlds one after the other until the time is over; the first fault ends it."""
    end = time.monotonic() + minutes * 60
    rounds = 0
    while time.monotonic() < end:
        async with chaos(seed) as run:
            for _ in range(ROUNDS_PER_WORLD):
                await run.round(ACTS, FAULTS)
                rounds += 1
                if time.monotonic() >= end:
                    break
        seed += 1
    print(f"chaos: {rounds} rounds, and nothing was lost")


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    Dovecot.require()
    asyncio.run(go_on(minutes, seed))


if __name__ == "__main__":
    main()
