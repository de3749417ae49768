"""Which arriving messages are old friends: moved here, or renumbered, and not new at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Seeker:
    """A message we keep that has no place at the moment."""

    message_id: UUID
    mailbox_id: UUID | None
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that was fetched."""

    uid: int
    fingerprint: bytes


def reunite(
    arrivals: Iterable[Arrival], seekers: Sequence[Seeker], mailbox_id: UUID
) -> dict[int, UUID]:
    """The message each UID is, where it is one we keep.

    Equal candidates are paired in the order of their UIDs and of our ids; one that was last seen
    in this very mailbox comes first (a renumbered mailbox, RFC 9051 §2.3.1.1).
    """
    waiting: dict[bytes, list[Seeker]] = {}
    for seeker in sorted(seekers, key=lambda one: (one.mailbox_id != mailbox_id, one.message_id)):
        waiting.setdefault(seeker.fingerprint, []).append(seeker)
    found: dict[int, UUID] = {}
    for arrival in sorted(arrivals, key=lambda one: one.uid):
        candidates = waiting.get(arrival.fingerprint)
        if candidates:
            found[arrival.uid] = candidates.pop(0).message_id
    return found
