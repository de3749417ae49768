"""Inputs made worse, the same for the same seed."""

import random
from collections.abc import Sequence

MAX_BYTES = 40_000


def damaged(chance: random.Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One of the seeds, with parts changed, repeated, cut, or taken from another."""
    raw = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 2, 4, 16))):
        at = chance.randrange(len(raw) + 1)
        match chance.randrange(7):
            case 0:
                raw[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del raw[at : at + chance.choice((1, 8, 200))]
            case 2 | 3:
                raw[at:at] = chance.choice(words) * chance.choice((1, 1, 1, 2, 50))
            case 4:
                start = chance.randrange(len(raw) + 1)
                raw[at:at] = raw[start : start + chance.choice((4, 60, 500))]
            case 5:
                other = chance.choice(seeds)
                start = chance.randrange(len(other) + 1)
                raw[at : at + chance.choice((0, 300))] = other[start : start + 300]
            case _:
                word = chance.choice(words)
                raw[at : at + len(word)] = word
    return bytes(raw[:MAX_BYTES])
