"""The process that reads words for `reading`. It imports the rules and nothing else."""

import gc
import os
import signal
import sys
from typing import TypeAlias
from uuid import UUID

import msgspec

from services.indexer.domain.document import Kept, document_of

LENGTH_BYTES = 4

#: What messages say, each with the tenant and the account it is of.
Asked: TypeAlias = list[tuple[UUID, UUID, Kept]]

#: Of each its tsvector, and whether it knows the place of every word.
Answer: TypeAlias = list[tuple[bytes, bool]]

# Beside whatever else is to be done now; not so far behind that a busy machine never comes to it.
_NICE = 15


def words_of(asked: Asked) -> Answer:
    """The words of these messages."""
    answer: Answer = []
    for tenant_id, account_id, kept in asked:
        document = document_of(kept)
        answer.append((document.tsvector(tenant_id, account_id), document.is_whole))
    return answer


def serve() -> None:
    """What is asked comes in, what was read goes out, until the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks decides when it ends
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # and nobody is told who is gone
    os.nice(_NICE)
    decoder = msgspec.msgpack.Decoder(Asked)
    come, go = sys.stdin.buffer, sys.stdout.buffer
    gc.freeze()
    gc.disable()  # nothing here refers to itself
    while head := come.read(LENGTH_BYTES):
        length = int.from_bytes(head)
        encoded = come.read(length)
        if len(encoded) < length:
            return  # who asked is gone
        asked = decoder.decode(encoded)
        answer = msgspec.msgpack.encode(words_of(asked))
        go.write(len(answer).to_bytes(LENGTH_BYTES))
        go.write(answer)
        go.flush()


if __name__ == "__main__":
    serve()
