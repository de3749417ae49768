import asyncio
import re
import signal

import httpx
import pytest

from infra.dev.process import free_port
from services.sender import __doc__ as card
from services.sender.subscribers import ears
from shared.contracts.catalogue import FACTS, ORDERS, QUESTIONS, heard_by
from shared.contracts.submission import SubmissionState
from tests.sender.conftest import PASSWORD, Bench


async def test_a_sender_says_how_it_is_and_ends_cleanly_when_told(bench: Bench):
    port = free_port()
    async with bench.process(SENDER_PROBE_PORT=str(port), LOG_LEVEL="DEBUG") as process:
        await bench.connect()
        bench.server.does(RCPT="450 4.2.1 busy")
        await bench.until(await bench.send(), SubmissionState.DEFERRED)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/health")).status_code == 200
            ready = await client.get("/ready")
            assert ready.json()["checks"] == {"database": "ok", "bus": "ok"}
            metrics = (await client.get("/metrics")).text
        assert 'postbus_sender_attempt_duration_seconds_count{fate="deferred"} 1.0' in metrics
        assert 'postbus_sender_attempt_duration_seconds_count{fate="uncertain"} 0.0' in metrics
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        logged = (await asyncio.wait_for(process.stdout.read(), 30)).decode()
        assert await process.wait() == 0
    assert '"attempt ended"' in logged
    assert PASSWORD not in logged
    assert "At noon?" not in logged


async def test_without_its_keys_a_sender_says_so_and_does_not_start(bench: Bench):
    for file in bench.keys_dir.iterdir():
        file.unlink()
    async with bench.process() as process:
        assert await asyncio.wait_for(process.wait(), 30) == 1


@pytest.mark.parametrize(
    ("heading", "contracts"),
    [
        ("Hears", {fact.contract for fact in FACTS if "sender" in fact.listeners}),
        ("Obeys", {order.contract for order in ORDERS if order.obeys == "sender"}),
        ("Tells", {fact.contract for fact in FACTS if fact.voice == "sender"}),
        ("Commands", {order.contract for order in ORDERS if "sender" in order.givers}),
        ("Answers", {question.contract for question in QUESTIONS if question.answers == "sender"}),
    ],
)
def test_the_card_says_what_the_catalogue_says(heading: str, contracts: set[type]):
    assert card is not None
    [said] = re.findall(rf"^{heading}:(.*(?:\n +.*)*)", card, re.MULTILINE)
    names = "".join(said.split()).split(",")
    assert set(names) == {contract.__name__ for contract in contracts}


def test_everything_sender_must_handle_has_a_function():
    answered = {question.contract for question in QUESTIONS if question.answers == "sender"}
    assert ears.contracts == set(heard_by("sender")) | answered
