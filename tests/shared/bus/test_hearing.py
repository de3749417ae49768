"""What becomes of facts and commands on their way, on a real server."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
import structlog

from shared.bus import Bus, Ears, GiveUp, NoAnswer, Relay, Retry, TooLarge, tell
from shared.bus import pull as pull_module
from shared.bus.dead import dead_letters, replay
from shared.contracts.account import AccountRemoved, RetellAccount
from shared.contracts.envelope import Caller, encode
from shared.contracts.mail import MessagesVanished, VanishedMessage
from shared.contracts.search import SearchAnswer, SearchMessages
from tests.platform import Platform

INDEXER_VANISHED = "indexer-mail-messages-vanished"


def a_fact(revision: int = 1) -> MessagesVanished:
    return MessagesVanished(
        tenant_id=uuid4(),
        account_id=uuid4(),
        messages=(VanishedMessage(message_id=uuid4(), revision=revision),),
    )


class Heard:
    """Collects what a handler was given, and lets a test wait for so many."""

    def __init__(self) -> None:
        self.batches: list[list[MessagesVanished]] = []
        self._grew = asyncio.Event()

    @property
    def ids(self) -> list[object]:
        return [fact.event_id for batch in self.batches for fact in batch]

    def add(self, batch: list[MessagesVanished]) -> None:
        self.batches.append(batch)
        self._grew.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(set(self.ids)) < count:
                self._grew.clear()
                await self._grew.wait()


async def until_dead(platform: Platform, count: int) -> list[object]:
    async with platform.admin_bus() as client, asyncio.timeout(30):
        while True:
            letters = [letter async for letter in dead_letters(client.jetstream())]
            if len(letters) >= count:
                return letters
            await asyncio.sleep(0.1)


async def publish(bus: Bus, *facts: MessagesVanished) -> None:
    for fact in facts:
        await bus.js.publish(fact.nats_subject(), encode(fact))


async def pending(platform: Platform, stream: str, consumer: str) -> int:
    async with platform.admin_bus() as client:
        info = await client.jetstream().consumer_info(stream, consumer)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def until_acked(platform: Platform, stream: str, consumer: str) -> None:
    async with asyncio.timeout(20):
        while await pending(platform, stream, consumer):
            await asyncio.sleep(0.05)


async def test_a_lone_fact_is_heard_without_waiting_for_company(
    platform: Platform, sync_bus: Bus, indexer_bus: Bus
) -> None:
    ears: Ears[Heard] = Ears("indexer")
    heard = Heard()

    @ears.hear(MessagesVanished)
    async def on(facts: list[MessagesVanished], world: Heard) -> None:
        world.add(facts)

    async with ears.open(indexer_bus, heard):
        fact = a_fact()
        await publish(sync_bus, fact)
        await heard.until(1)
        assert heard.ids == [fact.event_id]
        await until_acked(platform, "MAIL", INDEXER_VANISHED)


async def test_one_unreadable_message_takes_no_good_one_with_it(
    platform: Platform, sync_bus: Bus, indexer_bus: Bus
) -> None:
    ears: Ears[Heard] = Ears("indexer")
    heard = Heard()

    @ears.hear(MessagesVanished)
    async def on(facts: list[MessagesVanished], world: Heard) -> None:
        world.add(facts)

    facts = [a_fact() for _ in range(5)]
    await publish(sync_bus, *facts[:2])
    await sync_bus.js.publish("mail.messages.vanished", b'{"not": "a fact"}')
    await publish(sync_bus, *facts[2:])
    async with ears.open(indexer_bus, heard):
        await heard.until(5)
        letters = await until_dead(platform, 1)
    assert set(heard.ids) == {fact.event_id for fact in facts}
    assert len(letters) == 1
    assert "cannot be read" in letters[0].reason  # type: ignore[attr-defined]
    assert letters[0].subject == "mail.messages.vanished"  # type: ignore[attr-defined]


async def test_a_failing_batch_is_retried_one_by_one_and_only_the_guilty_is_buried(
    platform: Platform, sync_bus: Bus, indexer_bus: Bus
) -> None:
    ears: Ears[Heard] = Ears("indexer")
    heard = Heard()
    facts = [a_fact() for _ in range(6)]
    guilty = facts[3].event_id

    @ears.hear(MessagesVanished)
    async def on(batch: list[MessagesVanished], world: Heard) -> None:
        if any(fact.event_id == guilty for fact in batch):
            raise GiveUp("this one cannot be")
        world.add(batch)

    await publish(sync_bus, *facts)
    async with ears.open(indexer_bus, heard):
        await heard.until(5)
        letters = await until_dead(platform, 1)
        await until_acked(platform, "MAIL", INDEXER_VANISHED)
    assert set(heard.ids) == {fact.event_id for fact in facts} - {guilty}
    assert [letter.reason for letter in letters] == ["this one cannot be"]  # type: ignore[attr-defined]


async def test_a_message_that_keeps_failing_is_buried_not_lost_and_can_be_told_again(
    platform: Platform,
    sync_bus: Bus,
    indexer_bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pull_module, "FAILURES", 2)
    ears: Ears[Heard] = Ears("indexer")
    heard = Heard()
    broken = True

    @ears.hear(MessagesVanished)
    async def on(batch: list[MessagesVanished], world: Heard) -> None:
        if broken:
            raise ValueError("a bug")
        world.add(batch)

    fact = a_fact()
    await publish(sync_bus, fact)
    async with ears.open(indexer_bus, heard):
        letters = await until_dead(platform, 1)
        assert letters[0].deliveries == 2  # type: ignore[attr-defined]
        broken = False
        async with platform.admin_bus() as client:
            assert await replay(client.jetstream()) == 1
            assert [letter async for letter in dead_letters(client.jetstream())] == []
        await heard.until(1)
    assert heard.ids == [fact.event_id]


async def test_retry_waits_as_long_as_it_says_instead_of_spinning(
    platform: Platform, sync_bus: Bus, indexer_bus: Bus
) -> None:
    ears: Ears[Heard] = Ears("indexer")
    heard = Heard()
    tries = 0

    @ears.hear(MessagesVanished)
    async def on(batch: list[MessagesVanished], world: Heard) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Retry("not yet", after_seconds=0.2)
        world.add(batch)

    await publish(sync_bus, a_fact())
    async with ears.open(indexer_bus, heard):
        await heard.until(1)
    assert tries == 3


async def test_an_absent_database_is_no_fault_of_the_message(
    platform: Platform, sync_bus: Bus, indexer_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull_module, "_AWAY_SECONDS", 0.02)
    monkeypatch.setattr(pull_module, "FAILURES", 1)
    ears: Ears[Heard] = Ears("indexer")
    heard = Heard()
    tries = 0

    @ears.hear(MessagesVanished)
    async def on(batch: list[MessagesVanished], world: Heard) -> None:
        nonlocal tries
        tries += 1
        if tries < 10:
            raise asyncpg.CannotConnectNowError("the database system is starting up")
        world.add(batch)

    await publish(sync_bus, a_fact())
    async with ears.open(indexer_bus, heard):
        await heard.until(1)
    assert tries == 10
    async with platform.admin_bus() as client:
        assert [letter async for letter in dead_letters(client.jetstream())] == []


async def test_a_question_is_answered_a_failure_is_said_at_once_and_silence_ends_in_time(
    platform: Platform, indexer_bus: Bus
) -> None:
    from shared.bus import BusSettings, open_bus

    ears: Ears[None] = Ears("indexer")

    @ears.answer(SearchMessages)
    async def answer(query: SearchMessages, world: None) -> SearchAnswer:
        if query.text == "bug":
            raise ValueError("a bug")
        return SearchAnswer(more=True)

    caller = Caller(tenant_id=uuid4(), account_ids=())
    async with open_bus(BusSettings(bus_url=platform.bus_url("api")), service="api") as api:
        with pytest.raises(NoAnswer, match="nobody answers"):
            await api.ask(SearchMessages(caller=caller, text="x"), SearchAnswer)
        async with ears.open(indexer_bus, None):
            answered = await api.ask(SearchMessages(caller=caller, text="x"), SearchAnswer)
            assert answered == SearchAnswer(more=True)
            with pytest.raises(NoAnswer, match="failed"):
                await api.ask(SearchMessages(caller=caller, text="bug"), SearchAnswer)


async def test_the_outbox_empties_into_the_streams_and_a_second_copy_is_dropped(
    platform: Platform, sync_bus: Bus, outbox: asyncpg.Pool
) -> None:
    facts = [a_fact() for _ in range(300)]
    async with outbox.acquire() as connection, connection.transaction():
        await tell(connection, *facts)
        await tell(connection, facts[0])
    async with Relay(sync_bus, outbox).running(), asyncio.timeout(20):
        while await outbox.fetchval("SELECT count(*) FROM outbox"):
            await asyncio.sleep(0.02)
    assert await pending(platform, "MAIL", INDEXER_VANISHED) == 300


async def test_what_was_not_committed_is_not_told(
    platform: Platform, sync_bus: Bus, outbox: asyncpg.Pool
) -> None:
    async def fail() -> None:
        async with outbox.acquire() as connection, connection.transaction():
            await tell(connection, a_fact())
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    assert await outbox.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_full_stream_refuses_the_rows_wait_and_go_on_after_acks(
    platform: Platform, sync_bus: Bus, indexer_bus: Bus, outbox: asyncpg.Pool
) -> None:
    async with platform.admin_bus() as client:
        js = client.jetstream()
        config = (await js.stream_info("MAIL")).config
        await js.update_stream(config.evolve(max_bytes=64 * 1024))
        try:
            facts = [a_fact() for _ in range(400)]
            async with outbox.acquire() as connection, connection.transaction():
                await tell(connection, *facts)
            ears: Ears[Heard] = Ears("indexer")
            heard = Heard()

            @ears.hear(MessagesVanished)
            async def on(batch: list[MessagesVanished], world: Heard) -> None:
                world.add(batch)

            api_ears: Ears[Heard] = Ears("api")
            api_heard = Heard()

            @api_ears.hear(MessagesVanished)
            async def also(batch: list[MessagesVanished], world: Heard) -> None:
                world.add(batch)

            from shared.bus import BusSettings, open_bus

            async with Relay(sync_bus, outbox).running():
                async with asyncio.timeout(20):
                    while not 0 < await outbox.fetchval("SELECT count(*) FROM outbox") < 400:
                        await asyncio.sleep(0.02)
                async with (
                    open_bus(BusSettings(bus_url=platform.bus_url("api")), service="api") as api,
                    ears.open(indexer_bus, heard),
                    api_ears.open(api, api_heard),
                ):
                    await heard.until(400)
                    await api_heard.until(400)
            assert await outbox.fetchval("SELECT count(*) FROM outbox") == 0
        finally:
            await js.update_stream(config)


async def test_a_full_fill_stream_does_not_hold_a_live_fact(
    platform: Platform, sync_bus: Bus, outbox: asyncpg.Pool
) -> None:
    from shared.contracts.account import AccountRetold

    async with platform.admin_bus() as client:
        js = client.jetstream()
        config = (await js.stream_info("FILL")).config
        await js.update_stream(config.evolve(max_bytes=1024))
        try:
            filler = [
                AccountRetold(
                    tenant_id=uuid4(),
                    account_id=uuid4(),
                    listener="indexer",
                    generation=uuid4(),
                    as_of_revision=1,
                    pages=0,
                )
                for _ in range(50)
            ]
            live = a_fact()
            async with outbox.acquire() as connection, connection.transaction():
                await tell(connection, *filler, live)
            async with Relay(sync_bus, outbox).running(), asyncio.timeout(20):
                while await outbox.fetchval("SELECT count(*) FROM outbox WHERE lane = 'mail'"):
                    await asyncio.sleep(0.02)
            assert await outbox.fetchval("SELECT count(*) FROM outbox WHERE lane = 'fill'") > 0
            assert await pending(platform, "MAIL", INDEXER_VANISHED) == 1
        finally:
            await js.update_stream(config)


async def test_what_the_bus_cannot_carry_is_refused_when_it_is_written(
    outbox: asyncpg.Pool,
) -> None:
    huge = RetellAccount(tenant_id=uuid4(), listener="x" * 8_000_000, generation=uuid4())
    async with outbox.acquire() as connection:
        with pytest.raises(TooLarge):
            await tell(connection, huge)


async def test_a_service_can_only_tell_what_its_card_says(
    platform: Platform, indexer_bus: Bus
) -> None:
    import nats.errors
    import nats.js.errors

    fact = AccountRemoved(tenant_id=uuid4(), account_id=uuid4(), revision=1)
    with pytest.raises((nats.errors.Error, TimeoutError)):
        await indexer_bus.js.publish(fact.nats_subject(), encode(fact), timeout=1)
    async with platform.admin_bus() as client:
        assert (await client.jetstream().stream_info("MAIL")).state.messages == 0


async def test_long_work_is_not_given_to_somebody_else_meanwhile(
    platform: Platform, sync_bus: Bus, indexer_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull_module, "ACK_WAIT_SECONDS", 0.6)
    async with platform.admin_bus() as client:
        js = client.jetstream()
        config = (await js.consumer_info("MAIL", INDEXER_VANISHED)).config
        await js.add_consumer("MAIL", config.evolve(ack_wait=0.6))
        try:
            ears: Ears[Heard] = Ears("indexer")
            heard = Heard()

            @ears.hear(MessagesVanished)
            async def on(batch: list[MessagesVanished], world: Heard) -> None:
                world.add(batch)
                await asyncio.sleep(2)

            await publish(sync_bus, a_fact())
            async with ears.open(indexer_bus, heard):
                await until_acked(platform, "MAIL", INDEXER_VANISHED)
            assert len(heard.ids) == 1
        finally:
            await js.add_consumer("MAIL", config)


async def test_headers_are_read_although_a_mail_parser_is_installed(
    platform: Platform, sync_bus: Bus
) -> None:
    """nats-py would hand its headers to fast_mail_parser, whose answers it cannot read."""
    import fast_mail_parser  # noqa: F401  # pyright: ignore[reportUnusedImport]

    async with platform.admin_bus() as client:
        got: asyncio.Future[dict[str, str] | None] = asyncio.get_running_loop().create_future()

        async def on(message: object) -> None:
            got.set_result(message.headers)  # type: ignore[attr-defined]

        await client.subscribe("hint.trial.headers", cb=on)
        await client.publish("hint.trial.headers", b"", headers={"Postbus-Reason": "because"})
        assert await asyncio.wait_for(got, 5) == {"Postbus-Reason": "because"}


async def test_the_cause_of_a_failure_is_in_the_log(
    platform: Platform,
    sync_bus: Bus,
    indexer_bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pull_module, "FAILURES", 1)
    ears: Ears[None] = Ears("indexer")

    @ears.hear(MessagesVanished)
    async def on(batch: list[MessagesVanished], world: None) -> None:
        raise ValueError("the very cause")

    fact = a_fact()
    with structlog.testing.capture_logs() as logs:
        await publish(sync_bus, fact)
        async with ears.open(indexer_bus, None):
            await until_dead(platform, 1)
    failed = next(entry for entry in logs if entry["event"] == "message failed")
    assert "the very cause" in str(failed["exc_info"])
