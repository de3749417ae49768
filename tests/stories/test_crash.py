"""SIGKILL of every process in turn, in the middle of a first sync: the result is the same."""

import asyncpg
import httpx
import pytest

from tests.servers.dovecot import Dovecot
from tests.stories.real_mail import compare, documents, filled
from tests.stories.stack import Stack, until
from tests.stories.walk import connect, pages, until_state

pytestmark = pytest.mark.story

VICTIMS = ("sync-listen", "indexer", "api", "nats", "sync-answer", "postgres", "sender")


async def kept(stack: Stack) -> int | None:
    """How many messages sync keeps; None while the database is away."""
    try:
        connection = await asyncpg.connect(stack.superuser_url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return None
    try:
        return await connection.fetchval("SELECT count(*) FROM sync.message")
    except asyncpg.PostgresError:
        return None
    finally:
        await connection.close()


async def until_grown(stack: Stack, count: int) -> int:
    async def check() -> int | None:
        now = await kept(stack)
        return now if now is not None and now >= count else None

    return await until(f"{count} messages are kept", check, seconds=120)


@pytest.mark.parametrize(("rounds", "people"), [(1, 2), pytest.param(5, 8, marks=pytest.mark.long)])
async def test_every_message_is_there_once_after_everything_was_killed(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot, rounds: int, people: int
) -> None:
    users = [filled(dovecot) for _ in range(people)]
    victims = VICTIMS * rounds
    total = sum(sum(counts.values()) for _, counts in users)
    before = await kept(stack) or 0
    accounts = [await connect(person, user, dovecot) for user, _ in users]
    in_the_middle = 0
    for number, victim in enumerate(victims):

        async def lives(victim: str = victim) -> bool:
            return victim in stack.pids()

        now = await until_grown(stack, before + total * number // (len(victims) + 2))
        in_the_middle += now < before + total
        # Nobody waits for the last one to be back: what needs it does not grow meanwhile.
        await until(f"{victim} is started again", lives)
        stack.kill(victim)
    assert in_the_middle >= len(victims) - 2, "the sync was over before the killing was"

    await stack.until_serving()
    for account, (user, counts) in zip(accounts, users, strict=True):
        await until_state(person, account, "live", seconds=120 * people)
        rows = await compare(person, dovecot, user, account, counts)

        async def searchable(account: str = account, count: int = len(rows)) -> bool:
            return await documents(stack, account) == count

        await until("every message is in the index once", searchable, seconds=180)
        with_ids = [row for row in rows if row["message_id"]]
        for row in with_ids[:: max(1, len(with_ids) // 20)]:
            # The accounts hold the same mail, and the corpora some ids many times: read every page.
            query = f'rfc822msgid:"{row["message_id"]}"'
            found = [message["id"] for message in await pages(person, "/search", q=query)]
            assert found.count(row["id"]) == 1
