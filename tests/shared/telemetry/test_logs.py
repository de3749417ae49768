import asyncio
import contextlib
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import structlog
from pydantic_settings import SettingsConfigDict

from shared.contracts.account import Security
from shared.dial import DialSettings
from shared.seal import Credential
from shared.telemetry import LogSettings, TelemetrySettings, configure, log_context

TENANT = UUID("01930000-0000-7000-8000-000000000001")
Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    stdout = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers, root.level)
    with contextlib.redirect_stdout(stdout):
        configure("sync", "INFO", "json")
    yield lambda: [json.loads(line) for line in stdout.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers, root.level = before


def test_a_line_says_when_where_and_for_whom(lines: Lines):
    with log_context(request_id="r-1", tenant_id=TENANT, event_id=None):
        structlog.get_logger("pull").info("pulled", messages=3)

    [line] = lines()
    assert line.pop("timestamp")
    assert line == {
        "event": "pulled",
        "level": "info",
        "logger": "pull",
        "messages": 3,
        "request_id": "r-1",
        "service": "sync",
        "tenant_id": str(TENANT),
    }


def test_what_was_bound_ends_with_the_request(lines: Lines):
    with log_context(request_id="outer"):
        with log_context(request_id="inner"):
            pass
        structlog.get_logger().info("after")
    structlog.get_logger().info("outside")

    after, outside = lines()
    assert after["request_id"] == "outer"
    assert "request_id" not in outside


async def test_what_was_bound_follows_the_tasks_of_a_request_and_no_others(lines: Lines):
    async def answer(request: str) -> None:
        with log_context(request_id=request):
            await asyncio.sleep(0)
            structlog.get_logger().info(request)

    await asyncio.gather(*(answer(f"r-{n}") for n in range(5)))

    assert all(line["request_id"] == line["event"] for line in lines())


@pytest.mark.parametrize(
    "library", ["uvicorn.error", "litestar", "nats.aio.client", "faststream", "asyncio", "any"]
)
def test_libraries_write_the_same_lines(library: str, lines: Lines):
    with log_context(request_id="r-1"):
        logging.getLogger(library).warning("%s went %s", "it", "away")

    [line] = lines()
    assert line["event"] == "it went away"
    assert (line["service"], line["request_id"], line["logger"]) == ("sync", "r-1", library)


@pytest.mark.parametrize("faststream_first", [True, False])
def test_faststream_adds_no_voice_of_its_own(faststream_first: bool):
    steps = [
        "from faststream.nats import NatsBroker",
        "from shared.telemetry import configure; configure('sync')",
    ]
    program = "\n".join(
        [
            *(steps if faststream_first else reversed(steps)),
            "import logging",
            "from faststream._internal.logger.logging import get_broker_logger",
            "from faststream import ContextRepo",
            "broker_logger = get_broker_logger('nats', {}, 10, '%(message)s', ContextRepo(), 20)",
            "broker_logger.info('received')",
            "logging.getLogger('faststream').info('started')",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == [
        "received",
        "started",
    ]
    assert done.stderr == ""


def test_an_error_is_one_line_with_its_cause(lines: Lines):
    try:
        raise ValueError("no such mailbox")
    except ValueError:
        structlog.get_logger().exception("pull failed")
        logging.getLogger("nats").exception("callback failed")

    for line in lines():
        assert line["level"] == "error"
        assert "ValueError: no such mailbox" in str(line["exception"])


def test_secrets_are_blanked_by_name_at_every_depth(lines: Lines):
    structlog.get_logger().info(
        "asked",
        password="hunter2",
        smtp_password="hunter2",
        newPassword="hunter2",
        Authorization="Bearer hunter2",
        access_token="hunter2",
        api_key="hunter2",
        sealed=b"hunter2",
        headers={"Set-Cookie": "hunter2", "X-API-Key": "hunter2", "accept": "*/*"},
        rows=[{"client_secret": "hunter2", "token_count": 7}],
    )

    [line] = lines()
    assert "hunter2" not in json.dumps(line)
    assert line["password"] == "[hidden]"
    assert line["headers"] == {"Set-Cookie": "[hidden]", "X-API-Key": "[hidden]", "accept": "*/*"}
    assert line["rows"] == [{"client_secret": "[hidden]", "token_count": 7}]


def test_no_renderer_looks_inside_a_credential(lines: Lines):
    dialled = Credential(
        tenant_id=TENANT,
        account_id=TENANT,
        purpose="imap",
        host="imap.example.org",
        port=993,
        security=Security.TLS,
        username="anna",
        secret="hunter2",
    )
    structlog.get_logger().info("dialled", by=dialled, all=[dialled], raw=b"hunter2")

    [line] = lines()
    assert "hunter2" not in json.dumps(line)
    assert line["raw"] == "<7 bytes>"


def test_a_password_in_an_url_is_blanked_also_in_a_traceback(lines: Lines):
    try:
        raise OSError("cannot reach postgresql://sync:hunter2@db.example:5432/postbus")
    except OSError as failure:
        structlog.get_logger().exception("no database", error=failure, url=str(failure))

    [line] = lines()
    assert "hunter2" not in json.dumps(line)
    assert "postgresql://sync:[hidden]@db.example:5432/postbus" in str(line["exception"])


def test_half_a_character_costs_no_line(lines: Lines):
    structlog.get_logger().info("odd header", subject_bytes="caf\udce9")

    assert lines()[0]["subject_bytes"] == "caf\udce9"


def test_the_level_is_honoured_for_us_and_for_libraries(capsys: pytest.CaptureFixture[str]):
    root = logging.getLogger()
    before = (root.handlers, root.level)
    configure("sync", "WARNING", "console")
    structlog.get_logger().info("quiet")
    logging.getLogger("nats").info("quiet")
    structlog.get_logger().warning("loud", password="hunter2", mailbox="INBOX")
    structlog.reset_defaults()
    root.handlers, root.level = before

    shown = capsys.readouterr().out
    assert "quiet" not in shown
    assert "hunter2" not in shown
    assert "loud" in shown
    assert "mailbox=INBOX" in shown


def test_one_level_and_one_form_serve_all_services(monkeypatch: pytest.MonkeyPatch):
    class Settings(DialSettings, TelemetrySettings):
        model_config = SettingsConfigDict(env_prefix="SYNC_")

    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("LOG_FORMAT", "console")
    monkeypatch.setenv("SYNC_PROBE_PORT", "8501")
    monkeypatch.setenv("SYNC_DIAL_ALLOWED_NETWORKS", "127.0.0.0/8")

    settings = Settings()  # pyright: ignore[reportCallIssue]
    assert (settings.log_level, settings.log_format) == ("DEBUG", "console")
    assert (settings.probe_host, settings.probe_port) == ("127.0.0.1", 8501)
    assert settings.dial_policy.allowed_networks
    assert Settings(probe_port=1, log_level="ERROR").log_level == "ERROR"


def test_a_setting_that_is_wrong_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOG_LEVEL", "chatty-hunter2")

    with pytest.raises(ValueError, match="LOG_LEVEL") as raised:
        LogSettings()
    assert "hunter2" not in str(raised.value)
