"""Every question of every dashboard has an answer, by a Prometheus that watches the platform."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import yaml

from infra.dev import programs
from infra.grafana.dashboards import SOURCE
from infra.grafana.panels import BOARDS
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import LOOPBACK, ServerUnavailable, free_ports, program
from tests.stories.stack import ROOT, Stack, until
from tests.stories.walk import connect, pages, until_state

pytestmark = pytest.mark.story

GRAFANA = ROOT / "infra" / "grafana"
# What only compose.yaml runs: exporters of PostgreSQL, Postfix and the machine. Prometheus has no
# series ALERTS while nothing is wrong, and backups are made where a directory for them is named.
OF_OTHERS = ("pg_", "node_", "ALERTS", "postbus_backup_", "postbus_postfix_")
JOBS = {
    "api": programs.API_PROBES,
    "sync-listen": programs.LISTEN,
    "sync-answer": programs.ANSWER,
    "sender": programs.SENDER,
    "indexer": programs.INDEXER,
}
LETTER = b"""From: Ada <ada@postbus.test>\r
Subject: A telescope\r
Message-ID: <telescope@postbus.test>\r
\r
Look at it.\r
"""


@pytest_asyncio.fixture(loop_scope="session")
async def prometheus(stack: Stack, tmp_path: Path) -> AsyncIterator[str]:
    """Debian's, with our recording rules; its address."""
    try:
        binary = program("prometheus")
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    rules = yaml.safe_load((ROOT / "infra/prometheus/rules/recording.yml").read_text())
    (tmp_path / "recording.yml").write_text(yaml.safe_dump(rules))
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["recording.yml"],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [f"{LOOPBACK}:{stack.port + offset}"]}],
            }
            for job, offset in JOBS.items()
        ],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        binary,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_every_panel_of_every_dashboard_shows_something(
    person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix, prometheus: str
) -> None:
    user = dovecot.new_user()
    account = await connect(person, user, dovecot, postfix)
    await until_state(person, account, "live")
    dovecot.append(user, "INBOX", [LETTER])

    async def found() -> bool:
        answer = await person.get("/search", params={"q": "telescope"})
        return answer.status_code == 200 and bool(answer.json()["items"])

    await until("it is found", found)
    (message,) = await pages(person, "/messages", account_id=account)
    assert (await person.get(f"/messages/{message['id']}")).status_code == 200
    answer = await person.post(
        "/submissions",
        json={"account_id": account, "to": [user], "subject": "To me", "text": "Hello."},
    )
    assert answer.status_code == 202, answer.text

    queries = {
        f"{board.title}, {panel.title}": expression
        for board in BOARDS
        for panel in board.panels
        for expression, _ in panel.queries
        if not any(name in expression for name in OF_OTHERS)
    }
    assert len(queries) > 50
    async with httpx.AsyncClient(base_url=prometheus, timeout=30) as client:
        silent: dict[str, str] = dict(queries)

        async def all_answered() -> bool:
            for panel, expression in list(silent.items()):
                answer = await client.get("/api/v1/query", params={"query": expression})
                # A query that is wrong is never answered, however long one waits.
                assert answer.status_code in (200, 503), f"{panel}: {answer.text}"
                if answer.status_code == 200 and answer.json()["data"]["result"]:
                    del silent[panel]
            return not silent

        async def there() -> bool:
            try:
                return (await client.get("/-/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await until("Prometheus is there", there)
        try:
            await until("every panel shows something", all_answered, seconds=120)
        except AssertionError:
            raise AssertionError(f"nothing is shown by {silent}") from None


def test_provisioning_names_the_source_and_the_dashboards_that_are_there() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/postbus.yml").read_text())
    assert SOURCE in {source["uid"] for source in sources["datasources"]}
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/postbus.yml").read_text())
    assert all(provider["options"]["path"] for provider in providers["providers"])
    seen: set[str] = set()
    for path in (GRAFANA / "dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        assert path.stem == board["uid"]
        seen.add(board["uid"])
        panels = [panel for panel in board["panels"] if panel["type"] != "row"]
        panels += [panel for row in board["panels"] for panel in row.get("panels", [])]
        assert panels
        for panel in panels:
            for target in panel["targets"]:
                assert target["datasource"]["uid"] == SOURCE
    assert seen == {board.uid for board in BOARDS}
