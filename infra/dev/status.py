"""`status` and `down`: what another shell may ask about the platform that runs here."""

import asyncio
import contextlib
import json
import os
import signal
import time

from rich.console import Console
from rich.table import Table

from infra.dev import programs, ready, secrets
from infra.dev.home import AlreadyUp, Home, Refused
from infra.dev.supervision import STOP_SECONDS, UNREACHABLE, Supervisor, stop_all

ASK_SECONDS = 5.0


def status(home: Home) -> int:
    """Show every process; 0 only when all run and are healthy."""
    home = home.as_started()
    try:
        states = Supervisor(home).states()
    except UNREACHABLE:
        Console().print(f"Postbus is not running in {home.path}.", highlight=False, soft_wrap=True)
        return 1
    faults = asyncio.run(_faults(home))
    shown = Table("process", "state", "pid", "up", "health", box=None, pad_edge=False)
    for program in programs.table(home):
        state = states[program.name]
        fault = faults[program.name]
        shown.add_row(
            program.name,
            state.state.lower(),
            str(state.pid or "-"),
            _duration(state.seconds),
            "healthy" if fault is None else fault,
        )
    console = Console(highlight=False)
    console.print(shown)
    console.print(home.url)
    run = all(state.state in ("STARTING", "RUNNING") for state in states.values())
    return 0 if run and all(fault is None for fault in faults.values()) else 1


def down(home: Home) -> int:
    """End the platform of this home, whoever started it, and return when it is gone."""
    if not home.run.exists():
        print(f"Postbus is not running in {home.path}.")
        return 0
    stopped = False
    deadline = time.monotonic() + STOP_SECONDS + 30
    while True:
        try:
            with home.held():
                stopped = stop_all(home) or stopped
                print(
                    "Postbus is stopped." if stopped else f"Postbus is not running in {home.path}."
                )
                return 0
        except AlreadyUp:
            if not stopped:
                stopped = _ask_to_end(home)
            if time.monotonic() > deadline:
                raise Refused("Postbus does not stop.") from None
            time.sleep(0.1)  # not our child: its end is known by the lock it lets go


def _ask_to_end(home: Home) -> bool:
    """Tell the `up` that holds the home to end; False while it has not yet said who it is."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, json.JSONDecodeError):
        os.kill(json.loads((home.run / "up.json").read_text())["pid"], signal.SIGTERM)
        return True
    return False


async def _faults(home: Home) -> dict[str, str | None]:
    kept = secrets.read(home)

    async def ask(program: programs.Program) -> str | None:
        try:
            await ready.until(lambda: program.fault(home, kept), ASK_SECONDS)
        except TimeoutError as fault:
            return str(fault)
        return None

    table = programs.table(home)
    said = await asyncio.gather(*map(ask, table))
    return {program.name: fault for program, fault in zip(table, said, strict=True)}


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {seconds}s" if minutes else f"{seconds}s"
