"""The one step that makes streams and consumers those of this release."""

import pytest
from nats.js.api import ConsumerConfig

from shared.bus import topology
from shared.bus.topology import ACK_WAIT_SECONDS, OlderThanServers, apply
from tests.platform import Platform

CONSUMER = "indexer-mail-messages-synced"


async def test_applying_twice_changes_nothing(platform: Platform) -> None:
    async with platform.admin_bus() as client:
        assert await apply(client) == topology.Applied((), (), ())


async def test_an_existing_consumer_is_updated_to_what_this_release_says(
    platform: Platform,
) -> None:
    async with platform.admin_bus() as client:
        js = client.jetstream()
        info = await js.consumer_info("MAIL", CONSUMER)
        await js.add_consumer("MAIL", info.config.evolve(ack_wait=7, max_ack_pending=3))
        await apply(client)
        config = (await js.consumer_info("MAIL", CONSUMER)).config
        assert config.ack_wait == ACK_WAIT_SECONDS
        assert config.max_ack_pending == 1000
        assert config.max_deliver == -1


async def test_a_listener_whose_consumer_was_made_anew_is_told_everything_again(
    platform: Platform,
) -> None:
    async with platform.admin_bus() as client:
        js = client.jetstream()
        await js.delete_consumer("MAIL", CONSUMER)
        applied = await apply(client)
        assert applied.made == (CONSUMER,)
        assert applied.to_be_told_again == ("indexer",)
        info = await js.consumer_info("SYNC", "sync-sync-account-retell")
        assert info.num_pending == 1


async def test_a_consumer_of_an_earlier_release_goes_and_a_strangers_stays(
    platform: Platform,
) -> None:
    async with platform.admin_bus() as client:
        js = client.jetstream()
        tag = {topology._VERSION_KEY: "1"}  # pyright: ignore[reportPrivateUsage]
        for name, metadata in (("api-mail-forgotten", tag), ("backup-tool", None)):
            await js.add_consumer(
                "MAIL",
                ConsumerConfig(durable_name=name, filter_subject="mail.x", metadata=metadata),
            )
        try:
            assert (await apply(client)).removed == ("api-mail-forgotten",)
            assert "backup-tool" in {c.name for c in await js.consumers_info("MAIL")}
        finally:
            await js.delete_consumer("MAIL", "backup-tool")


async def test_an_older_release_refuses_to_touch_a_newer_bus(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with platform.admin_bus() as client:
        monkeypatch.setattr(topology, "VERSION", topology.VERSION - 1)
        with pytest.raises(OlderThanServers):
            await apply(client)
