"""Messages are read in a process beside; none of them can end more than its own reading."""

import asyncio
import os
import signal
from datetime import UTC, datetime

import psutil
import pytest

from services.sync.actions.understanding import Raw, Readers, Unreadable
from services.sync.domain.understand import Understood, understand

AT = datetime(2024, 3, 7, 9, 11, 12, tzinfo=UTC)
MORTAL = "tests.sync.mortal_reader"


def letter(uid: int, words: str = "words") -> Raw:
    raw = f"Message-ID: <{uid}@x>\r\nSubject: {uid}\r\n\r\n{words}\r\n".encode()
    return Raw(uid=uid, raw=raw, received_at=AT)


def subjects(read: list[Understood | Unreadable]) -> list[str]:
    return [
        one.content.subject if isinstance(one, Understood) else f"{one.uid} {one.reason}"
        for one in read
    ]


def children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE
        and {MORTAL, "services.sync.actions.reader_process"} & set(child.cmdline())
    ]


async def gone(child: psutil.Process) -> None:
    async with asyncio.timeout(30):
        await asyncio.to_thread(child.wait)


@pytest.mark.parametrize("at_once", [0, 1, 2])
async def test_a_message_says_the_same_wherever_it_is_read(at_once: int):
    large = Raw(
        uid=3,
        raw=b"Subject: large\r\nContent-Type: application/pdf\r\n\r\n",
        received_at=AT,
        size_bytes=9_000_000,
        attachment_sizes={1: 8_000_000},
    )
    asked = [letter(1), letter(2, "x" * 3_000_000), large]
    async with Readers(at_once=at_once) as readers:
        read = await readers.read(asked)
    assert read == [
        understand(
            uid=one.uid,
            raw=one.raw,
            received_at=one.received_at,
            size_bytes=one.size_bytes,
            attachment_sizes=one.attachment_sizes,
        )
        for one in asked
    ]
    assert isinstance(read[2], Understood)
    assert read[2].size_bytes == read[2].content.size_bytes == 9_000_000
    assert read[2].content.attachments[0].size_bytes == 8_000_000


async def test_many_messages_come_back_in_their_order():
    async with Readers(at_once=2) as readers:
        first, second = await asyncio.gather(
            readers.read([letter(uid) for uid in range(350)]),
            readers.read([letter(uid) for uid in range(350, 500)]),
        )
        assert await readers.read([]) == []
    assert subjects(first + second) == [str(uid) for uid in range(500)]


@pytest.mark.parametrize(
    ("words", "reason"),
    [("deadly", "reader_died"), ("endless", "took_too_long"), ("confusing", "RecursionError")],
)
async def test_a_message_that_its_reader_does_not_survive_is_named_and_the_others_are_read(
    words: str, reason: str
):
    async with Readers(at_once=1, seconds=3, module=MORTAL) as readers:
        read = await readers.read([letter(1), letter(2, words), letter(3)])
        assert subjects(read) == ["1", f"2 {reason}", "3"]
        assert subjects(await readers.read([letter(4)])) == ["4"]


async def test_a_reader_that_is_killed_loses_no_message():
    async with Readers(at_once=1) as readers:
        await readers.read([letter(1)])
        (child,) = children()
        os.kill(child.pid, signal.SIGKILL)
        await gone(child)
        assert subjects(await readers.read([letter(2), letter(3)])) == ["2", "3"]


async def test_a_reader_that_cannot_be_started_is_no_messages_fault():
    async with Readers(at_once=1, module="services.sync.nobody") as readers:
        assert subjects(await readers.read([letter(1)])) == ["1"]


async def test_without_work_there_is_no_reader():
    async with Readers(at_once=1, idle_seconds=0) as readers:
        assert not children()
        await readers.read([letter(1)])
        for child in children():
            await gone(child)
        assert subjects(await readers.read([letter(2)])) == ["2"]


async def test_an_asker_that_gives_up_does_not_leave_its_answer_to_the_next():
    async with Readers(at_once=1, module=MORTAL) as readers:
        await readers.read([letter(1)])
        (child,) = children()
        giving_up = asyncio.create_task(readers.read([letter(2, "endless")]))
        await asyncio.sleep(0)  # so that it is being asked
        giving_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await giving_up
        await gone(child)
        assert subjects(await readers.read([letter(3)])) == ["3"]


async def test_nothing_is_left_running():
    async with Readers(at_once=1) as readers:
        await readers.read([letter(1)])
        (child,) = children()
    await gone(child)


async def test_askers_of_one_reader_get_each_their_own_answer():
    async with Readers(at_once=1) as readers:
        batches = [[letter(number)] * (number % 7 + 1) for number in range(40)]
        read = await asyncio.gather(*(readers.read(batch) for batch in batches))
        assert len(children()) == 1
    assert [subjects(one) for one in read] == [
        [str(number)] * (number % 7 + 1) for number in range(40)
    ]


@pytest.mark.parametrize("words", ["deadly", "endless"])
async def test_who_asks_beside_a_message_that_kills_the_reader_loses_nothing(words: str):
    async with Readers(at_once=1, seconds=3, module=MORTAL) as readers:
        read = await asyncio.gather(
            readers.read([letter(1)]),
            readers.read([letter(2, words)]),
            readers.read([letter(3), letter(4)]),
        )
    assert subjects(read[0]) == ["1"]
    assert subjects(read[1])[0].startswith("2 ")
    assert subjects(read[2]) == ["3", "4"]
