"""What carrying out an intent on a server needs more than once."""

from collections.abc import Mapping, Sequence

from services.sync.actions.comparing import MarkedUid
from services.sync.imap.fetch import Head
from services.sync.imap.session import Session
from services.sync.store.intents import Where
from services.sync.store.places import Placed

#: The server can only remove all that is marked so, by whomever: then it is left marked.
LEFT_MARKED = "left_marked_deleted"


async def heads_of(session: Session, uids: Sequence[int]) -> dict[int, Head]:
    """How these messages of the open mailbox are marked now; who is gone is left out."""
    return {head.uid: head async for page in session.heads(uids, named=False) for head in page}


async def remove(session: Session, uids: Sequence[int]) -> str | None:
    """Mark these of the open mailbox \\Deleted and remove them; why they are left, if they are.

    By UID or not at all (RFC 4315 §2.1): a plain EXPUNGE removes what others marked as well.
    """
    await session.store_flags(uids, "+", ["\\Deleted"], since=None)
    if session.capabilities.isdisjoint({"UIDPLUS", "IMAP4REV2"}):
        return LEFT_MARKED
    await session.expunge(uids)
    return None


def as_marked(rows: Mapping[int, Where], heads: Mapping[int, Head]) -> dict[Placed, MarkedUid]:
    """Messages, and how the server says that they are marked."""
    return {
        placed(rows[uid]): MarkedUid(flags=head.flags, labels=head.gm_labels)
        for uid, head in heads.items()
    }


def placed(row: Where) -> Placed:
    """The message in its place."""
    assert row.uid is not None
    return Placed(
        message_id=row.message_id,
        uid=row.uid,
        keywords=row.keywords,
        labels=row.labels,
        thread_id=row.thread_id,
    )
