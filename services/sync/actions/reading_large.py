"""What a person reads of large messages; their attachments stay on the server."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from msgspec import Struct

from services.sync.domain.skeleton import assemble, sections_of
from services.sync.imap.errors import Refused
from services.sync.imap.fetch import Head
from services.sync.imap.session import Session
from services.sync.imap.structure import Structure

_BEGINNING_BYTES = 1024 * 1024
_NO_SIZES: Mapping[int, int] = {}


class Readable(Struct, frozen=True, kw_only=True):
    """A large message as far as it is read."""

    head: Head
    raw: bytes
    attachment_sizes: Mapping[int, int] = _NO_SIZES


class NotGiven(Struct, frozen=True, kw_only=True):
    """A large message of which the server gives nothing."""

    head: Head
    said: str


async def read_large(
    session: Session, heads: Sequence[Head]
) -> AsyncGenerator[Readable | NotGiven]:
    """These of the open mailbox, each once: by its structure, or else by its beginning."""
    unread = {head.uid: head for head in heads}
    structures = await _structures(session, list(unread))
    wanted = {uid: sections_of(structure) for uid, structure in structures.items()}
    async with aclosing(session.sections_of_each(wanted)) as reading:
        async for uid, sections in reading:
            if isinstance(sections, Refused) or uid not in unread:
                continue
            if (skeleton := assemble(structures[uid], sections)) is not None:
                yield Readable(
                    head=unread.pop(uid),
                    raw=skeleton.raw,
                    attachment_sizes=skeleton.attachment_sizes,
                )
    for head in unread.values():
        # A structure that cannot be used: what comes first is most of what a person reads.
        beginning, said = None, ""
        try:
            beginning = await session.beginning(head.uid, _BEGINNING_BYTES)
        except Refused as refused:
            said = refused.text
        if beginning is None:
            yield NotGiven(head=head, said=said)
        else:
            yield Readable(head=head, raw=beginning)


async def _structures(session: Session, uids: Sequence[int]) -> dict[int, Structure]:
    try:
        return await session.structure(uids)
    except Refused:
        if len(uids) == 1:
            return {}
    # One that the server stumbles over is not the others' fault.
    found: dict[int, Structure] = {}
    for uid in uids:
        found |= await _structures(session, [uid])
    return found
