"""Threads made anew: whatever thread a message was in, its ids alone decide where it belongs.

A thread that was right keeps its id. Where threads were mixed up, an id stays with the first
message that comes with it, and the smallest id that came into a thread is the thread's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import msgspec
from msgspec import Struct

from services.sync.domain.kept import kept_json
from services.sync.domain.threading import Joined, Named, join


@dataclass(frozen=True, slots=True)
class Threaded:
    """A message, and the thread it was in until now."""

    message_id: UUID
    thread_id: UUID
    named: Named


class _Ids(Struct):
    """Of all that a message says only its ids."""

    message_id: str | None = None
    references: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()


_ids = msgspec.json.Decoder(_Ids)


def named_by(packed: bytes, message_id: UUID, conversation: str | None) -> Named:
    """The ids of a message that is kept; without any, one that it has for us alone."""
    ids = _ids.decode(kept_json(packed))
    named = Named(ids.message_id, ids.references, ids.in_reply_to).within(conversation)
    return named if named.names else named.within(f"message {message_id}")


def join_anew(
    messages: Sequence[Threaded],
    known: Mapping[str, UUID],
    taken: Collection[UUID],
    *,
    settled: bool,
    new_thread: Callable[[], UUID],
) -> Joined:
    """Put messages into threads; `known` are the threads that their names stand for already.

    Of the threads they were in, those in `taken` are somebody's already. Once things are `settled`
    a thread has its id, and only messages of which no name is known bring theirs.
    """
    free: dict[str, UUID] = {}
    named: list[Named] = []
    for one in messages:
        brought = f"\0thread {one.thread_id}"
        may_bring = not settled or known.keys().isdisjoint(one.named.names)
        if may_bring and one.thread_id not in taken and brought not in free:
            # As if that thread were one more name of this message, and of no other.
            free[brought] = one.thread_id
            named.append(replace(one.named, references=(*one.named.references, brought)))
        else:
            named.append(one.named)
    joined = join(named, {**known, **free}, new_thread=new_thread)
    return replace(
        joined,
        names={name: thread for name, thread in joined.names.items() if name not in free},
        merged={
            thread: becomes
            for thread, becomes in joined.merged.items()
            if thread not in free.values()
        },
    )
