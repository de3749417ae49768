"""Questions of every selectivity, and how long their answers take."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.say import say
from benchmarks.search_bench.corpus import ACCOUNT, PLANTED, TENANT, VOCABULARY, person, word
from benchmarks.sync_bench.words import unique_word
from services.indexer.actions.matching import matches
from services.indexer.actions.search_messages import search_messages
from services.indexer.actions.suggest_people import suggest_people
from services.indexer.domain.meaning import Reader, meaning_of
from services.indexer.domain.plan import plan_of, tsquery_of
from services.indexer.domain.query import parse
from services.indexer.domain.tree import Words, leaves
from shared.contracts.envelope import Caller
from shared.contracts.search import NamedAccount, SearchMessages, SuggestPeople
from shared.db import Pool, TenantReader, tenant_transaction

CALLER = Caller(tenant_id=TENANT, account_ids=(ACCOUNT,))
PAGE = 50
_NOW = datetime(2026, 3, 3, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times:
    """How long answers took, in milliseconds."""

    name: str
    values: Sequence[float]

    def at(self, share: float) -> float:
        ordered = sorted(self.values)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)

    def show(self) -> None:
        say(
            f"{self.name:34} p50 {self.at(0.5):8.2f}  p95 {self.at(0.95):8.2f}"
            f"  p99 {self.at(0.99):8.2f}  most {self.at(1):8.2f} ms  ({len(self.values)})"
        )


def questions(count: int, messages: int) -> list[str]:
    """What people ask for: mostly words, rare and common, alone and together."""
    dice = random.Random("questions")

    def rank(least: float, most: float) -> str:
        return word(int(10 ** dice.uniform(least, most)))

    def a_word() -> str:
        return dice.choice(
            (
                lambda: rank(0, 2),
                lambda: rank(2, 3.5),
                lambda: rank(3.5, 5),
                lambda: dice.choice(list(PLANTED)),
                lambda: unique_word(dice.randrange(messages)),
            )
        )()

    kinds: tuple[Callable[[], str], ...] = (
        a_word,
        a_word,
        a_word,
        lambda: f"{a_word()} {a_word()}",
        lambda: f"{rank(0, 3)} {rank(1, 4)} {rank(2, 4)}",
        lambda: f'"{rank(0, 1)} {rank(0, 2)}"',
        lambda: f"from:{person(dice.randrange(2_000)).split()[0]}",
        lambda: f"from:{person(dice.randrange(2_000)).split('<')[1][:-1]} {rank(0, 2)}",
        lambda: f"subject:{rank(0, 3)}",
        lambda: f"{rank(2, 4)[:4]}*",
        lambda: f"{a_word()} OR {rank(2, 5)}",
        lambda: f"{rank(0, 2)} -{rank(0, 3)}",
        lambda: f"is:unread {a_word()}",
        lambda: f"has:pdf {rank(0, 3)}",
        lambda: f"in:anywhere after:{dice.randrange(2017, 2026)} {a_word()}",
    )
    return [dice.choice(kinds)() for _ in range(min(count, VOCABULARY))]


async def in_service(pool: Pool, text: str) -> int:
    """The newest fifty, each with its line, as the service answers; how many there were."""
    query = SearchMessages(caller=CALLER, text=text, limit=PAGE)
    answer = await search_messages(query, pool, _NOW)
    # What is given up after its time counts with that time.
    assert answer.problem is None or answer.problem.code == "search_too_slow", (text, answer)
    return len(answer.found)


async def without_lines(pool: Pool, text: str) -> int:
    """Only which messages they are."""
    plan = plan_of(meaning_of(parse(text), Reader(now=_NOW)))
    found = 0
    async for batch in matches(TenantReader(pool, CALLER), plan, at_once=PAGE + 1):
        found += len(batch)
        if found > PAGE:
            break
    return found


def prefixes(count: int) -> list[str]:
    """What people type who look for somebody: the beginnings of names and addresses."""
    dice = random.Random("prefixes")

    def typed() -> str:
        name, _, address = person(dice.randrange(2_000)).partition(" <")
        return dice.choice((name, address[:-1]))[: dice.randrange(1, 12)].strip()

    return [typed() for _ in range(count)]


async def suggesting(pool: Pool, prefix: str) -> int:
    """Whom somebody may mean; how many there were."""
    mine = person(0).partition("<")[2][:-1]
    query = SuggestPeople(
        caller=CALLER,
        prefix=prefix,
        accounts=(NamedAccount(account_id=ACCOUNT, name="Work", email=mine),),
    )
    return len((await suggest_people(query, pool)).people)


async def naively(pool: Pool, text: str) -> int:
    """What one would write first: `@@`, under row-level security, newest first."""
    tree = meaning_of(parse(text), Reader(now=_NOW))
    tsquery = " & ".join(tsquery_of(leaf) for leaf in leaves(tree) if isinstance(leaf, Words))
    async with tenant_transaction(pool, CALLER) as connection:
        rows = await connection.fetch(
            """
            SELECT message_id FROM words_live
             WHERE words @@ $1::text::tsquery AND tenant_id = $2 AND account_id = ANY($3)
             ORDER BY received_at DESC, message_id DESC
             LIMIT 51
            """,
            tsquery,
            CALLER.tenant_id,
            CALLER.account_ids,
        )
    return len(rows)


async def one_client(
    name: str, pool: Pool, asked: Sequence[str], ask: Callable[[Pool, str], Awaitable[int]]
) -> Times:
    """One question after the other."""
    values: list[float] = []
    slowest: list[tuple[float, str]] = []
    for text in asked:
        began = time.perf_counter()
        await ask(pool, text)
        values.append((time.perf_counter() - began) * 1000)
        slowest = sorted([*slowest, (values[-1], text)], reverse=True)[:3]
    times = Times(name, values)
    times.show()
    say(f"{'':34} slowest: " + ", ".join(f"{text} ({took:.0f} ms)" for took, text in slowest))
    return times


async def clients(
    name: str,
    count: int,
    pool: Pool,
    asked: Sequence[str],
    ask: Callable[[Pool, str], Awaitable[int]],
) -> Times:
    """So many clients at once, each with its share of the questions."""
    values: list[float] = []

    async def client(mine: Sequence[str]) -> None:
        for text in mine:
            began = time.perf_counter()
            await ask(pool, text)
            values.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(client(asked[number::count]) for number in range(count)))
    times = Times(name, values)
    times.show()
    return times
