"""Which messages belong to one conversation (by References and In-Reply-To, RFC 5322 §3.6.4).

Every id that a message names is registered, not only those of messages we have: two answers to a
letter we never got meet in the id of that letter. Subjects never decide anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Named:
    """The ids by which a message is known and which it names."""

    message_id: str | None
    references: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, each once."""
        own = (self.message_id,) if self.message_id else ()
        return tuple(dict.fromkeys((*own, *self.references, *self.in_reply_to)))

    def within(self, conversation: str | None) -> Named:
        """The same in a conversation that the server has an id of: one more id that it names."""
        if conversation is None:
            return self
        # No header holds a NUL.
        return replace(self, references=(*self.references, f"\0{conversation}"))


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of some messages."""

    threads: tuple[UUID, ...]  # of each message, in their order
    names: Mapping[str, UUID]  # to be registered: what each id stands for now
    merged: Mapping[UUID, UUID]  # threads that are parts of others now; never chained


def join(
    messages: Sequence[Named], known: Mapping[str, UUID], *, new_thread: Callable[[], UUID]
) -> Joined:
    """Put messages into threads; `known` are the threads that their names stand for already.

    Where a message connects threads they become one: the oldest of them (the smallest id, since
    ids carry their time) stays, whatever the order of arrival. A message without any id is a
    thread of its own.
    """
    parents: dict[str | UUID, str | UUID] = {}

    def find(node: str | UUID) -> str | UUID:
        root = node
        while (above := parents.setdefault(root, root)) != root:
            root = above
        while parents[node] != root:  # so that no path is walked twice
            parents[node], node = root, parents[node]
        return root

    for name, thread in known.items():
        parents[find(name)] = find(thread)
    named = [message.names for message in messages]
    for names in named:
        first, *others = names or (None,)
        for other in others:
            assert first is not None
            parents[find(other)] = find(first)

    stays: dict[str | UUID, UUID] = {}  # by root, the thread that all of it becomes
    for thread in sorted(set(known.values())):
        stays.setdefault(find(thread), thread)

    def thread_of(names: tuple[str, ...]) -> UUID:
        if not names:
            return new_thread()
        root = find(names[0])
        if root not in stays:
            stays[root] = new_thread()
        return stays[root]

    threads = tuple(thread_of(names) for names in named)
    return Joined(
        threads=threads,
        names={name: stays[find(name)] for names in named for name in names},
        merged={
            thread: stays[find(thread)]
            for thread in set(known.values())
            if stays[find(thread)] != thread
        },
    )
