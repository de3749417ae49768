"""What operators and orchestrators see of every process: probes, metrics, logs."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import psutil
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from infra.dev import programs
from shared.contracts.ids import Kind, read
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import ROOT, Stack, until
from tests.stories.walk import connect, pages, until_mailbox, until_state

pytestmark = pytest.mark.story

PROCESSES = {
    "api": programs.API_PROBES,
    "sync-listen": programs.LISTEN,
    "sync-answer": programs.ANSWER,
    "sender": programs.SENDER,
    "indexer": programs.INDEXER,
}
EVERYWHERE = {
    "postbus_bus_received_messages",
    "postbus_bus_outbox_waiting_events",
    "postbus_bus_outbox_oldest_seconds",
    "postbus_bus_consumer_pending_messages",
    "postbus_process_event_loop_lag_seconds",
}
PROMISED = {
    "api": {"postbus_api_request_duration_seconds", "postbus_api_event_streams"},
    "sync-listen": {
        "postbus_sync_pull_duration_seconds",
        "postbus_sync_messages",
        "postbus_sync_message_size_bytes",
        "postbus_sync_open_connections",
        "postbus_sync_lag_seconds",
    },
    "sync-answer": {"postbus_sync_answer_duration_seconds"},
    "sender": {
        "postbus_sender_attempt_duration_seconds",
        "postbus_sender_submissions_waiting",
        "postbus_sender_oldest_submission_seconds",
    },
    "indexer": {
        "postbus_indexer_document_duration_seconds",
        "postbus_indexer_query_duration_seconds",
        "postbus_indexer_lag_seconds",
    },
}
# Every label there is. A new one is added here by somebody who has thought of how many values
# it has.
LABELS = {
    *(
        "method",
        "route",
        "status",
        "result",
        "service",
        "consumer",
        "state",
        "fate",
        "told",
        "limit",
        "reason",
        "role",
        "stream",
    ),
    *("le", "app_name", "handler", "broker", "destination", "error_type", "exception_type"),
    *("generation", "implementation", "major", "minor", "patchlevel", "version"),
}
AN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|[a-z]{3}_[0-9a-z]{26}|@|\d+\.\d+\.\d+\.\d+|_INBOX")
USER_PASSWORD = "correct horse battery"
LETTER = b"From: eve@lived.example\r\nSubject: Probe\r\n\r\nA word.\r\n"


@dataclass(frozen=True)
class Lived:
    """A person whose every kind of traffic has gone through every process."""

    person: httpx.AsyncClient
    message: str
    names: tuple[str, ...]  # whatever must never be a label


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(stack: Stack, dovecot: Dovecot, postfix: Postfix) -> AsyncIterator[Lived]:
    async with stack.person() as person:
        user = dovecot.new_user("lived")
        dovecot.append(
            user, "INBOX", [b"From: eve@lived.example\r\nSubject: Probe\r\n\r\nword\r\n"]
        )
        account = await connect(person, user, dovecot, postfix)
        await until_state(person, account, "live")
        wrong = await connect(person, user, dovecot, password="not-the-password")
        await until_state(person, wrong, "auth_failed")
        inbox = (await until_mailbox(person, account))["id"]
        (message,) = await until(
            "the message is listed", lambda: pages(person, "/messages", mailbox_id=inbox)
        )
        submission = (
            await person.post("/submissions", json={"account_id": account, "to": [user]})
        ).json()["id"]

        async def sent() -> bool:
            return (await person.get(f"/submissions/{submission}")).json()["state"] == "accepted"

        await until("the submission is accepted", sent)
        await traffic(person, message["id"])
        tenant = (await token_of(person))["ten"]
        ids = (account, inbox, message["id"], submission, tenant)
        uuids = (str(read(Kind(one[:3]), one)) for one in ids)
        yield Lived(person, message["id"], (*ids, *uuids, user, user.partition("@")[0]))


async def token_of(person: httpx.AsyncClient) -> dict[str, Any]:
    token = person.headers["Authorization"].partition(" ")[2]
    return jwt.decode(token, options={"verify_signature": False})


async def traffic(person: httpx.AsyncClient, message: str) -> None:
    """Some of every kind of request, right and wrong ones."""
    for word in ("word", "from:eve", "nothing-like-it"):
        answer = await person.get("/search", params={"q": word})
        assert answer.status_code == 200, answer.text
    for path in (f"/messages/{message}", "/accounts", "/events"):
        assert (await person.get(path)).status_code == 200
    for path in (f"/messages/msg_{uuid4().hex[:26]}", f"/{uuid4().hex}", f"/accounts/{uuid4()}/x"):
        assert (await person.get(path)).status_code == 404
    answer = await person.request(f"X{uuid4().hex[:6]}".upper(), "/accounts")
    assert answer.status_code in {400, 405}
    await person.post("/auth/login", json={"email": f"{uuid4().hex}@example.org", "password": "x"})


async def ask(stack: Stack, process: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=10) as client:
        return await client.get(f"http://127.0.0.1:{stack.port + PROCESSES[process]}{path}")


async def samples(stack: Stack, process: str) -> list[tuple[str, dict[str, str], float]]:
    """What a process shows of itself: name, labels, value."""
    text = (await ask(stack, process, "/metrics")).text
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


@pytest.mark.parametrize("process", PROCESSES)
async def test_every_process_says_that_it_lives_and_can_work(stack: Stack, process: str) -> None:
    health, ready = await ask(stack, process, "/health"), await ask(stack, process, "/ready")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert ready.status_code == 200
    assert ready.json() == {"status": "ok", "checks": {"database": "ok", "bus": "ok"}}
    refused = await ask(stack, process, "/ready/x")
    assert refused.status_code == 404


@pytest.mark.parametrize("process", PROCESSES)
async def test_every_process_shows_the_metrics_that_were_promised(
    stack: Stack, lived: Lived, process: str
) -> None:
    answer = await ask(stack, process, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families.keys() >= EVERYWHERE | PROMISED[process]
    for name, family in families.items():
        if name.startswith("postbus_") and not name.endswith("_created"):
            assert family.documentation, name


async def test_metrics_say_what_happened(stack: Stack, lived: Lived) -> None:
    def value(of: list[tuple[str, dict[str, str], float]], name: str, **labels: str) -> float:
        return sum(
            value for each, there, value in of if each == name and labels.items() <= there.items()
        )

    api = await samples(stack, "api")
    opened = {"method": "GET", "route": "/api/v1/messages/{message_id}", "status": "200"}
    assert value(api, "postbus_api_request_duration_seconds_count", **opened) >= 1
    missed = {"route": "none", "status": "404"}
    assert value(api, "postbus_api_request_duration_seconds_count", **missed) >= 1
    assert value(api, "postbus_api_sign_ins_total", result="refused") >= 1
    listen = await samples(stack, "sync-listen")
    assert value(listen, "postbus_sync_messages_total") >= 1
    assert value(listen, "postbus_sync_pull_duration_seconds_count", result="ok") >= 1
    assert value(listen, "postbus_sync_open_connections", state="idle") >= 1
    answer = await samples(stack, "sync-answer")
    assert value(answer, "postbus_sync_answer_duration_seconds_count", result="ok") >= 1
    sender = await samples(stack, "sender")
    assert value(sender, "postbus_sender_attempt_duration_seconds_count", fate="accepted") >= 1
    indexer = await samples(stack, "indexer")
    assert value(indexer, "postbus_indexer_query_duration_seconds_count", result="found") >= 1
    assert value(indexer, "postbus_indexer_query_duration_seconds_count", result="nothing") >= 1
    assert value(indexer, "postbus_indexer_documents_total", told="synced") >= 1


async def test_no_label_names_anybody_and_more_traffic_makes_no_more_series(
    stack: Stack, lived: Lived
) -> None:
    def series(found: list[tuple[str, dict[str, str], float]]) -> set[tuple[str, str]]:
        return {(name, str(sorted(labels.items()))) for name, labels, _ in found}

    before = {process: series(await samples(stack, process)) for process in PROCESSES}
    for _ in range(3):
        await traffic(lived.person, lived.message)
    for process in PROCESSES:
        found = await samples(stack, process)
        for name, labels, _ in found:
            assert labels.keys() <= LABELS, name
            for label in labels.values():
                # The operator's own words: what Python this is, and nothing of a user's.
                if not name.startswith("python_"):
                    assert not AN_ID.search(label), (name, labels)
                assert not [one for one in lived.names if one in label], (name, labels)
        assert series(found) == before[process], process


@asynccontextmanager
async def watched(stack: Stack) -> AsyncGenerator[dict[str, set[str]]]:
    """The reasons for which each process says, while inside, that it is not ready."""
    said: dict[str, set[str]] = {process: set() for process in PROCESSES}

    async def watch(process: str) -> None:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await ask(stack, process, "/ready")
                if answer.status_code == 503:
                    assert answer.json()["status"] == "unavailable"
                    said[process] |= {
                        name for name, found in answer.json()["checks"].items() if found != "ok"
                    }
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(watch(process)) for process in PROCESSES]
    try:
        yield said
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError):
                raise result  # what went wrong with the watching


async def until_all_ready(stack: Stack) -> None:
    for process in PROCESSES:

        async def ready(process: str = process) -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return (await ask(stack, process, "/ready")).status_code == 200
            return False

        await until(f"{process} is ready again", ready)


@pytest.mark.parametrize(("victim", "check"), [("nats", "bus"), ("postgres", "database")])
async def test_whoever_needs_what_was_killed_is_not_ready_until_it_is_back(
    stack: Stack, victim: str, check: str
) -> None:
    await until_all_ready(stack)
    processes = {name: pid for name, pid in stack.pids().items() if name in PROCESSES}
    async with watched(stack) as said:
        stack.kill(victim)

        async def everybody() -> bool:
            return all(check in reasons for reasons in said.values())

        await until(f"everybody misses the {check}", everybody)
    await until_all_ready(stack)
    alive = {name: pid for name, pid in stack.pids().items() if name in PROCESSES}
    assert alive == processes, "a process ended because of another's end"


async def test_a_database_that_hangs_makes_nobody_ready_and_nobody_dead(stack: Stack) -> None:
    server = psutil.Process(stack.pids()["postgres"])
    server.suspend()  # first, so that no session begins meanwhile
    sessions = server.children(recursive=True)
    for process in sessions:
        process.suspend()
    try:
        healths = await asyncio.gather(*(ask(stack, each, "/health") for each in PROCESSES))
        readies = await asyncio.gather(*(ask(stack, each, "/ready") for each in PROCESSES))
    finally:
        for process in (*sessions, server):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
    await until_all_ready(stack)
    assert [health.status_code for health in healths] == [200] * len(PROCESSES)
    assert [ready.status_code for ready in readies] == [503] * len(PROCESSES)
    for ready in readies:
        assert ready.json()["checks"] == {"database": "timed out", "bus": "ok"}


def log_lines(stack: Stack, process: str) -> Iterator[dict[str, Any]]:
    """What a process logged, each line an object."""
    for line in (stack.home / "logs" / f"{process}.log").read_text().splitlines():
        said = json.loads(line)
        assert isinstance(said, dict), line
        yield said


async def lines_of(stack: Stack, request_id: str) -> list[dict[str, Any]]:
    return [line for line in log_lines(stack, "api") if line.get("request_id") == request_id]


@pytest.mark.parametrize("process", PROCESSES)
async def test_every_line_of_a_log_is_an_object_that_says_when_who_and_what(
    stack: Stack, lived: Lived, process: str
) -> None:
    service = process.partition("-")[0]
    for line in log_lines(stack, process):
        assert line.keys() >= {"timestamp", "level", "event", "logger"}, line
        assert line["service"] == service, line
        assert line["level"] != "debug", line


async def test_a_request_is_one_line_that_says_for_whom_and_under_which_id(
    stack: Stack, lived: Lived
) -> None:
    ours = f"probe.{uuid4().hex}"
    answer = await lived.person.get(
        "/search", params={"q": "a-secret-question"}, headers={"X-Request-ID": ours}
    )
    assert answer.headers["x-request-id"] == ours
    claims = await token_of(lived.person)

    (line,) = await until("the request is logged", lambda: lines_of(stack, ours))
    assert line["event"] == "request"
    assert line["method"] == "GET"
    assert line["path"] == "/api/v1/search"
    assert line["status"] == 200
    assert line["client"] == "127.0.0.1"
    assert 0 < line["milliseconds"] < 60_000
    assert UUID(line["tenant_id"]) == read(Kind.TENANT, claims["ten"])
    assert UUID(line["user_id"]) == read(Kind.USER, claims["sub"])
    assert "a-secret-question" not in json.dumps(line)

    stranger = f"probe.{uuid4().hex}"
    async with stack.client() as client:
        await client.get("/accounts", headers={"X-Request-ID": stranger})
    (line,) = await until("the refused request is logged", lambda: lines_of(stack, stranger))
    assert line["status"] == 401
    assert not line.keys() & {"tenant_id", "user_id"}


async def test_no_log_holds_a_password_or_a_token(stack: Stack, lived: Lived) -> None:
    answer = await lived.person.post(
        "/auth/register",
        json={"email": f"{uuid4().hex}@example.org", "password": USER_PASSWORD},
    )
    tokens = answer.json()
    await lived.person.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    await lived.person.get("/accounts", params={"access_token": tokens["access_token"]})
    secret = {
        USER_PASSWORD,
        PASSWORD,
        "not-the-password",
        tokens["access_token"],
        tokens["refresh_token"],
        lived.person.headers["Authorization"].partition(" ")[2],
        *stack.passwords.values(),
    }
    logs = {path.name: path.read_text() for path in (stack.home / "logs").iterdir()}
    assert {f"{process}.log" for process in PROCESSES} <= logs.keys()
    assert tokens["user"]["id"], "nobody registered"
    assert [(name, one) for name, text in logs.items() for one in secret if one in text] == []


async def one_more(stack: Stack, **settings: str) -> tuple[int, str]:
    """One more indexer beside the one that runs, started, ready, and stopped; what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.dev", "run", "services.indexer"),
        cwd=ROOT,
        env=os.environ | {"POSTBUS_HOME": str(stack.home), **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    reading = asyncio.create_task(process.stdout.read())

    async def serves_or_ended() -> bool:
        if process.returncode is not None:
            return True
        with contextlib.suppress(psutil.NoSuchProcess):
            listening = [
                one.laddr.port
                for one in psutil.Process(process.pid).net_connections("tcp")
                if one.status == psutil.CONN_LISTEN
            ]
            if listening:
                async with httpx.AsyncClient() as client:
                    answer = await client.get(f"http://127.0.0.1:{listening[0]}/ready")
                    return answer.status_code == 200
        return False

    try:
        await until("one more indexer serves", serves_or_ended)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    said = (await reading).decode()
    return await process.wait(), said


async def test_the_operator_says_how_much_and_how_is_logged(stack: Stack) -> None:
    (
        (info_rc, info),
        (quiet_rc, quiet),
        (loud_rc, loud),
        (read_rc, by_eye),
        (bad_rc, bad),
    ) = await asyncio.gather(
        one_more(stack, LOG_LEVEL="info"),
        one_more(stack, LOG_LEVEL="ERROR"),
        one_more(stack, LOG_LEVEL="DEBUG"),
        one_more(stack, LOG_FORMAT="console"),
        one_more(stack, LOG_LEVEL="chatty"),
    )
    assert (info_rc, quiet_rc, loud_rc, read_rc) == (0, 0, 0, 0)
    assert [json.loads(line)["event"] for line in info.splitlines()] == ["stopping", "stopped"]
    assert quiet == ""
    told = [json.loads(line)["event"] for line in loud.splitlines()]
    assert {"stopping", "stopped"} < set(told), "no more is said than otherwise"
    assert "stopped" in by_eye
    assert not by_eye.startswith("{")
    assert bad_rc != 0
    assert "LOG_LEVEL" in bad
