"""notmuch and mu on the same messages, in the same run."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from email.utils import format_datetime
from pathlib import Path

from benchmarks.say import say
from benchmarks.search_bench.asking import PAGE, Times
from benchmarks.search_bench.corpus import message

_PATIENCE_SECONDS = 600
_NOTMUCH = """
[database]
path={mail}
[user]
name=Benchmark
primary_email=benchmark@example.org
[new]
tags=
"""


class Refused(Exception):
    """A program did not do what it was asked."""


def peers(directory: Path, messages: int, words: Sequence[str]) -> dict[str, float]:
    """How fast each reads so many, and how fast it then finds words."""
    mail = directory / f"mail{messages}"
    for part in ("cur", "new", "tmp"):
        (mail / "INBOX" / part).mkdir(parents=True)
    for number in range(messages):
        made = message(number, messages)
        kept = made.kept
        (mail / "INBOX" / "cur" / f"{number}.x:2,S").write_text(
            f"From: {kept.sender[0]}\nTo: {kept.recipients_to[0]}\nSubject: {kept.subject}\n"
            f"Date: {format_datetime(made.received_at)}\nMessage-ID: <{kept.header_id}>\n\n"
            f"{kept.body}\n"
        )
    figures: dict[str, float] = {}
    configuration = directory / f"notmuch{messages}"
    configuration.write_text(_NOTMUCH.format(mail=mail))
    notmuch = ("notmuch", f"--config={configuration}")
    home = f"--muhome={directory / f'mu{messages}'}"
    programs = {
        "notmuch": (
            [(*notmuch, "new", "--no-hooks", "--quiet")],
            (*notmuch, "search", f"--limit={PAGE}", "--output=messages"),
        ),
        "mu": (
            [
                ("mu", "init", "--quiet", home, f"--maildir={mail}"),
                ("mu", "index", "--quiet", home),
            ],
            ("mu", "find", home, f"--maxnum={PAGE}", "--sortfield=date", "--reverse"),
        ),
    }
    for name, (index, find) in programs.items():
        if shutil.which(name) is None:
            say(f"{name} is not installed: left out")
            continue
        try:
            began = time.perf_counter()
            for command in index:
                _run(command)
            rate = messages / (time.perf_counter() - began)
            say(f"{name} of {messages:,}: {rate:,.0f} messages/s from disk")
            values: list[float] = []
            for word in words:
                began = time.perf_counter()
                _run((*find, word), found_nothing=(0, 2, 4))
                values.append((time.perf_counter() - began) * 1000)
        except (Refused, subprocess.TimeoutExpired) as error:
            say(f"{name} with {messages:,} messages: left out: {error}")
            continue
        times = Times(f"{name}, {messages:,} messages", values)
        times.show()
        figures[f"{name}_{messages}_index_per_second"] = round(rate)
        figures[f"{name}_{messages}_p50_milliseconds"] = times.at(0.5)
    return figures


def _run(command: Sequence[str], found_nothing: Sequence[int] = (0,)) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    if done.returncode not in found_nothing:
        raise Refused(f"{command[0]}: {done.stderr[-1000:]}")
