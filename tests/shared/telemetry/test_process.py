import json
import signal
import subprocess
import sys
import time

import pytest

BEFORE = """
import asyncio
from shared.telemetry import configure, run, serve_probes
configure("sync")
"""


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", BEFORE + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_process_told_to_stop_finishes_its_work(told: signal.Signals):
    process = start("""
async def main(stop):
    async with serve_probes("127.0.0.1", 0, {}):
        print("ready")
        await stop.wait()
        await asyncio.sleep(0.05)
    print("finished")
run(main)
""")
    assert line_of(process) == "ready"
    process.send_signal(told)
    out, err = process.communicate(timeout=10)

    assert process.returncode == 0, err
    lines = out.splitlines()
    assert json.loads(lines[0])["event"] == "stopping"
    assert lines[1] == "finished"
    assert json.loads(lines[2])["event"] == "stopped"
    assert err == ""


def test_a_second_signal_is_not_kept_waiting():
    process = start("""
async def main(stop):
    print("ready")
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up")
run(main)
""")
    assert line_of(process) == "ready"
    process.send_signal(signal.SIGTERM)
    assert json.loads(line_of(process))["event"] == "stopping"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)

    assert process.returncode == 1
    assert "cleaned up" in out
    assert err == ""


def test_work_that_does_not_end_is_cancelled():
    process = start("""
async def main(stop):
    print("ready")
    await asyncio.Event().wait()
run(main, grace_seconds=0.2)
""")
    assert line_of(process) == "ready"
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)

    assert process.returncode == 1
    assert time.monotonic() - started < 5


def test_an_error_ends_the_process_and_is_logged():
    process = start("""
async def main(stop):
    raise LookupError("no such key")
run(main)
""")
    out, err = process.communicate(timeout=10)

    assert process.returncode == 1
    [line] = map(json.loads, out.splitlines())
    assert (line["level"], line["error"]) == ("critical", "no such key")
    assert "LookupError" in line["exception"]
    assert err == ""


def test_a_process_with_nothing_left_to_do_ends_well():
    process = start("""
import uvloop
async def main(stop):
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
run(main)
""")
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
