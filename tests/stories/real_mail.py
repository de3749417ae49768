"""A user whose mailboxes hold the corpora, and the comparison of Dovecot's copy with ours."""

from collections import Counter

import asyncpg
import httpx
import pytest

from shared.contracts import ids
from tests import corpora
from tests.servers.dovecot import Dovecot
from tests.stories.stack import Stack, until
from tests.stories.walk import mailboxes, pages


def filled(dovecot: Dovecot) -> tuple[str, dict[str, int]]:
    """A user whose mailboxes hold the corpora, a mailbox for each folder; counts by path."""
    found = corpora.messages()
    if not found:
        pytest.skip("the corpora are not here (POSTBUS_CORPORA)")
    user = dovecot.new_user("corpora")
    folders: dict[str, list[bytes]] = {"INBOX": []}
    for number, (name, raw) in enumerate(found):
        folder = "INBOX" if number % 3 == 0 else "Corpora/" + name.split("/")[0]
        folders.setdefault(folder, []).append(raw)
    for folder, raws in folders.items():
        dovecot.append(user, folder, raws)
    return user, {folder: len(raws) for folder, raws in folders.items()}


async def compare(
    person: httpx.AsyncClient, dovecot: Dovecot, user: str, account: str, counts: dict[str, int]
) -> list[dict[str, object]]:
    """Ours and Dovecot's, mailbox by mailbox; returns every message as we list it."""
    known = await mailboxes(person, account)
    everything: list[dict[str, object]] = []
    for path, count in counts.items():

        async def complete(path: str = path, count: int = count) -> list[dict[str, object]] | None:
            rows = await pages(person, "/messages", mailbox_id=known[path]["id"])
            return rows if len(rows) >= count else None

        rows = await until(f"{path} is listed", complete, seconds=240)
        assert len(rows) == count, path
        assert len({row["id"] for row in rows}) == count, path
        theirs = Counter(
            _bare(message_id) for message_id in dovecot.message_ids(user, path).values()
        )
        ours = Counter(_bare(row["message_id"]) for row in rows)
        assert ours == theirs, path
        everything += rows
    return everything


def _bare(message_id: object) -> str | None:
    return str(message_id).strip().strip("<>").strip() or None if message_id else None


async def documents(stack: Stack, account: str) -> int:
    """How many messages of the account the indexer would find, counted in its own tables."""
    connection = await asyncpg.connect(stack.superuser_url)
    try:
        return await connection.fetchval(
            """
            SELECT count(*) FROM indexer.document
             WHERE account_id = $1 AND vanished_at IS NULL AND has_content
            """,
            ids.read(ids.Kind.ACCOUNT, account),
        )
    finally:
        await connection.close()
