"""What a person reads of a large message, from the sections a real server gives."""

import msgspec
import pytest

from services.sync.domain.covered import EVERY_UID
from services.sync.domain.parse import Parsed, parse
from services.sync.domain.skeleton import assemble, sections_of
from tests.corpora import messages
from tests.servers.dovecot import Dovecot
from tests.sync.domain.test_skeleton import LETTER
from tests.sync.imap.test_dovecot import session_with


def said(parsed: Parsed) -> Parsed:
    """All but what only the whole message can tell."""
    attachments = tuple(msgspec.structs.replace(each, size_bytes=0) for each in parsed.attachments)
    return msgspec.structs.replace(parsed, attachments=attachments, defects=())


async def test_a_large_letter_reads_the_same_from_the_sections_of_a_real_server(dovecot: Dovecot):
    user = dovecot.new_user()
    corpus = [raw for _, raw in messages() if len(raw) > 20_000 and b"\0" not in raw]
    raws = [LETTER.encode(), *corpus[::3][:60]]
    dovecot.append(user, "INBOX", raws)
    usable = 0
    async with session_with(dovecot, user) as session:
        await session.select("INBOX", readonly=True)
        uids = await session.uids(EVERY_UID)
        structures = await session.structure(uids)
        for fetched in [one async for one in session.fetch(uids)]:
            structure = structures[fetched.uid]
            sections = await session.sections(fetched.uid, sections_of(structure))
            skeleton = assemble(structure, sections)
            if skeleton is None:
                continue
            usable += 1
            read, whole = parse(skeleton.raw, skeleton.attachment_sizes), parse(fetched.raw)
            if said(read) != said(whole):
                pytest.fail(f"message {fetched.uid}: {read.subject}")
    assert usable >= len(raws) * 0.95
