"""supervisord, as we run it: its configuration, its words, and the end of all it started."""

import contextlib
import os
import pwd
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Generator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport

from infra.dev import postgres
from infra.dev.home import ROOT, Home, Refused
from infra.dev.programs import Program, table

STOP_SECONDS = 100.0  # services 20, NATS 20, PostgreSQL 60: supervisord kills what takes longer
UNREACHABLE = (OSError, HTTPException, xmlrpc.client.ProtocolError)

# Paths are relative to where supervisord runs (the logs), and commands come by the environment:
# it would take a `%`, a ` ;` or a quote in the name of a directory for something to obey.
HEAD = """\
[supervisord]
identifier = postbus
logfile = supervisord.log
logfile_maxbytes = 10MB
logfile_backups = 1
pidfile = ../run/supervisord.pid
umask = 077
{user}

[unix_http_server]
file = {socket}
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM = """
[program:{name}]
command = %(ENV_POSTBUS_LAUNCH)s {name}
autostart = false
autorestart = true
startsecs = 5
startretries = 3
stopsignal = {stop_signal}
stopwaitsecs = {stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = {name}.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""
GROUP = """
[group:{group}]
programs = {names}
priority = {priority}
"""


@dataclass(frozen=True, slots=True)
class State:
    """What supervisord knows of one process."""

    name: str
    state: str  # STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL, UNKNOWN
    pid: int
    seconds: int
    description: str


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._address = f"unix://{home.socket}"

    def begin(self) -> subprocess.Popen[bytes]:
        """Start supervisord with nothing running yet, and return when it listens."""
        config = self._home.run / "supervisord.conf"
        socket = os.path.relpath(self._home.socket, self._home.logs)
        config.write_text(_configuration(table(self._home), socket))
        told = {
            "POSTBUS_HOME": str(self._home.path),
            "POSTBUS_PORT": str(self._home.port),
            "POSTBUS_DEMO": "on" if self._home.demo else "off",
            "POSTBUS_WEBMAIL": "on" if self._home.webmail else "off",
            "POSTBUS_LAUNCH": shlex.join([sys.executable, "-m", "infra.dev", "launch"]),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            # supervisord gives this to all that it starts; with it, itself is found as well.
            "SUPERVISOR_SERVER_URL": self._address,
        }
        said = self._home.logs / "supervisord.err"
        with said.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "infra.dev.supervised", "-n", "-s", "-c", str(config)],
                cwd=self._home.logs,
                env=os.environ | told,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for `up`, which knows the order
            )
        while not self.answers():
            if process.poll() is not None:
                raise Refused(f"supervisord did not start: {said.read_text(errors='replace')}")
            time.sleep(0.05)
        return process

    def answers(self) -> bool:
        try:
            with self._asked() as supervisor:
                supervisor.getState()
        except UNREACHABLE:
            return False
        return True

    def states(self) -> dict[str, State]:
        """Every process by the name it has in the table."""
        with self._asked() as supervisor:
            told = cast("list[dict[str, Any]]", supervisor.getAllProcessInfo())
        return {
            one["name"]: State(
                name=one["name"],
                state=one["statename"],
                pid=one["pid"],
                seconds=max(0, one["now"] - one["start"]) if one["pid"] else 0,
                description=one["spawnerr"] or one["description"],
            )
            for one in told
        }

    def start(self, program: Program) -> None:
        with self._asked() as supervisor:
            supervisor.startProcess(program.supervised_as, False)

    def stop(self, program: Program) -> None:
        """End one process, and leave it so."""
        with self._asked() as supervisor:
            supervisor.stopProcess(program.supervised_as, True)

    def shutdown(self) -> None:
        """Ask for the end: group after group, the last started first."""
        with contextlib.suppress(xmlrpc.client.Fault), self._asked() as supervisor:
            supervisor.shutdown()

    @contextlib.contextmanager
    def _asked(self) -> Generator[Any]:
        transport = SupervisorTransport(None, None, serverurl=self._address)
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            yield server.supervisor


def stop_all(home: Home) -> bool:
    """End whatever runs in this home, whoever started it and in whatever state it is.

    Returns whether anything ran. Call it only while the home is held.
    """
    ran = False
    with contextlib.suppress(*UNREACHABLE):
        Supervisor(home).shutdown()
        ran = True
    for deadline, how in ((STOP_SECONDS, signal.SIGINT), (20.0, signal.SIGKILL), (5.0, None)):
        if ran:
            _await_end(home, deadline)
        left = _processes(home)
        if not left or how is None:
            break
        # supervisord itself was killed, or hangs: they are told directly.
        ran = True
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
    if left := _processes(home):
        raise Refused(f"These processes do not end: {', '.join(map(str, left))}.")
    home.ended()
    postgres.forget_stale_lock(home.database)
    return ran


def _await_end(home: Home, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (_processes(home) or Supervisor(home).answers()) and time.monotonic() < deadline:
        time.sleep(0.05)  # other people's children do not announce their end to us


def _processes(home: Home) -> list[int]:
    """The processes that carry the address of this home's supervisord in their environment."""
    mark = b"SUPERVISOR_SERVER_URL=unix://" + os.fsencode(home.socket)
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours to read
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _configuration(programs: list[Program], socket: str) -> str:
    # Not told whom to be, supervisord complains when root starts it.
    user = f"user = {pwd.getpwuid(0).pw_name}" if os.geteuid() == 0 else ""
    text = HEAD.format(user=user, socket=socket)
    groups: dict[str, list[str]] = {}
    for program in programs:
        text += PROGRAM.format(
            name=program.name,
            stop_signal=program.stop_signal,
            stop_seconds=program.stop_seconds,
        )
        groups.setdefault(program.group, []).append(program.name)
    for priority, (group, names) in enumerate(groups.items(), start=1):
        text += GROUP.format(group=group, names=",".join(names), priority=priority)
    return text
