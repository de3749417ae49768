import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.dev.home import PORTS, ROOT
from infra.dev.programs import POSTGRES
from infra.dev.supervision import STOP_SECONDS
from tests.ports import ports_in_a_row

READY = re.compile(r"^Postbus is ready: (http://127\.0\.0\.1:\d+)$", re.MULTILINE)
START_SECONDS = 180

pytestmark = pytest.mark.story


class Here:
    """One home, and the commands a person gives in it."""

    def __init__(self, path, port):
        self.path = path
        self.environment = os.environ | {
            "POSTBUS_HOME": str(path),
            "POSTBUS_PORT": str(port),
            "POSTBUS_DEMO": "on",
            "POSTBUS_WEBMAIL": "off",
        }
        self.log = path.with_name(path.name + ".out")
        self.up = None

    def start(self):
        with self.log.open("w") as log:
            self.up = subprocess.Popen(
                [sys.executable, "-m", "infra.dev", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not READY.search(self.said()):
            assert self.up.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def said(self):
        return self.log.read_text()

    def run(self, *command, **environment):
        return subprocess.run(
            [sys.executable, "-m", "infra.dev", *command],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=STOP_SECONDS + 60,
        )

    def pid(self, program):
        table = self.run("status").stdout
        return int(re.search(rf"^{program} +\w+ +(\d+)", table, re.MULTILINE)[1])

    def processes(self):
        """The pids of everything that knows this home."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.fsencode(self.path) in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def is_gone(self):
        return self.processes() == [] and list((self.path / "run").iterdir()) == []


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with ports_in_a_row(PORTS) as first:
        here = Here(tmp_path_factory.mktemp("100% odd; # 'home' of") / "x", first)
        yield here
        here.run("down")


@pytest.fixture
def up(here):
    if here.run("status").returncode != 0:
        here.run("down")
        here.start()
    return here


def test_up_says_where_it_is_and_how_to_sign_in(up):
    port = up.environment["POSTBUS_PORT"]
    assert READY.search(up.said())[1] == f"http://127.0.0.1:{port}"
    assert "demo login: " in up.said()


def test_status_is_content_when_all_are_healthy_and_knows_the_port_by_itself(up):
    status = up.run("status", POSTBUS_PORT="")
    assert status.returncode == 0
    assert status.stdout.count("healthy") == 8


@pytest.mark.parametrize(
    "command",
    [
        ("shared.db", "migrate"),
        ("shared.bus", "apply"),
        ("shared.bus", "dead-letters"),
        ("services.api", "retell"),
        ("services.indexer", "retell"),
    ],
    ids=" ".join,
)
def test_what_an_operator_does_needs_no_address(up, command):
    done = up.run("run", *command)
    assert done.returncode == 0, done.stderr


def test_a_second_up_in_the_same_home_is_refused_and_harms_nothing(up):
    second = up.run("up")
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert up.run("status").returncode == 0


def test_a_port_that_is_taken_is_named(up, tmp_path):
    database = int(up.environment["POSTBUS_PORT"]) + POSTGRES
    refused = up.run("up", POSTBUS_HOME=str(tmp_path / "other"))
    assert refused.returncode == 1
    assert f"Port {database} (postgres)" in refused.stderr


def test_a_service_that_dies_comes_again(up):
    before = up.pid("sender")
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while up.run("status").returncode != 0:
        assert time.monotonic() < deadline, up.run("status").stdout
    assert up.pid("sender") != before


def test_ctrl_c_ends_everything_and_leaves_nothing_behind(up):
    up.up.send_signal(signal.SIGINT)
    assert up.up.wait(STOP_SECONDS) == 0
    assert up.is_gone()
    assert up.run("status").returncode == 1


def test_down_waits_until_everything_is_gone(up):
    assert up.run("down").returncode == 0
    assert up.is_gone()
    assert up.up.wait(5) == 0


def test_what_a_killed_up_left_behind_is_ended_by_down(up):
    up.up.kill()
    up.up.wait()
    assert up.processes()
    assert up.run("down").returncode == 0
    assert up.is_gone()


def test_what_a_killed_supervisor_left_behind_is_ended_by_the_next_up(up):
    os.kill(int((up.path / "run/supervisord.pid").read_text()), signal.SIGKILL)
    up.up.kill()
    up.up.wait()
    left = set(up.processes())
    assert left
    up.start()
    assert not left & set(up.processes())


def test_nobody_else_may_read_what_the_home_holds(up):
    assert up.path.stat().st_mode & 0o077 == 0
    run = json.loads((up.path / "run/up.json").read_text())
    assert run["pid"] == up.up.pid
