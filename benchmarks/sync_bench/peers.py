"""What others take for the same mail, in the same run: mbsync, notmuch and mu."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.say import say
from benchmarks.sync_bench.raw import warm
from tests.servers.dovecot import PASSWORD

PATIENCE_SECONDS = 900
MAILDIR_SECONDS = 1.2  # mbsync waits until a Maildir has been quiet for a second
MBSYNC = """
FSync {fsync}

IMAPStore server
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

MaildirStore disk
Path {maildir}/
Inbox {maildir}/INBOX
SubFolders Verbatim

Channel everything
Far :server:
Near :disk:
Patterns INBOX
Create Near
SyncState {maildir}/state-
"""
NOTMUCH = """
[database]
path={mail}
[user]
name=Benchmark
primary_email={user}
[new]
tags=
"""


@dataclass(frozen=True)
class Ran:
    """What a peer took."""

    name: str
    messages: int
    seconds: float
    processor_seconds: float

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    def show(self) -> None:
        say(
            f"{self.name:28}{self.seconds:8.2f} s {self.per_second:10,.0f}/s "
            f"{self.processor_seconds / self.messages * 1000:8.3f} CPU seconds per 1,000"
        )


class PeerFailed(Exception):
    """A peer did not do its work; its words are in the message."""


def peers(port: int, user: str, messages: int, directory: Path) -> dict[str, Ran]:
    """By name; a peer that is not installed is said to be missing and left out."""
    ran: dict[str, Ran] = {}
    if not _there("mbsync", "isync"):
        return ran  # the others index what it pulls
    for fsync in ("no", "yes"):
        name = "mbsync" if fsync == "yes" else "mbsync_without_fsync"
        maildir = directory / name
        ran[name] = _ran(name, messages, lambda at=maildir, how=fsync: _mbsync(port, user, at, how))
        _must_hold(maildir / "INBOX", messages)
    mail = directory / "mbsync"
    time.sleep(MAILDIR_SECONDS)
    ran["mbsync_unchanged"] = _ran(
        "mbsync, nothing changed", messages, lambda: _mbsync(port, user, mail, "yes")
    )
    shutil.rmtree(directory / "mbsync_without_fsync")
    warm(mail)
    if _there("notmuch", "notmuch"):
        ran["notmuch"] = _ran("notmuch new", messages, lambda: _notmuch(mail / "INBOX", user))
        shutil.rmtree(mail / "INBOX" / ".notmuch", ignore_errors=True)
    if _there("mu", "maildir-utils"):
        ran["mu"] = _ran("mu index", messages, lambda: _mu(mail / "INBOX", directory / "mu"))
    return ran


def _there(program: str, package: str) -> bool:
    if shutil.which(program):
        return True
    say(f"{program} is not installed (Debian: {package}): left out")
    return False


def _ran(name: str, messages: int, work: Callable[[], None]) -> Ran:
    before, began = os.times(), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - began, os.times()
    used = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    ran = Ran(name, messages, seconds, used)
    ran.show()
    return ran


def _mbsync(port: int, user: str, maildir: Path, fsync: str) -> None:
    maildir.mkdir(exist_ok=True)
    configuration = maildir / "mbsyncrc"
    configuration.write_text(
        MBSYNC.format(fsync=fsync, port=port, user=user, password=PASSWORD, maildir=maildir)
    )
    _run("mbsync", "--quiet", "--config", str(configuration), "everything")


def _notmuch(mail: Path, user: str) -> None:
    configuration = mail.parent / "notmuch"
    configuration.write_text(NOTMUCH.format(mail=mail, user=user))
    _run("notmuch", f"--config={configuration}", "new", "--no-hooks", "--quiet")


def _mu(mail: Path, home: Path) -> None:
    _run("mu", "init", "--quiet", f"--muhome={home}", f"--maildir={mail}")
    _run("mu", "index", "--quiet", f"--muhome={home}")


def _run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    if done.returncode:
        raise PeerFailed(f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _must_hold(maildir: Path, messages: int) -> None:
    held = sum(1 for part in ("cur", "new") for _ in (maildir / part).iterdir())
    if held != messages:
        raise PeerFailed(f"{maildir.parent.name} pulled {held} of {messages} messages")
