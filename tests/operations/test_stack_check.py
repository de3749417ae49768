"""What an operator is told before the stack starts."""

import asyncio
import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from infra.stack.check import look
from tests.operations.recipes import ROOT
from tests.platform import PASSWORD, Platform

_INNERMOST = re.compile(r"\$\{(\w+)(?::[-?]([^${}]*))?\}")


class Machine:
    """A clone on a machine where Docker is a stand-in, and what compose.yaml is read as there."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._set = monkeypatch.setenv
        self.clone, self._config = directory / "clone", directory / "config.json"
        (self.clone / "secrets").mkdir(parents=True, mode=0o700)
        bin = directory / "bin"
        bin.mkdir()
        shutil.copy(Path(__file__).with_name("stand_in_docker"), bin / "docker")
        monkeypatch.setenv("PATH", f"{bin}:/usr/bin:/bin")
        self.config = self._read()
        for secret in self.config["secrets"].values():
            Path(secret["file"]).write_text(PASSWORD)
        images = {container["image"] for container in self.config["services"].values()}
        for name, value in {
            "SAID": str(directory / "said"),
            "CONFIG": str(self._config),
            "COMPOSE_VERSION": "2.40.3",
            "DAEMON": str(directory),
            "IMAGES": " ".join(images),
        }.items():
            monkeypatch.setenv(name, value)

    def _read(self, **told: str) -> dict[str, Any]:
        text = (ROOT / "compose.yaml").read_text("utf-8")
        while _INNERMOST.search(text):
            text = _INNERMOST.sub(lambda name: told.get(name[1], name[2] or ""), text)
        config = yaml.safe_load(text)
        config["services"] = {
            name: one for name, one in config["services"].items() if "profiles" not in one
        }
        for one in config["services"].values():
            one["deploy"]["replicas"] = one.pop("scale", 1)
            reserved = one["deploy"]["resources"]["reservations"]
            one["deploy"] = {
                **one["deploy"],
                "resources": {"reservations": {"memory": int(reserved["memory"][:-1]) * 2**20}},
            }
            one["ports"] = [{"published": "0"} for _ in one.get("ports", ())]
            mounts = [str(mount).split(":") for mount in one.get("volumes", ())]
            one["volumes"] = [
                {
                    "type": "bind" if mount[0][0] in "./" else "volume",
                    "source": mount[0],
                    "target": mount[1],
                }
                for mount in mounts
            ]
        for name in config["secrets"]:
            config["secrets"][name] = {"file": str(self.clone / "secrets" / name)}
        return config

    def container(self, name: str) -> dict[str, Any]:
        return self.config["services"][name]

    def says(self, **environment: str) -> dict[str, str]:
        """Each finding, and how it is."""
        for name, value in environment.items():
            self._set(name, value)
        self._config.write_text(json.dumps(self.config))
        return {finding.says: finding.how for finding in look(self.clone, [])}

    def wrong(self, **environment: str) -> list[str]:
        return [says for says, how in self.says(**environment).items() if how == "wrong"]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_stack_that_can_start_has_nothing_wrong(machine: Machine) -> None:
    said = machine.says()
    assert not [one for one, how in said.items() if how == "wrong"]
    assert "All pools together want at most 110 of 300 connections." in said
    assert "Every service can read its settings." in said
    assert said["POSTBUS_HOSTNAME is localhost: nobody comes from elsewhere."] == "look"
    assert any("Backups are on this disk" in one for one in said)


def test_replicas_are_counted_with_their_pools(machine: Machine) -> None:
    machine.container("sync-listen")["deploy"]["replicas"] = 11
    (said,) = machine.wrong()
    assert "may want 310 connections, and PostgreSQL takes 300" in said


def test_a_setting_that_makes_no_sense_is_named_with_its_container(machine: Machine) -> None:
    machine.container("sender")["environment"]["SENDER_DATABASE_POOL_SIZE"] = "many"
    (said,) = machine.wrong()
    assert said.startswith("sender: the setting database_pool_size: ")


def test_what_others_may_read_and_what_is_missing_is_named(machine: Machine) -> None:
    env, secrets = machine.clone / ".env", machine.clone / "secrets"
    env.write_text("POSTBUS_HOSTNAME=mail.example.org\n")
    env.chmod(0o644)
    secrets.chmod(0o755)
    assert machine.wrong() == [
        "Others may read .env (-rw-r--r--): chmod 600 .env.",
        "Others may enter secrets/: chmod 700 secrets.",
    ]
    (secrets / "nats_api_password").write_text("")
    (secrets / "postgres_password").unlink()
    assert "(postgres_password, nats_api_password): ./just secrets" in machine.wrong()[1]


def test_a_port_that_somebody_has_is_named_with_who_wants_it(machine: Machine) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        machine.container("nginx")["ports"] = [{"published": str(port)}]
        assert machine.wrong() == [f"Somebody has the ports {port} (nginx); .env may name others."]


def test_images_that_nobody_built_and_memory_that_is_not_there_are_said(machine: Machine) -> None:
    (said,) = machine.wrong(IMAGES="postgres:18 nats:2.15-alpine")
    assert said.startswith("Images are not built (postbus-api:latest, postbus-backup:latest")
    terabytes = {"resources": {"reservations": {"memory": 2**50}}, "replicas": 1}
    machine.container("postgres")["deploy"] = terabytes
    assert any("104857" in one and "are reserved" in one for one in machine.wrong())


def test_backups_go_to_a_directory_that_is_there(machine: Machine) -> None:
    mounts = machine.container("backup")["volumes"]
    mounts[0] = {"type": "bind", "source": str(machine.clone / "gone"), "target": "/backups"}
    (said,) = machine.wrong()
    assert "which is no directory" in said
    (machine.clone / "gone").mkdir()
    assert f"Backups are made in {machine.clone / 'gone'}." in machine.says()


def test_docker_that_is_too_old_or_away_is_said(machine: Machine) -> None:
    assert machine.wrong(COMPOSE_VERSION="v2.20.3") == [
        "Docker Compose v2.20.3 is too old; 2.24 is needed."
    ]
    machine._set("COMPOSE_VERSION", "2.24.0-desktop.1")
    assert machine.wrong() == []
    assert machine.wrong(CONFIG="/nowhere")[0].startswith("Docker Compose cannot read the conf")
    assert "is needed" in machine.wrong(PATH="/nowhere")[0]


async def test_a_database_elsewhere_is_come_to_as_migrate_does(
    platform: Platform, machine: Machine
) -> None:
    del machine.config["services"]["postgres"]
    url = platform.admin_database_url.replace(":postgres@", "@").replace("postgres@", "lookout@")
    machine.container("migrate")["environment"]["DATABASE_ADMIN_URL"] = url
    (said,) = await asyncio.to_thread(machine.wrong)
    assert said.startswith("The database elsewhere cannot be come to as migrate does: ")
    superuser = await asyncpg.connect(platform.postgres.url)
    try:
        await superuser.execute(f"CREATE ROLE lookout LOGIN PASSWORD '{PASSWORD}'")
        assert await asyncio.to_thread(machine.wrong) == [
            "postbus_admin may make no roles there: ALTER ROLE … CREATEROLE."
        ]
        await superuser.execute("ALTER ROLE lookout CREATEROLE")
        assert await asyncio.to_thread(machine.wrong) == []
    finally:
        await superuser.execute("DROP ROLE IF EXISTS lookout")
        await superuser.close()
