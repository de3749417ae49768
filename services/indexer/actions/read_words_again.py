"""Make the words of messages anew from what is kept of them, by the rules of now.

Searching goes on: a message keeps its old words until its new ones are there.
"""

import asyncio
from uuid import UUID

from services.indexer.actions.reader_process import words_of
from services.indexer.domain.tokenise import WORDS_VERSION
from services.indexer.metrics import REREAD
from services.indexer.store import rereading
from services.indexer.store.rereading import Remaining, Reread
from shared.db import Connection, Pool, in_transaction


async def ask_reading(pool: Pool, *, account_id: UUID | None, tenant_id: UUID | None) -> int:
    """Have it done, for an account, a tenant or everything; return for how many accounts."""

    async def store(connection: Connection) -> int:
        return await rereading.ask(connection, account_id=account_id, tenant_id=tenant_id)

    return await in_transaction(pool, store)


async def count_unread(pool: Pool) -> Remaining:
    """How much is still to be read again."""

    async def count(connection: Connection) -> Remaining:
        return await rereading.remaining(connection, WORDS_VERSION)

    return await in_transaction(pool, count)


async def read_words_again(pool: Pool, *, rows_at_once: int) -> bool:
    """Read some messages of one account; return whether there may be more to do.

    Whoever else wants to work on this account's words goes to another one, for as long.
    """

    async def work(connection: Connection) -> bool:
        claimed = await rereading.claim(connection, WORDS_VERSION)
        if claimed is None:
            return False
        written = await rereading.following(connection, claimed, rows_at_once)
        asked = [(claimed.tenant_id, claimed.account_id, one.kept) for one in written]
        answer = await asyncio.to_thread(words_of, asked)
        reread = [
            Reread(message_id=one.message_id, tsvector=tsvector, is_whole=is_whole)
            for one, (tsvector, is_whole) in zip(written, answer, strict=True)
        ]
        if reread:
            rewritten = await rereading.replace(connection, reread)
            await rereading.note(
                connection, claimed, written[-1], messages=len(reread), rewritten=rewritten
            )
            REREAD.inc(len(reread))
        if len(written) < rows_at_once:
            await rereading.end(connection, claimed.account_id, WORDS_VERSION)
        return True

    return await in_transaction(pool, work)
