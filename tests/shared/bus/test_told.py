"""Whoever asks knows whether more was told since."""

from uuid_utils.compat import uuid7

from shared.bus import Bus, BusSettings, last_told, open_bus
from shared.contracts.envelope import encode
from shared.contracts.mail import MessagesFilled, MessagesSynced
from tests.indexer.mail import a_filled_page, a_message
from tests.platform import Platform


async def test_a_page_of_a_first_sync_is_counted_in_its_stream(
    sync_bus: Bus, indexer_bus: Bus
) -> None:
    live = await last_told(indexer_bus, MessagesSynced)
    before = await last_told(indexer_bus, MessagesFilled)
    assert before is not None
    for _ in range(2):
        page = a_filled_page(a_message(f"Lunch {uuid7()}"))
        await sync_bus.js.publish(page.channel, encode(page))
    assert await last_told(indexer_bus, MessagesFilled) == before + 2
    assert await last_told(indexer_bus, MessagesSynced) == live


async def test_of_a_bus_that_is_left_nothing_is_known(platform: Platform) -> None:
    settings = BusSettings(bus_url=platform.bus_url("indexer"))
    async with open_bus(settings, service="indexer") as bus:
        pass
    assert await last_told(bus, MessagesFilled) is None
