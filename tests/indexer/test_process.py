"""The process itself, spoken to over the bus as the other services do."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager

import httpx
import psutil
import pytest

from infra.dev.process import free_port
from shared.bus import BusSettings, NoAnswer, open_bus
from shared.contracts.account import RetellAccount
from shared.contracts.envelope import Caller, decode, encode
from shared.contracts.search import SearchAnswer, SearchMessages
from tests.indexer.mail import ACCOUNT, TENANT, a_filled_page, a_message, a_page, gone


@asynccontextmanager
async def a_process(platform, *arguments, port=0):
    environment = {
        **os.environ,
        **platform.environment("indexer"),
        "INDEXER_PROBE_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.indexer", *arguments,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def the_api(platform):
    async with open_bus(BusSettings(bus_url=platform.bus_url("api")), service="api") as bus:
        yield bus


async def the_answer(bus, text, until):
    """Ask until the answer is as expected; what was told is on its way."""
    query = SearchMessages(caller=Caller(tenant_id=TENANT, account_ids=(ACCOUNT,)), text=text)
    async with asyncio.timeout(20):
        while True:
            try:
                answer = await bus.ask(query, SearchAnswer)
            except NoAnswer:
                answer = None
            if answer is not None and until(answer):
                return answer
            await asyncio.sleep(0.05)


async def test_the_memory_finds_what_the_bus_told_and_ends_cleanly(platform):
    port = free_port()
    lunch = a_message("Lunch on Friday", "canteen")
    async with (
        a_process(platform, port=port) as process,
        the_api(platform) as api,
        platform.admin_bus() as admin,
    ):
        page = a_page(lunch)
        await admin.jetstream().publish(page.channel, encode(page))
        answer = await the_answer(api, "canteen", lambda answer: bool(answer.found))
        assert [found.message_id for found in answer.found] == [lunch.message_id]

        # What a first sync brings is read in a process of its own.
        old = a_message("Lunch of last year", "kiosk")
        filled = a_filled_page(old)
        await admin.jetstream().publish(filled.channel, encode(filled))
        answer = await the_answer(api, "kiosk", lambda answer: bool(answer.found))
        assert [found.message_id for found in answer.found] == [old.message_id]
        readers = psutil.Process(process.pid).children()
        assert len(readers) == 1

        refused = await the_answer(api, "form:ann", lambda answer: answer.problem is not None)
        assert refused.problem.position == 0

        vanished = gone(lunch.message_id, 2)
        await admin.jetstream().publish(vanished.channel, encode(vanished))
        await the_answer(api, "canteen", lambda answer: not answer.found)

        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/ready")).status_code == 200
            metrics = (await http.get("/metrics")).text
        assert 'postbus_indexer_documents_total{told="synced"} 2.0' in metrics
        assert "postbus_indexer_lag_seconds_count 1.0" in metrics
        assert "postbus_indexer_arriving_documents " in metrics

        async with a_process(platform, "retell", "--account", str(ACCOUNT)) as retell:
            said, _ = await retell.communicate()
            assert retell.returncode == 0, said
        # Commands are a work queue whose only reader is sync; nobody reads here.
        async with asyncio.timeout(10):
            while True:
                info = await admin.jetstream().stream_info("SYNC")
                if info.state.messages:
                    break
                await asyncio.sleep(0.05)
        told = await admin.jetstream().get_msg("SYNC", info.state.last_seq)
        assert decode(told.data, RetellAccount).listener == "indexer"

        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0, out.decode()
        assert not any(reader.is_running() for reader in readers)


@pytest.mark.parametrize("given", ["acc_nonsense", "42"])
async def test_a_retell_of_what_is_no_account_is_refused_in_one_line(platform, given):
    async with a_process(platform, "retell", "--account", given) as process:
        said, _ = await process.communicate()
    assert process.returncode == 2
    assert "--account" in said.decode()
