"""Which messages are old friends: moved here, or renumbered, and not new at all.

A message is recognised, best first, by the id the server gives it for life (EMAILID of RFC 8474,
X-GM-MSGID), by what its listing says (Message-ID, size and date together), or, once it was read,
by its header and body. A draft is never recognised by its listing: a draft that is saved again may
differ in its words alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

DRAFT = "\\Draft"

#: So long nobody is given up for lost where a mailbox could not be read, or was renumbered.
PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """By what a message is known again. None: not known, and never equal."""

    email_id: str | None = None
    match_key: bytes | None = None
    fingerprint: bytes | None = None
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Seeker:
    """A message we keep that has no place at the moment."""

    message_id: UUID
    mailbox_id: UUID | None  # where it was last, if it was not expunged there
    last_uid: int
    looks: Looks


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that was listed or fetched."""

    uid: int
    looks: Looks


def reunite(
    arrivals: Iterable[Arrival], seekers: Sequence[Seeker], mailbox_id: UUID
) -> dict[int, UUID]:
    """The message each UID is, where it is one we keep.

    Equal candidates are paired in the order of their UIDs, from the newest down; one that was last
    seen in this very mailbox comes first (a renumbered mailbox, RFC 9051 §2.3.1.1).
    """
    waiting: defaultdict[tuple[str, str | bytes], list[Seeker]] = defaultdict(list)
    # The best candidate stands last.
    for seeker in sorted(seekers, key=lambda one: (one.mailbox_id == mailbox_id, one.last_uid)):
        for key in _keys(seeker.looks):
            waiting[key].append(seeker)
    taken: set[UUID] = set()
    found: dict[int, UUID] = {}
    for arrival in sorted(arrivals, key=lambda one: one.uid, reverse=True):
        for key in _keys(arrival.looks):
            candidates = waiting.get(key, [])
            while candidates and candidates[-1].message_id in taken:
                candidates.pop()
            match = next(
                (
                    one
                    for one in reversed(candidates)
                    if one.message_id not in taken and not _differ(one.looks, arrival.looks)
                ),
                None,
            )
            if match is not None:
                taken.add(match.message_id)
                found[arrival.uid] = match.message_id
                break
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A message told as new, after one that is like it was last seen where it had been."""

    message_id: UUID  # that lost its place
    last_uid: int
    twin_id: UUID  # that was told as new
    uid: int
    kept_at: datetime


def moved(sightings: Iterable[Sighting]) -> dict[UUID, UUID]:
    """For messages that lost their place: under which id each was told where it went.

    Of several copies the last one is where it went: the others were made before. Equal ones are
    paired in the order of their UIDs, from the newest down.
    """
    found: dict[UUID, UUID] = {}
    taken: set[UUID] = set()
    for one in sorted(
        sightings, key=lambda one: (one.kept_at, one.uid, one.last_uid), reverse=True
    ):
        if one.message_id not in found and one.twin_id not in taken:
            found[one.message_id] = one.twin_id
            taken.add(one.twin_id)
    return found


def _keys(looks: Looks) -> list[tuple[str, str | bytes]]:
    keys: list[tuple[str, str | bytes]] = []
    if looks.email_id is not None:
        keys.append(("email_id", looks.email_id))
    if looks.match_key is not None and not looks.draft:
        keys.append(("match_key", looks.match_key))
    if looks.fingerprint is not None:
        keys.append(("fingerprint", looks.fingerprint))
    return keys


def _differ(one: Looks, other: Looks) -> bool:
    """Whether the server itself says that they are two messages."""
    return (
        one.email_id is not None and other.email_id is not None and one.email_id != other.email_id
    )
