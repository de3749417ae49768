"""The words of a first sync are read in a process of its own, and never not at all."""

import asyncio
import contextlib
import random
import sys

import psutil
import pytest_asyncio
from structlog.testing import capture_logs

from services.indexer.actions import reader_process
from services.indexer.actions.reading import Reader, read_in_thread
from services.indexer.domain.told import told_by_changes, told_by_pages
from tests.indexer.mail import a_change, a_message, a_page

_TEXTS = [
    "Lunch on Friday",
    "Übergrößenträger",
    "東京都 ann@example.com",
    "",
    "x" * 3000,
    "a " * 9000,
]


def some_mail(count, seed=1):
    chance = random.Random(seed)
    return told_by_pages(
        [a_page(*[a_message(chance.choice(_TEXTS), chance.choice(_TEXTS)) for _ in range(count)])]
    )


def readers():
    return [
        child for child in psutil.Process().children() if reader_process.__name__ in child.cmdline()
    ]


async def until_none_reads():
    async with asyncio.timeout(20):
        while readers():
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture(loop_scope="session")
async def reader():
    async with Reader() as reader:
        yield reader
    assert readers() == []


async def test_a_process_reads_what_a_thread_reads(reader):
    mail = [*some_mail(230), *told_by_changes([a_change(some_mail(1)[0].message_id, 3)])]
    read = await reader.read(mail)
    assert len(readers()) == 1
    assert len(read) == 230
    assert read == await read_in_thread(mail)


async def test_nothing_to_read_needs_no_process(reader):
    assert await reader.read(told_by_changes([a_change(some_mail(1)[0].message_id, 3)])) == []
    assert readers() == []


async def test_a_process_that_is_killed_costs_no_message_and_another_follows(reader):
    mail = some_mail(150)
    expected = await read_in_thread(mail)
    assert await reader.read(mail) == expected
    (first,) = readers()
    first.kill()
    with capture_logs() as logs:
        assert await reader.read(mail) == expected
    assert [entry["event"] for entry in logs] == ["reading in a thread"]
    assert await reader.read(mail) == expected
    (second,) = readers()
    assert second.pid != first.pid


async def test_a_process_that_cannot_be_started_is_done_without(reader, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    mail = some_mail(5)
    with capture_logs() as logs:
        assert await reader.read(mail) == await read_in_thread(mail)
    assert [entry["event"] for entry in logs] == ["reading in a thread"]


async def test_who_reads_after_a_read_that_was_cancelled_gets_his_own_answer(reader):
    await reader.read(some_mail(1))
    abandoned = asyncio.create_task(reader.read(some_mail(400)))
    await asyncio.sleep(0.01)
    abandoned.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await abandoned
    mail = some_mail(120, seed=2)
    assert await reader.read(mail) == await read_in_thread(mail)


async def test_many_may_ask_at_once(reader):
    batches = [some_mail(120, seed=seed) for seed in range(4)]
    read = await asyncio.gather(*map(reader.read, batches))
    assert read == [await read_in_thread(batch) for batch in batches]


async def test_a_process_without_work_goes_and_comes_again():
    async with Reader(idle_seconds=0.05) as reader:
        mail = some_mail(3)
        expected = await read_in_thread(mail)
        assert await reader.read(mail) == expected
        await until_none_reads()
        assert await reader.read(mail) == expected
    assert readers() == []
