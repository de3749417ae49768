"""The process that reads messages for `understanding`. It imports the rules and nothing else."""

import gc
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct

from services.sync.domain.understand import Raw, Understood, Unreadable, understand

LENGTH_BYTES = 4
READY = b"ready"

# Whoever opens a message or asks for a list goes first; those who read words come last.
_NICE = 5
_COLLECTED_AFTER = 1_000  # messages
_AT_ONCE_BYTES = 256 * 1024
_MEMORY_BYTES = 2 * 1024 * 1024 * 1024


class Asked(Struct, frozen=True, kw_only=True, array_like=True):
    """A message to read; its bytes, so many, follow behind all that is asked."""

    uid: int
    length: int
    received_at: datetime
    size_bytes: int | None
    attachment_sizes: Mapping[int, int] | None


#: Of each message what it says, or why it could not be read.
Answer: TypeAlias = list[tuple[Understood | None, str]]


def read_all(batch: Sequence[Raw]) -> list[Understood | Unreadable]:
    """Read these, each for itself."""
    return [_read(one) for one in batch]


def _read(one: Raw) -> Understood | Unreadable:
    try:
        return understand(
            uid=one.uid,
            raw=one.raw,
            received_at=one.received_at,
            size_bytes=one.size_bytes,
            attachment_sizes=one.attachment_sizes,
        )
    except Exception as error:  # noqa: BLE001 - it says so, and the message is put aside with it
        return Unreadable(uid=one.uid, reason=type(error).__name__)


def serve(seconds: float) -> None:
    """What is asked comes in, what was read goes out, until the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks decides when it ends
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    asked_in = msgspec.msgpack.Decoder(list[Asked])
    encoder = msgspec.msgpack.Encoder()
    come, go = os.fdopen(sys.stdin.fileno(), "rb", _AT_ONCE_BYTES), sys.stdout.buffer
    # What there is now stays; what a message leaves behind goes with its batch.
    gc.freeze()
    gc.disable()
    since = 0
    go.write(READY)
    go.flush()
    while head := come.read(LENGTH_BYTES):
        asked = asked_in.decode(come.read(int.from_bytes(head, "big")))
        # Also when nobody is left to end us.
        spent = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(spent.ru_utime + spent.ru_stime + seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        answer: Answer = []
        for one in asked:  # each is forgotten before the next is taken in
            read = _read(
                Raw(
                    uid=one.uid,
                    raw=come.read(one.length),
                    received_at=one.received_at,
                    size_bytes=one.size_bytes,
                    attachment_sizes=one.attachment_sizes,
                )
            )
            answer.append((read, "") if isinstance(read, Understood) else (None, read.reason))
        encoded = encoder.encode(answer)
        go.write(len(encoded).to_bytes(LENGTH_BYTES, "big"))
        go.write(encoded)
        go.flush()
        since += len(asked)
        if since >= _COLLECTED_AFTER:  # while nobody waits; hardly anything refers to itself
            since = 0
            gc.collect()


if __name__ == "__main__":
    serve(float(sys.argv[1]))
