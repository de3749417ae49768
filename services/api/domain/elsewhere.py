"""Drafts that another program writes on: its message comes, and the one it was made of goes."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from services.api.domain.writing import draft_of_copy


class DraftThere(Struct, frozen=True, kw_only=True):
    """A message in an account's mailbox for drafts."""

    message_id: UUID
    rfc_message_id: str | None
    subject: str
    people: frozenset[str]  # to whom it goes, in lower case


class DraftHere(Struct, frozen=True, kw_only=True):
    """A draft of ours, and the message that said what its version `there_version` says."""

    draft_id: UUID
    version: int
    there: UUID | None
    there_version: int | None
    replaces: UUID | None
    copy_asked: bool  # of its newest version, so that what was there before goes because of us
    subject: str
    people: frozenset[str]


class WrittenOn(Struct, frozen=True, kw_only=True):
    """Another program put this message into the place of the one that said what the draft says."""

    draft_id: UUID
    message_id: UUID
    version: int  # of the draft, when it was looked at
    here_too: bool  # the draft was changed here as well: both are kept


def written_on(here: Sequence[DraftHere], there: Sequence[DraftThere]) -> list[WrittenOn]:
    """What other programs made of the drafts of an account, as its mailboxes for drafts show.

    A message follows a draft when it has come after the one that is gone, and has its Message-ID,
    or is the only such one with its subject or its people. Where that cannot be told, nothing is
    done, and nothing is lost: the draft stays, and so does the message.
    """
    known = {one.draft_id for one in here}
    places = {one.message_id for one in there}
    taken = {one.there for one in here} | {one.replaces for one in here}
    found: list[WrittenOn] = []
    for draft in here:
        if draft.there is None or draft.there in places:
            continue
        here_too = draft.version != draft.there_version
        if here_too and draft.copy_asked:
            continue
        # Ids are in the order in which messages came into our copy (RFC 9562 §5.7).
        later = [
            one for one in there if one.message_id > draft.there and one.message_id not in taken
        ]
        successor = _successor(draft, later, known)
        if successor is not None:
            taken.add(successor.message_id)
            found.append(
                WrittenOn(
                    draft_id=draft.draft_id,
                    message_id=successor.message_id,
                    version=draft.version,
                    here_too=here_too,
                )
            )
    return found


def _successor(
    draft: DraftHere, later: Sequence[DraftThere], known: set[UUID]
) -> DraftThere | None:
    # Some programs keep the Message-ID of what they write on.
    start = f"{draft.draft_id}.{draft.there_version}@"
    named = [one for one in later if (one.rfc_message_id or "").strip("<").startswith(start)]
    if named:
        return max(named, key=lambda one: one.message_id)
    akin = [
        one for one in later if draft_of_copy(one.rfc_message_id) not in known and _akin(draft, one)
    ]
    return akin[0] if len(akin) == 1 else None


def _akin(draft: DraftHere, one: DraftThere) -> bool:
    same_subject = bool(draft.subject.strip()) and draft.subject.strip() == one.subject.strip()
    return same_subject or (bool(draft.people) and draft.people == one.people)
