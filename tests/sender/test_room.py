"""Room for attempts: who enters, and what becomes of what was taken."""

import asyncio
from uuid import UUID

from services.sender.actions.room import Room

ADA, BOB = UUID(int=1), UUID(int=2)


async def test_nobody_enters_before_somebody_is_there_who_begins() -> None:
    room: Room[str] = Room(2, 2)
    assert not room.enter(ADA)
    room.open(lambda _: None)
    assert room.enter(ADA)


async def test_an_account_takes_no_more_than_its_share_and_all_no_more_than_there_is() -> None:
    room: Room[str] = Room(3, 2)
    room.open(lambda _: None)
    assert room.enter(ADA)
    assert room.enter(ADA)
    assert not room.enter(ADA)
    assert room.enter(BOB)
    assert not room.enter(BOB)
    assert (room.free, room.free_of(ADA), room.free_of(BOB)) == (0, 0, 1)
    room.leave(ADA)
    assert room.enter(BOB)


async def test_who_closes_waits_for_those_inside_and_begins_what_they_took() -> None:
    begun: list[str] = []
    room: Room[str] = Room(2, 2)
    room.open(begun.append)
    room.enter(ADA)
    room.enter(BOB)
    closing = asyncio.create_task(room.close())
    await asyncio.sleep(0)
    assert not room.enter(ADA)
    room.begin(ADA, "lunch")
    assert begun == ["lunch"]
    room.leave(ADA)
    await asyncio.sleep(0)
    assert not closing.done()
    room.leave(BOB)
    async with asyncio.timeout(60):
        await closing


async def test_what_is_taken_when_nobody_is_left_gives_its_room_back() -> None:
    begun: list[str] = []
    room: Room[str] = Room(2, 2)
    room.open(begun.append)
    room.enter(ADA)
    room.shut()
    room.begin(ADA, "lunch")
    assert (begun, room.free) == ([], 2)
