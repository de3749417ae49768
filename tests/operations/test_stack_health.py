"""What an operator is told of the stack that runs."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.certs.__main__ import certificates
from infra.dev.nats import EmbeddedNats
from infra.dev.process import free_port
from infra.stack.health import PORTS, asking_for_certificates, lasting, look, queued, standing
from shared.bus.nats_config import USERS, nats_config
from tests.operations.recipes import ROOT
from tests.servers.certificate import self_signed

EXPECTED: dict[str, dict[str, Any]] = {
    "api": {"restart": "unless-stopped"},
    "sender": {"restart": "unless-stopped"},
    "migrate": {"restart": "no"},
}


def container(service: str, state: str = "running", **more: Any) -> dict[str, Any]:
    name = f"postbus-{service}-1"
    return {"ID": service, "Service": service, "Name": name, "State": state, **more}


def found(*containers: dict[str, Any]) -> dict[str, str]:
    return {one.says: one.how for one in standing(EXPECTED, list(containers))}


def test_services_run_and_steps_of_the_deploy_have_ended() -> None:
    ended = container("migrate", "exited", ExitCode=0)
    well = (container("api", Health="healthy"), container("api", Health="healthy"))
    assert found(*well, container("sender"), ended) == {
        "containers that are as they should be: 4": "ok"
    }
    told = found(container("api", Health="unhealthy"), container("migrate", "exited", ExitCode=1))
    assert told == {
        "postbus-api-1 is running, unhealthy": "wrong",
        "sender is not there: docker compose up --detach --wait": "wrong",
        "postbus-migrate-1 is exited, code 1": "wrong",
        "containers that are as they should be: 0": "ok",
    }
    assert (
        found(*well, container("sender", "exited", ExitCode=0), ended)[
            "postbus-sender-1 is exited, code 0"
        ]
        == "wrong"
    )


def test_a_certificate_that_ends_soon_is_told_with_what_to_do() -> None:
    told = {one.says: one.how for one in lasting({"nats": 300.2, "postgres": 59.0, "x": "no"})}
    assert told["the certificate of nats is good for 300 days"] == "ok"
    assert told["the certificate of x is not good: no"] == "wrong"
    (soon,) = (one for one in told if "59 days" in one)
    assert told[soon] == "look"
    assert soon.endswith("./just certs, then docker compose restart postgres nats")
    (late,) = lasting({"nats": 13.0})
    assert late.how == "wrong"


async def test_the_bus_is_asked_for_its_certificate_before_it_knows_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTBUS_HOSTNAME", "post.example.org")
    issued = tmp_path / "issued"
    certificates(issued, {})
    trust = str(issued / "trust/ca.crt")
    port = free_port()
    config = tmp_path / "nats.conf"
    passwords = dict.fromkeys(USERS, "x")
    config.write_text(
        nats_config(
            host="127.0.0.1",
            port=port,
            store=tmp_path / "store",
            passwords=passwords,
            certificate=issued / "nats/server.crt",
            key=issued / "nats/server.key",
        )
    )
    async with EmbeddedNats(config, port):

        def told(trust: str) -> Any:
            program = asking_for_certificates({"nats": ("localhost", port)}, trust)
            return json.loads(subprocess.check_output([sys.executable, "-c", program]))["nats"]

        assert 395 < await asyncio.to_thread(told, trust) < 398
        stranger = str(self_signed(tmp_path)[0])
        assert "certificate verify failed" in await asyncio.to_thread(told, stranger)
    assert "refused" in await asyncio.to_thread(told, trust)


def test_what_waits_in_the_mail_servers_queue_is_told_where_there_is_one() -> None:
    assert list(queued({})) == []
    (told,) = queued({"postbus_postfix_queue_messages": {"active": 2.0, "deferred": 3.0}})
    assert (told.how, told.says) == ("look", "mail in Postfix's queue: 5, deferred: 3")


def test_whoever_cannot_be_asked_is_named_and_the_rest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "tests/operations/stand_in_docker", tmp_path / "docker")
    (tmp_path / "python").symlink_to(sys.executable)
    (tmp_path / "config").write_text(json.dumps({"services": EXPECTED}))
    running = [container("api"), container("sender"), container("migrate", "exited", ExitCode=0)]
    for name, value in {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SAID": str(tmp_path / "said"),
        "CONFIG": str(tmp_path / "config"),
        "RUNNING": "\n".join(map(json.dumps, running)),
        "IMAGES": "",
        "DAEMON": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("infra.stack.health.PORTS", {"localhost": 1, "sender": 8500})
    told = {one.says: one.how for one in look(tmp_path, [])}
    assert told["localhost 127.0.0.1 does not answer"] == "wrong"
    assert told["containers that are as they should be: 3"] == "ok"
    assert told["sender: 1 errors in an hour; the last: no way out"] == "look"
    assert told["postbus-api-1 3.00%, 100MiB / 1GiB"] == "ok"
    assert any(one.startswith("disk: ") for one in told)


def test_who_is_asked_for_metrics_is_a_container_and_has_them_there() -> None:
    stack = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    watched = (ROOT / "infra/prometheus/prometheus.yml").read_text()
    for name, port in PORTS.items():
        assert "inside" in stack[name]["networks"]
        assert f"names: [{name}], type: A, port: {port}" in watched or f'"{name}:{port}"' in watched
