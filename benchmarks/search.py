"""How fast messages are found, from ten thousand to a million, beside what others do.

    ./just bench search                      a million messages: some minutes to make them
    ./just bench search --messages 50000     a smaller one
    ./just bench search --keep DIRECTORY     a million; the next time they are there already

Row-level security is on, and forty other tenants have mail, too. To find is measured apart from
making the lines that a page shows of its messages (`with_lines_…`). The last line alone is for
programs, and comes whatever was too slow; what others do is left out where all of it would take
longer than `--minutes`.
"""

import argparse
import asyncio
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import asyncpg
import structlog
from pydantic import SecretStr

from benchmarks.machine import Processor, hardware
from benchmarks.say import say, title
from benchmarks.search_bench.asking import (
    Times,
    clients,
    in_service,
    naively,
    one_client,
    prefixes,
    questions,
    suggesting,
    without_lines,
)
from benchmarks.search_bench.corpus import OLD_WORD, VOCABULARY, fill, put_in_order, word
from benchmarks.search_bench.indexing import taken
from benchmarks.search_bench.peers import peers
from services.indexer.domain.tokenise import WORDS_VERSION
from services.indexer.store.codec import teach_tsvector
from shared.contracts.mail import MessagesFilled, MessagesSynced
from shared.db import DatabaseSettings, Pool, open_pool
from tests.platform import Platform, bring, running_platform

STEPS = (10_000, 100_000, 1_000_000)
PEERS = (10_000, 50_000)
CLIENTS = 16
_QUESTIONS = 300
_NAIVE_QUESTIONS = 40  # of a million messages each takes seconds
_PLOT_COLUMNS = 50
_PEERS_GROW = 6  # times as long does the second of their sizes take


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--indexed", type=int, default=20_000, help="to measure indexing with")
    parser.add_argument("--minutes", type=float, default=24, help="for all of it")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="of the messages made")
    arguments = parser.parse_args()
    began = time.monotonic()
    # Each size has a database of its own; that each is brought to this release need not be said.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    machine = hardware()
    count: int = arguments.messages
    sizes = [step for step in STEPS if step < count] + [count]
    figures: dict[str, object] = {"messages": count}
    growth: dict[int, Times] = {}
    async with running_platform(arguments.keep) as platform:
        title("the indexer alone, from the bus (fsync is off)")
        for kind, name in ((MessagesSynced, "live"), (MessagesFilled, "bulk")):
            how = await taken(platform, kind, arguments.indexed)
            figures[f"{name}_index_messages_per_second"] = how.per_second
            figures[f"{name}_searchable_p50_milliseconds"] = how.fresh_milliseconds
            await platform.empty()
        figures["index_messages_per_second"] = figures["bulk_index_messages_per_second"]
        corpus = platform
        for size in sizes:
            title(f"{size:,} messages")
            corpus = await made(platform, corpus, size, count)
            async with request_pool(corpus) as pool:
                asked = questions(_QUESTIONS, size)
                await one_client("warming up", pool, asked, without_lines)
                growth[size], each = await weighed(
                    corpus, one_client("one client, warm", pool, asked, without_lines)
                )
                figures["processor_milliseconds"] = each
        async with request_pool(corpus) as pool:
            figures |= await whole(corpus, pool, count)
    figures |= {
        "p50_milliseconds": growth[count].at(0.5),
        "p95_milliseconds": growth[count].at(0.95),
        "p99_milliseconds": growth[count].at(0.99),
    }
    title("how it grows")
    plot(growth)
    if not arguments.without_peers:
        title("notmuch and mu on the same messages")
        dice = random.Random("words")
        words = [word(dice.randrange(VOCABULARY)) for _ in range(25)]
        with tempfile.TemporaryDirectory(prefix="postbus-bench-") as directory:
            took = 0.0
            for size in [size for size in PEERS if size <= count] or [count]:
                since = time.monotonic()
                if since - began + took * _PEERS_GROW > arguments.minutes * 60:
                    say(f"{size:,} messages: left out, for it would take too long")
                    continue
                figures |= peers(Path(directory), size, words)
                took = time.monotonic() - since
        figures["notmuch_p50_milliseconds"] = next(
            (figures[name] for name in figures if name.startswith("notmuch") and "p50" in name),
            None,
        )
    say(
        json.dumps(
            {"benchmark": "search"}
            | figures
            | machine
            | {"seconds": round(time.monotonic() - began)}
        )
    )
    return 0


async def made(platform: Platform, smaller: Platform, size: int, count: int) -> Platform:
    """The oldest `size` of so many messages, in a database of their own: one of a run before, or
    a copy of the smaller one that is made to hold more.
    """
    corpus = replace(platform, database=f"messages_{size}_of_{count}_by_{WORDS_VERSION}")
    server = await asyncpg.connect(platform.postgres.url)
    there = await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", corpus.database)
    if not there:
        draft = replace(corpus, database="draft")
        await server.execute("DROP DATABASE IF EXISTS draft")
        if smaller is not platform:
            await server.execute(
                f"CREATE DATABASE draft OWNER postbus_admin TEMPLATE {smaller.database}"
                " STRATEGY file_copy"
            )
        await bring(draft)
        admin = await asyncpg.connect(draft.admin_database_url)
        await teach_tsvector(admin)
        held: int = await admin.fetchval("SELECT count(*) FROM indexer.document")
        since = time.perf_counter()
        index = await fill(admin, first=held, end=size, count=count)
        await put_in_order(admin, index)
        took = time.perf_counter() - since
        await admin.close()
        await server.execute(f"ALTER DATABASE draft RENAME TO {corpus.database}")
        say(f"built at {(size - held) / took:,.0f} messages/s")
    await server.close()
    await bring(corpus)
    admin = await asyncpg.connect(corpus.admin_database_url)
    say(await space(admin))
    await admin.close()
    return corpus


async def whole(platform: Platform, pool: Pool, count: int) -> dict[str, object]:
    """What is asked of the largest corpus only."""
    title("all of them")
    asked = questions(_QUESTIONS, count)
    lines = await one_client("with lines", pool, asked, in_service)
    await clients(f"warming up {CLIENTS}", CLIENTS, pool, asked, without_lines)
    many = await clients(f"{CLIENTS} clients", CLIENTS, pool, asked * 2, without_lines)
    all_of_it = await clients(
        f"{CLIENTS} clients, with lines", CLIENTS, pool, asked * 2, in_service
    )
    old = await one_client(
        f"dense in old mail only: {OLD_WORD}", pool, [OLD_WORD] * 20, without_lines
    )
    await one_client("warming up people", pool, prefixes(_QUESTIONS), suggesting)
    people, of_people = await weighed(
        platform, one_client("suggesting people", pool, prefixes(_QUESTIONS), suggesting)
    )
    naive = await one_client("naive: @@, newest first", pool, asked[:_NAIVE_QUESTIONS], naively)
    await pool.close()
    await platform.postgres.stop()
    await platform.postgres.start()
    async with request_pool(platform) as again:
        restarted = await one_client("after a restart of PostgreSQL", again, asked, without_lines)
    return {
        "with_lines_p50_milliseconds": lines.at(0.5),
        "with_lines_p95_milliseconds": lines.at(0.95),
        "with_lines_p99_milliseconds": lines.at(0.99),
        "p99_16_clients_milliseconds": many.at(0.99),
        "with_lines_p99_16_clients_milliseconds": all_of_it.at(0.99),
        "suggest_p50_milliseconds": people.at(0.5),
        "suggest_p99_milliseconds": people.at(0.99),
        "suggest_processor_milliseconds": of_people,
        "dense_old_milliseconds": old.at(0.99),
        "naive_p99_milliseconds": naive.at(0.99),
        "restarted_p99_milliseconds": restarted.at(0.99),
    }


async def weighed(platform: Platform, asking: Coroutine[None, None, Times]) -> tuple[Times, float]:
    """How long answers took, and how much of the processors each of them: a busy machine makes
    only the first much longer.
    """
    roots = {"PostgreSQL": platform.postgres.pid, "Python": os.getpid()}
    before = Processor.now(roots)
    times = await asking
    used = Processor.now(roots).since(before)
    each = {name: used[name] / len(times.values) * 1000 for name in roots}
    say(f"{'':34} each: " + ", ".join(f"{name} {took:.2f} ms" for name, took in each.items()))
    return times, round(sum(each.values()), 2)


@asynccontextmanager
async def request_pool(platform: Platform) -> AsyncGenerator[Pool]:
    """Connections as those who search have them, for so many clients."""
    settings = DatabaseSettings(
        database_url=SecretStr(platform.database_url("indexer")),
        request_database_url=SecretStr(platform.database_url("indexer_request")),
    )
    async with open_pool(
        settings.request_database_url,
        settings,
        name="indexer_request",
        size=CLIENTS,
        planned_once=True,
    ) as pool:
        yield pool


async def space(admin: asyncpg.Connection) -> str:
    """What the tables and the index of words take."""
    row = await admin.fetchrow(
        """
        SELECT pg_size_pretty(pg_relation_size('indexer.words_live_by_words')) AS index,
               pg_size_pretty(pg_table_size('indexer.words_live')) AS words,
               pg_size_pretty(pg_table_size('indexer.document_text')) AS texts,
               pg_size_pretty(pg_total_relation_size('indexer.document')) AS documents
        """
    )
    assert row is not None
    return ", ".join(f"{name} {size}" for name, size in row.items())


def plot(growth: dict[int, Times]) -> None:
    """Milliseconds by messages, as a table and as bars."""
    say(f"{'messages':>12} {'p50':>8} {'p95':>8} {'p99':>8}  p99")
    most = max(times.at(0.99) for times in growth.values())
    for size, times in growth.items():
        bar = "█" * max(1, round(times.at(0.99) / most * _PLOT_COLUMNS))
        say(f"{size:12,} {times.at(0.5):8.2f} {times.at(0.95):8.2f} {times.at(0.99):8.2f}  {bar}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
