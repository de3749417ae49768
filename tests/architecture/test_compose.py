"""compose.yaml and its image: what runs, what each container may do, and what each is told."""

import http.server
import importlib
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from pydantic import AliasChoices

from infra.own_database import own_database
from shared.contracts.catalogue import SERVICES
from shared.seal import OpeningKeys, SealingKeys
from tests.platform import Platform

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")
STACK: dict[str, Any] = yaml.safe_load(COMPOSE)
CONTAINERS: dict[str, dict[str, Any]] = STACK["services"]
PASSED = [
    line
    for line in (ROOT / "infra/images/settings.env").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def service_of(container: dict[str, Any]) -> str | None:
    """The service that a container runs; None for servers and for the steps of a deploy."""
    return container["build"]["args"]["SERVICE"] if "build" in container else None


RUNNING = {name: c for name, c in CONTAINERS.items() if service_of(c)}
STEPS = {name: c for name, c in CONTAINERS.items() if c.get("restart") == "no"}


def settings_of(service: str) -> dict[str, bool]:
    """Each variable that a service reads, and whether it must be set."""
    settings = importlib.import_module(f"services.{service}.settings").Settings
    variables: dict[str, bool] = {}
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            variable = str(alias.choices[0])
        else:
            variable = f"{settings.model_config['env_prefix']}{name}".upper()
        variables[variable] = field.is_required()
    return variables


def interpolated(value: object) -> set[str]:
    return set(re.findall(r"\$\{(\w+)", str(value)))


def test_every_service_runs_and_sync_in_both_roles() -> None:
    assert {service_of(container) for container in RUNNING.values()} == set(SERVICES)
    roles = {c["environment"]["SYNC_ROLE"] for c in RUNNING.values() if service_of(c) == "sync"}
    assert roles == {"listen", "answer"}


@pytest.mark.parametrize("name", RUNNING)
def test_a_container_is_told_what_its_service_reads_and_all_that_it_needs(name: str) -> None:
    told = set(RUNNING[name]["environment"])
    read = settings_of(service_of(RUNNING[name]) or "")
    assert told <= set(read)
    assert {variable for variable, required in read.items() if required} <= told
    assert RUNNING[name]["env_file"] == "infra/images/settings.env"


def test_an_operators_every_setting_reaches_the_containers() -> None:
    told = {variable for container in RUNNING.values() for variable in container["environment"]}
    read = {variable for service in SERVICES for variable in settings_of(service)}
    assert set(PASSED) == read - told, "infra/images/settings.env names what .env may set"
    assert len(PASSED) == len(set(PASSED))
    assert all(re.fullmatch(r"[A-Z_]+", name) for name in PASSED), "names, never values"


def test_no_password_has_a_default() -> None:
    for name, rest in re.findall(r"\$\{(\w*PASSWORD\w*)([^}]*)\}", COMPOSE):
        assert rest == ":?run ./just secrets", name
    for name, container in CONTAINERS.items():
        for variable, value in container.get("environment", {}).items():
            if "PASSWORD" in variable:
                assert re.fullmatch(r"\$\{\w+:\?[^}]*\}", value), (name, variable)
            if variable.endswith("_URL"):
                assert re.search(r"://[a-z_]+:\$\{\w+_PASSWORD:\?[^}]*\}@", value), (name, variable)


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_is_told_its_own_passwords_only(name: str) -> None:
    service = (service_of(RUNNING[name]) or "").upper()
    assert interpolated(RUNNING[name]["environment"]) == {
        f"{service}_DATABASE_PASSWORD",
        f"{service}_REQUEST_DATABASE_PASSWORD",
        f"NATS_{service}_PASSWORD",
    }


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_sees_no_keys_but_its_own_and_changes_none(name: str) -> None:
    service = service_of(RUNNING[name])
    expected = [] if service == "indexer" else [f"keys-{service}:/keys/{service}:ro"]
    assert RUNNING[name].get("volumes", []) == expected


def test_only_the_api_is_published_and_on_loopback_only() -> None:
    assert {name for name, container in CONTAINERS.items() if "ports" in container} == {"api"}
    assert CONTAINERS["api"]["ports"] == ["127.0.0.1:${POSTBUS_PORT:-8500}:8500"]
    assert CONTAINERS["api"]["environment"]["API_PORT"] == "8500"


def test_only_what_calls_mail_servers_or_is_called_leaves_the_inner_network() -> None:
    assert STACK["networks"]["inside"] == {"internal": True}
    leaving = {
        name: set(container["networks"]) - {"inside"}
        for name, container in CONTAINERS.items()
        if container.get("network_mode") != "none"
    }
    assert {name: networks for name, networks in leaving.items() if networks} == {
        "api": {"front"},
        "sync-listen": {"outside"},
        "sync-answer": {"outside"},  # to fetch what is opened
        "sender": {"outside"},
    }


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_container_may_do_more_than_its_work(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "devices"} & set(container)
    assert not any(str(volume).startswith((".", "/")) for volume in container.get("volumes", []))
    if container["image"].startswith("postbus-"):
        assert "user" not in container  # the image's own, below
        assert container["pull_policy"] == "never"  # whatever a registry holds by this name
    else:
        assert container["user"] not in ("root", "0", "0:0")


def test_the_image_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "infra/images/Dockerfile").read_text("utf-8")
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", final, re.M) == ["10001:10001"]
    assert "HEALTHCHECK" in final


@pytest.mark.parametrize("name", CONTAINERS)
def test_any_container_may_have_replicas_and_logs_stay_small(name: str) -> None:
    assert "container_name" not in CONTAINERS[name]
    assert {"max-size", "max-file"} <= set(CONTAINERS[name]["logging"]["options"])


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_starts_when_every_step_of_the_deploy_is_done(name: str) -> None:
    def done_before(container: str) -> set[str]:
        needs = CONTAINERS[container].get("depends_on", {})
        for need, how in needs.items():
            ended = need in STEPS
            assert how["condition"] == (
                "service_completed_successfully" if ended else "service_healthy"
            )
        return set(needs).union(*map(done_before, needs))

    assert done_before(name) == {*STEPS, "postgres", "nats"}
    assert RUNNING[name]["restart"] == "unless-stopped"


def test_all_that_the_image_copies_is_sent_to_the_builder_and_nothing_else() -> None:
    dockerfile = (ROOT / "infra/images/Dockerfile").read_text("utf-8")
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.M)
        for source in line.split()[:-1]
    }
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignore[1] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def make_secrets(file: Path) -> dict[str, str]:
    subprocess.run([ROOT / "infra/scripts/secrets", file], check=True, capture_output=True)
    lines = file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_secrets_makes_every_password_that_compose_asks_for(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / ".env")
    assert set(made) == {name for name in interpolated(COMPOSE) if name.endswith("_PASSWORD")}
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in made.values())
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_secrets_keeps_what_is_there_and_closes_the_file_to_others(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("LOG_LEVEL=DEBUG\nNATS_API_PASSWORD=\nNATS_SYNC_PASSWORD=mine")
    file.chmod(0o644)
    made = make_secrets(file)
    assert made["LOG_LEVEL"] == "DEBUG"
    assert made["NATS_SYNC_PASSWORD"] == "mine"
    assert made["NATS_API_PASSWORD"] != ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert make_secrets(file) == made
    assert list(tmp_path.iterdir()) == [file]


def make_keys(directory: Path) -> dict[Path, str]:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    subprocess.run(
        [ROOT / "infra/images/make-keys", directory],
        cwd=ROOT,
        env={"PATH": path},
        check=True,
        capture_output=True,
    )
    return {
        file.relative_to(directory): file.read_text()
        for file in directory.rglob("*")
        if file.is_file()
    }


def test_keys_are_made_once_and_the_api_gets_private_ones_of_its_own_only(tmp_path: Path) -> None:
    for service in ("api", "sync", "sender"):
        (tmp_path / service).mkdir(mode=0o700)
    made = make_keys(tmp_path)
    assert make_keys(tmp_path) == made
    of_the_api = [file for file in made if file.parts[0] == "api"]
    (own,) = (file for file in of_the_api if file.suffix == ".private")
    assert own.parent == Path("api/own")
    assert Path("api/jwt.json") in of_the_api
    for service in ("sync", "sender"):
        sealing = SealingKeys.load(tmp_path / "api/seal" / service)
        assert sealing.key_ids == OpeningKeys.load(tmp_path / service).key_ids


@pytest.fixture
def answering() -> Iterator[tuple[int, list[int]]]:
    """A server on some port that answers with the status that the list holds."""
    status = [200]

    class Probes(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0] if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Probes)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, status
    server.shutdown()
    thread.join()
    server.server_close()


def healthcheck(**environment: str) -> int:
    script = ROOT / "infra/images/healthcheck.py"
    return subprocess.run(
        [sys.executable, "-I", script], env=environment, check=False, capture_output=True
    ).returncode


def test_a_container_is_healthy_when_its_process_says_so(
    answering: tuple[int, list[int]],
) -> None:
    port, status = answering
    assert healthcheck(POSTBUS_SERVICE="api", API_PROBE_PORT=str(port)) == 0
    assert healthcheck(POSTBUS_SERVICE="sync", SYNC_PROBE_PORT=str(port)) == 0
    status[0] = 503
    assert healthcheck(POSTBUS_SERVICE="sync", SYNC_PROBE_PORT=str(port)) == 1
    assert healthcheck(POSTBUS_SERVICE="api", API_PROBE_PORT="1") == 1


async def test_the_databases_administrator_is_no_superuser_and_takes_a_new_password(
    platform: Platform,
) -> None:
    superuser_url = platform.postgres.url
    server = superuser_url.partition("@")[2].partition("/")[0]
    try:
        for password in ("first", "it's-second"):
            admin_url = f"postgresql://compose_admin:{password}@{server}/compose_test"
            await own_database(superuser_url, admin_url)
            admin = await asyncpg.connect(admin_url)
            role = await admin.fetchrow(
                "SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_roles"
                " WHERE rolname = current_user"
            )
            await admin.execute(f"CREATE SCHEMA s{len(password)}")
            await admin.close()
            assert role is not None
            assert tuple(role) == (False, True, False)
    finally:
        superuser = await asyncpg.connect(superuser_url)
        await superuser.execute("DROP DATABASE IF EXISTS compose_test")
        await superuser.execute("DROP ROLE IF EXISTS compose_admin")
        await superuser.close()
