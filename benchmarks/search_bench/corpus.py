"""Mail to search in: words as people use them (Zipf), in many tenants, as large as is asked for.

Every message says the same on every machine. Some words are there to be asked for: one in a known
share of all mail (`tenth`, `hundredth`, …), and one that only old mail is full of.
"""

import random
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from multiprocessing import get_context
from uuid import UUID

import asyncpg

from benchmarks.sync_bench.words import ENGLISH, unique_word
from services.indexer.actions.reader_process import words_of
from services.indexer.domain.document import Kept
from services.indexer.domain.tokenise import WORDS_VERSION

TENANT = UUID("0190a000-0000-7000-8000-000000000001")
ACCOUNT = UUID("0190a000-0000-7000-8000-00000000000a")
MAILBOX = UUID("0190a000-0000-7000-8000-0000000000b1")
OTHER_TENANTS = 40
_OF_OTHERS = 10  # for so many messages of the one tenant, each of the others together has one
NEWEST = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SPAN = timedelta(days=10 * 365)
VOCABULARY = 120_000
PLANTED = {"tenth": 10, "hundredth": 100, "thousandth": 1_000, "tenthousandth": 10_000}
OLD_WORD = "bygone"  # in half of the oldest tenth, and nowhere else
_PEOPLE = 2_000
_STEP = 2_000
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Made:
    """One message, before its words are read."""

    number: int
    tenant_id: UUID
    account_id: UUID
    message_id: UUID
    received_at: datetime
    keywords: list[str]
    kept: Kept


def word(rank: int) -> str:
    """The word of a rank: the frequent ones are real, the others look like words."""
    return ENGLISH[rank] if rank < len(ENGLISH) else unique_word(rank)[3:] + "el"


_WORDS = [word(rank) for rank in range(VOCABULARY)]
_WEIGHTS = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))


def message(number: int, count: int) -> Made:
    """The message of this number, of so many; the highest number is the newest."""
    dice = random.Random(number)
    stranger = number % (_OF_OTHERS + 1) == _OF_OTHERS
    other = dice.randrange(OTHER_TENANTS)
    tenant_id = UUID(int=TENANT.int + 1 + other) if stranger else TENANT
    account_id = UUID(int=ACCOUNT.int + 1 + other) if stranger else ACCOUNT
    length = min(1_500, int(dice.lognormvariate(4.6, 0.9)) + 5)
    words = dice.choices(_WORDS, cum_weights=_WEIGHTS, k=length)
    words += [name for name, of in PLANTED.items() if dice.randrange(of) == 0]
    if number < count // 10 and dice.random() < 0.5:
        words.append(OLD_WORD)
    words.append(unique_word(number))
    for stop in range(12, len(words), 13):
        words[stop] += ".\n" if stop % 3 else ","
    body = " ".join(words)
    subject = " ".join(dice.choices(_WORDS, cum_weights=_WEIGHTS, k=5))
    return Made(
        number=number,
        tenant_id=tenant_id,
        account_id=account_id,
        message_id=UUID(int=(0x0190A << 108) | (7 << 76) | (2 << 62) | number),
        received_at=NEWEST - SPAN * ((count - 1 - number) / max(count, 1)),
        keywords=["\\seen"] if dice.random() < 0.9 else [],
        kept=Kept(
            subject=subject,
            sender=[person(dice.randrange(_PEOPLE))],
            recipients_to=[person(dice.randrange(_PEOPLE))],
            recipients_cc=[],
            recipients_bcc=[],
            filenames=["report.pdf"] if dice.random() < 0.14 else [],
            list_id="",
            header_id=f"{number}@example.org",
            preview=body[:200],
            body=body,
            attachment_count=0,
            traits=[],
        ),
    )


def person(number: int) -> str:
    """One of those who write to each other."""
    name = word(400 + number)
    return f"{name.title()} {word(3_000 + number).title()} <{name}@example{number % 20}.org>"


_Row = tuple[Made, bytes, bool]


def _read(numbers: tuple[int, int, int]) -> list[_Row]:
    first, end, count = numbers
    made = [message(number, count) for number in range(first, end)]
    answer = words_of([(one.tenant_id, one.account_id, one.kept) for one in made])
    return [(one, *said) for one, said in zip(made, answer, strict=True)]


async def fill(admin: asyncpg.Connection, *, first: int, end: int, count: int) -> str:
    """Copy messages into the tables, with the words that the indexer reads; without the index of
    words. The statement that makes it, as the migrations did.
    """
    index = str(
        await admin.fetchval("SELECT pg_get_indexdef('indexer.words_live_by_words'::regclass)")
    )
    await admin.execute("DROP INDEX indexer.words_live_by_words")
    steps = [(at, min(at + _STEP, end), count) for at in range(first, end, _STEP)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as readers:
        # Only so many ahead of what is copied: a million messages do not fit into memory.
        ahead = deque[Future[list[_Row]]]()
        for step in steps:
            ahead.append(readers.submit(_read, step))
            if len(ahead) > _AHEAD:
                await _copy(admin, ahead.popleft().result())
        for read in ahead:
            await _copy(admin, read.result())
    return index


async def put_in_order(admin: asyncpg.Connection, index: str) -> None:
    """Make the index of words, and let the planner know what is there."""
    await admin.execute("SET maintenance_work_mem = '512MB'")
    await admin.execute(index)
    for table in ("words_live", "document", "document_text"):
        await admin.execute(f"VACUUM ANALYZE indexer.{table}")


async def _copy(admin: asyncpg.Connection, rows: Sequence[_Row]) -> None:
    accounts = {(one.account_id, one.tenant_id, WORDS_VERSION) for one, *_ in rows}
    await admin.executemany(
        """
        INSERT INTO indexer.account (account_id, tenant_id, words_version) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        """,
        list(accounts),
    )
    await _into(
        admin,
        "document",
        "message_id tenant_id account_id revision mailbox_id thread_id keywords has_content"
        " received_at size_bytes is_whole",
        (
            (
                *_whose(one),
                1,
                MAILBOX if one.tenant_id == TENANT else one.account_id,
                UUID(int=one.message_id.int // 3),
                one.keywords,
                True,
                one.received_at,
                len(one.kept.body) + 900,
                is_whole,
            )
            for one, _, is_whole in rows
        ),
    )
    await _into(
        admin,
        "words_live",
        "message_id tenant_id account_id received_at words",
        ((*_whose(one), one.received_at, tsvector) for one, tsvector, _ in rows),
    )
    await _into(
        admin,
        "document_text",
        "message_id tenant_id account_id subject sender recipients_to recipients_cc"
        " recipients_bcc filenames list_id header_id preview body attachment_count traits",
        (
            (
                *_whose(one),
                one.kept.subject,
                one.kept.sender,
                one.kept.recipients_to,
                one.kept.recipients_cc,
                one.kept.recipients_bcc,
                one.kept.filenames,
                one.kept.list_id,
                one.kept.header_id,
                one.kept.preview,
                one.kept.body,
                one.kept.attachment_count,
                one.kept.traits,
            )
            for one, *_ in rows
        ),
    )


def _whose(one: Made) -> tuple[UUID, UUID, UUID]:
    return one.message_id, one.tenant_id, one.account_id


async def _into(
    admin: asyncpg.Connection, table: str, columns: str, records: Iterable[tuple[object, ...]]
) -> None:
    await admin.copy_records_to_table(
        table, schema_name="indexer", columns=columns.split(), records=records
    )
