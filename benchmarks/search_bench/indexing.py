"""How fast the indexer alone takes in what the bus tells: live, and by the way of a first sync."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from statistics import median
from uuid import UUID

import asyncpg

from benchmarks.say import say
from benchmarks.search_bench.corpus import ACCOUNT, MAILBOX, Made, message
from shared.contracts.envelope import encode, pack
from shared.contracts.mail import (
    PAGE_MESSAGES,
    Address,
    Arrival,
    Content,
    MessagesFilled,
    MessagesSynced,
    State,
    SyncedMessage,
)
from tests.platform import Platform

_PATIENCE_SECONDS = 300
_LOOK_SECONDS = 0.02
_LOOK_CLOSELY_SECONDS = 0.001
_ALONE = 40
_TENANT = UUID("0190a000-0000-7000-8000-0000000000ff")


@dataclass(frozen=True, slots=True)
class Taken:
    """How the indexer took in what the bus told."""

    per_second: float
    fresh_milliseconds: float  # until one message alone is found, the median


async def taken(platform: Platform, kind: type[MessagesSynced], messages: int) -> Taken:
    """From the first page's being published to every message's being found; then one by one."""
    pages = [
        pack(encode(_page(kind, range(first, first + PAGE_MESSAGES), messages)))
        for first in range(0, messages + PAGE_MESSAGES, PAGE_MESSAGES)
    ]
    admin = await asyncpg.connect(platform.admin_database_url)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.indexer"),
        env={**os.environ, **platform.environment("indexer"), "INDEXER_PROBE_PORT": "0"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), platform.admin_bus() as client:
            stream = client.jetstream()
            await stream.publish(kind.channel, pages[0])  # the process wakes up
            while await _findable(admin) < PAGE_MESSAGES:
                await asyncio.sleep(_LOOK_SECONDS)
            began = time.perf_counter()
            for page in pages[1:]:
                await stream.publish(kind.channel, page)
            while await _findable(admin) < len(pages) * PAGE_MESSAGES:
                await asyncio.sleep(_LOOK_SECONDS)
            seconds = time.perf_counter() - began
            waited: list[float] = []
            for number in range(len(pages) * PAGE_MESSAGES, len(pages) * PAGE_MESSAGES + _ALONE):
                alone = pack(encode(_page(kind, range(number, number + 1), messages)))
                began = time.perf_counter()
                await stream.publish(kind.channel, alone)
                while await _findable(admin) <= number:
                    await asyncio.sleep(_LOOK_CLOSELY_SECONDS)
                waited.append((time.perf_counter() - began) * 1000)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
        await admin.close()
    per_second = (len(pages) - 1) * PAGE_MESSAGES / seconds
    way = "bulk" if kind is MessagesFilled else "live"
    fresh = round(median(waited), 1)
    say(
        f"indexer alone, from the bus, {way:4}: {per_second:10,.0f} messages/s; "
        f"one alone is found after {fresh:.0f} ms (p50)"
    )
    return Taken(round(per_second), fresh)


async def _findable(admin: asyncpg.Connection) -> int:
    """How many have their words where a search looks: in the index, or on the way to it."""
    return (
        await admin.fetchval(
            """
            SELECT (SELECT count(*) FROM indexer.words_live)
                 + (SELECT count(*) FROM indexer.words_arriving)
            """
        )
        or 0
    )


def _page(kind: type[MessagesSynced], numbers: range, count: int) -> MessagesSynced:
    return kind(
        tenant_id=_TENANT,
        account_id=ACCOUNT,
        messages=tuple(_told(message(number, count)) for number in numbers),
    )


def _told(made: Made) -> SyncedMessage:
    kept = made.kept
    return SyncedMessage(
        message_id=made.message_id,
        revision=made.number + 1,
        arrival=Arrival.BACKFILL,
        content_id=made.message_id.bytes,
        content=Content(
            subject=kept.subject,
            sender=_address(kept.sender[0]),
            to=(_address(kept.recipients_to[0]),),
            message_id=kept.header_id,
            received_at=made.received_at,
            size_bytes=len(kept.body) + 900,
            preview=kept.preview,
            text=kept.body,
        ),
        state=State(
            mailbox_id=MAILBOX, keywords=frozenset(made.keywords), thread_id=made.message_id
        ),
    )


def _address(person: str) -> Address:
    name, _, email = person.partition(" <")
    return Address(name, email.rstrip(">"))
