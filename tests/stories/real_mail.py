"""A user whose mailboxes hold the corpora, and the comparison of Dovecot's copy with ours."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

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
    """Ours and Dovecot's, mailbox by mailbox; every message opens; returns them."""
    known = await mailboxes(person, account)
    everything: list[dict[str, object]] = []
    for path, count in counts.items():

        async def complete(path: str = path, count: int = count) -> list[dict[str, object]] | None:
            rows = await pages(person, "/messages", mailbox_id=known[path]["id"])
            return rows if len(rows) >= count else None

        rows = await until(f"{path} is listed", complete, seconds=240)
        assert len(rows) == count, path
        assert len({row["id"] for row in rows}) == count, path
        opened = await gather_some([open_message(person, row) for row in rows])
        theirs = Counter(
            _bare(message_id) for message_id in dovecot.message_ids(user, path).values()
        )
        ours = Counter(_bare(message["message_id"]) for message in opened)
        # Dovecot sees no header in a message whose lines end in bare CR; we read it all the same.
        surplus = Counter({i: n for i, n in (ours - theirs).items() if i in with_bare_cr()})
        ours = ours - surplus + Counter({None: surplus.total()})
        assert {"only ours": ours - theirs, "only theirs": theirs - ours, "in": path} == {
            "only ours": Counter(),
            "only theirs": Counter(),
            "in": path,
        }
        everything += opened
    return everything


async def open_message(person: httpx.AsyncClient, row: dict[str, object]) -> dict[str, object]:
    answer = await person.get(f"/messages/{row['id']}")
    assert answer.status_code == 200, (row, answer.text)
    opened = answer.json()
    assert {"text", "html", "headers", "attachments"} <= opened.keys()
    return opened


async def gather_some(
    opening: list[Coroutine[Any, Any, dict[str, object]]],
) -> list[dict[str, object]]:
    """The results of all, eight at a time."""
    slots = asyncio.Semaphore(8)

    async def one(coming: Coroutine[Any, Any, dict[str, object]]) -> dict[str, object]:
        async with slots:
            return await coming

    return await asyncio.gather(*(one(coming) for coming in opening))


def with_bare_cr() -> set[str | None]:
    """The Message-IDs that show only to whom bare CR ends a line too."""
    raws = [raw for _, raw in corpora.messages() if corpora.message_id(raw) is None]
    return {_bare(corpora.message_id(raw.replace(b"\r", b"\n"))) for raw in raws}


def _bare(message_id: object) -> str | None:
    return "".join(str(message_id).split()).strip("<>") or None if message_id else None


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
